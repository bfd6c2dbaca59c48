"""Bearer tokens in, actors out; and what an actor may do in a namespace."""

import hashlib
from base64 import b64decode
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Select, bindparam, select, update

from hub.db import now
from hub.errors import Forbidden, Unauthorized
from hub.tables import Account, Membership, Token

Role = Literal["read", "contributor", "write", "admin"]
# A write for each request would cost more than the request; the field is for "is it still in use?".
LAST_USED_STEP = timedelta(minutes=10)
# huggingface_hub keeps this very message from being read as "repository not found" (`hf_raise_for_status`).
BAD_CREDENTIALS = "Invalid credentials in Authorization header"


class Actor(msgspec.Struct, frozen=True):
    """A signed-in user: the account and the token that speaks for it."""

    id: int
    name: str
    admin: bool
    token_id: int
    token_role: Literal["read", "write"]
    # Its last use was written down long ago: `touch` it.
    stale: bool = False

    @property
    def may_write(self) -> bool:
        """Whether the token may change anything at all."""
        return self.token_role == "write"


# Built once: making a statement takes SQLAlchemy longer than running it takes SQLite.
_TOKEN = select(
    Account.id,
    Account.name,
    Account.admin,
    Token.id.label("token_id"),
    Token.role,
    Token.expires_at,
    Token.revoked_at,
    Token.last_used_at,
).join(Token, Token.account_id == Account.id)
_BY_DIGEST = _TOKEN.where(Token.digest == bindparam("digest"))
_BY_ID = _TOKEN.where(Token.id == bindparam("id"))
_ROLE = select(Membership.role).where(
    Membership.org_id == bindparam("org_id"), Membership.user_id == bindparam("user_id")
)


def digest(token: str) -> bytes:
    """What the database keeps of a token."""
    return hashlib.sha256(token.encode()).digest()


def identify(db: Connection, authorization: str | None) -> Actor | None:
    """Read an `Authorization` header. None is nobody; a token that does not hold raises Unauthorized."""
    if authorization is None:
        return None
    scheme, _, value = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            token = value.strip()
        case "basic":
            # git and git-lfs know no other scheme; the token is the password, whatever the user is called.
            token = _password(value.strip())
        case _:
            token = ""
    if not token:
        raise Unauthorized(BAD_CREDENTIALS)
    return _actor(db, _BY_DIGEST, {"digest": digest(token)})


def _password(credentials: str) -> str:
    try:
        return b64decode(credentials, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def reidentify(db: Connection, token_id: int) -> Actor:
    """The actor behind a token that was seen before (a Xet token names it); raise Unauthorized if revoked."""
    return _actor(db, _BY_ID, {"id": token_id})


def _actor(db: Connection, statement: Select[*tuple[Any, ...]], key: Mapping[str, object]) -> Actor:
    row = db.execute(statement, key).one_or_none()
    moment = now()
    if row is None or row.revoked_at is not None:
        raise Unauthorized(BAD_CREDENTIALS)
    if row.expires_at is not None and row.expires_at <= moment:
        raise Unauthorized(
            f"{BAD_CREDENTIALS}: the token expired at {row.expires_at:%Y-%m-%dT%H:%M:%SZ}. Create a new one."
        )
    stale = row.last_used_at is None or moment - row.last_used_at > LAST_USED_STEP
    token_role: Literal["read", "write"] = "write" if row.role == "write" else "read"
    return Actor(row.id, row.name, row.admin, row.token_id, token_role, stale)


def touch(db: Connection, token_ids: Collection[int]) -> None:
    """Record that these tokens were used."""
    db.execute(update(Token).where(Token.id.in_(token_ids)).values(last_used_at=now()))


def signed_in(actor: Actor | None) -> Actor:
    """The actor, or Unauthorized for nobody."""
    if actor is None:
        raise Unauthorized(
            "Sign in first: send `Authorization: Bearer hf_…` (`voxhub login` or `hf auth login`)."
        )
    return actor


def writer(actor: Actor | None) -> Actor:
    """The actor, if its token may write."""
    actor = signed_in(actor)
    if not actor.may_write:
        raise Forbidden(
            "This token is read-only. Create one that may write: `voxhub token create "
            f"{actor.name} --role write`, or on your settings page."
        )
    return actor


def role_in(db: Connection, actor: Actor | None, namespace_id: int) -> Role | None:
    """The role of an actor in a namespace.

    It is `admin` in its own, and for hub admins everywhere; else what its membership says.
    """
    if actor is None:
        return None
    if actor.admin or actor.id == namespace_id:
        return "admin"
    role = db.execute(_ROLE, {"org_id": namespace_id, "user_id": actor.id}).scalar_one_or_none()
    match role:
        case "read" | "contributor" | "write" | "admin":
            return role
        case _:
            return None
