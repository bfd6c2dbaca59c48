"""Access tokens: random values that speak for a user. Only their SHA-256 is kept."""

import re
import secrets
import string
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from hub.auth.service import digest
from hub.db import now
from hub.errors import BadRequest, Conflict, NotFound
from hub.tables import Token

TokenRole = Literal["read", "write"]
# The JavaScript client refuses tokens that start otherwise (`checkCredentials.ts`).
PREFIX = "hf_"
MAX_DAYS = 3650
# What a column of the database can hold.
MAX_ID = 2**63 - 1
# 32 of 62 characters: 190 random bits, so a plain hash is enough to keep them safe.
_ALPHABET = string.ascii_letters + string.digits
_CHOSEN = re.compile(r"hf_[\x21-\x7e]{17,253}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class TokenRecord(msgspec.Struct, frozen=True):
    """What may be shown of a token."""

    id: int
    name: str
    hint: str
    role: TokenRole
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


def create(
    db: Connection,
    account_id: int,
    *,
    name: str,
    role: TokenRole,
    expires_in_days: float | None = None,
    value: str | None = None,
) -> tuple[TokenRecord, str]:
    """Make a token and return it with its value, which cannot be read again.

    `value` lets an operator choose it: it starts with `hf_` and has at least 20 characters.
    Raise BadRequest for a name, an age or a value that breaks a rule, Conflict for a value that is in use.
    """
    if not 1 <= len(name) <= 96 or _CONTROL.search(name):
        raise BadRequest("A token's name has 1 to 96 characters, none of them a control character.")
    if expires_in_days is not None and not 0 < expires_in_days <= MAX_DAYS:
        raise BadRequest(
            f"A token lives for more than 0 and at most {MAX_DAYS} days, not `{expires_in_days}`."
        )
    if value is not None and not _CHOSEN.fullmatch(value):
        raise BadRequest(
            "The chosen value cannot be a token: it must start with `hf_`, have 20 to 256 characters, and no "
            "spaces or letters beyond ASCII."
        )
    value = value or PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(32))
    moment = now()
    expires_at = None if expires_in_days is None else moment + timedelta(days=expires_in_days)
    record = (name, value[-4:], role, moment, expires_at, None)
    columns = ("name", "hint", "role", "created_at", "expires_at", "last_used_at")
    try:
        row = db.execute(
            insert(Token)
            .values(account_id=account_id, digest=digest(value), **dict(zip(columns, record, strict=True)))
            .returning(Token.id)
        )
    except IntegrityError:
        raise Conflict("This token value is in use already. Choose another.") from None
    return TokenRecord(row.scalar_one(), *record), value


def of_account(db: Connection, account_id: int) -> Sequence[TokenRecord]:
    """The tokens of an account that were not revoked, newest first; those that expired as well."""
    rows = db.execute(
        select(
            Token.id,
            Token.name,
            Token.hint,
            Token.role,
            Token.created_at,
            Token.expires_at,
            Token.last_used_at,
        )
        .where(Token.account_id == account_id, Token.revoked_at.is_(None))
        .order_by(Token.created_at.desc(), Token.id.desc())
    )
    return [TokenRecord(*row) for row in rows]


def get(db: Connection, account_id: int, token_id: int) -> TokenRecord:
    """One token of an account; raise NotFound for another's."""
    for token in of_account(db, account_id):
        if token.id == token_id:
            return token
    raise _not_found(token_id)


def revoke(db: Connection, account_id: int, token_id: int) -> None:
    """Make a token void at once; raise NotFound when the account has no such token."""
    if not 0 < token_id <= MAX_ID:
        raise _not_found(token_id)
    done = db.execute(
        update(Token)
        .where(Token.id == token_id, Token.account_id == account_id, Token.revoked_at.is_(None))
        .values(revoked_at=now())
    )
    if not done.rowcount:
        raise _not_found(token_id)


def _not_found(token_id: int) -> NotFound:
    return NotFound(f"There is no token `{token_id}` of yours, or it was revoked. List your tokens.")
