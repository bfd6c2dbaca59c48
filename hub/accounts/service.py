"""Users and organisations: both are accounts, and both are namespaces of repositories."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from hub.accounts import names
from hub.auth.service import Role
from hub.db import now
from hub.errors import BadRequest, Conflict, NotFound
from hub.tables import Account, Membership, Repo

AccountKind = Literal["user", "org"]
ROLES: tuple[Role, ...] = get_args(Role)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class AccountRecord(msgspec.Struct, frozen=True):
    """A user or an organisation."""

    id: int
    kind: AccountKind
    name: str
    fullname: str
    email: str | None
    admin: bool
    created_at: datetime


class Member(msgspec.Struct, frozen=True):
    """An account and its role: a member as its organisation sees it, or an organisation as a member does."""

    account: AccountRecord
    role: Role


_COLUMNS = (
    Account.id,
    Account.kind,
    Account.name,
    Account.fullname,
    Account.email,
    Account.admin,
    Account.created_at,
)


def find(db: Connection, name: str, kind: AccountKind | None = None) -> AccountRecord | None:
    """The account of this name, upper and lower case being the same."""
    query = select(*_COLUMNS).where(Account.name_key == name.lower())
    row = db.execute(query if kind is None else query.where(Account.kind == kind)).one_or_none()
    return None if row is None else _record(row)


def get_user(db: Connection, name: str) -> AccountRecord:
    """The user of this name; raise NotFound."""
    user = find(db, name, "user")
    if user is None:
        raise NotFound(f"There is no user `{_shown(name)}`. Check the name, or add it: `voxhub user add`.")
    return user


def get_org(db: Connection, name: str) -> AccountRecord:
    """The organisation of this name; raise NotFound."""
    org = find(db, name, "org")
    if org is None:
        raise NotFound(
            f"There is no organisation `{_shown(name)}`. Check the name, or add it: `voxhub org add`."
        )
    return org


def every(db: Connection, kind: AccountKind) -> list[AccountRecord]:
    """All users, or all organisations, by name."""
    rows = db.execute(select(*_COLUMNS).where(Account.kind == kind).order_by(Account.name_key))
    return [_record(row) for row in rows]


def add_user(
    db: Connection,
    name: str,
    *,
    fullname: str = "",
    email: str | None = None,
    password: str | None = None,
    admin: bool = False,
) -> AccountRecord:
    """Make a user.

    `password` is what `passwords.digest` made of it: hashing takes too long for a transaction that writes.
    Without one the user signs in by access tokens only.
    Raise BadRequest for a name, full name or e-mail address that breaks a rule, Conflict for a name that is
    taken.
    """
    names.check(name, reserved_allowed=admin and name == "admin")
    return _add(db, "user", name, fullname=fullname, email=_email(email), password=password, admin=admin)


def add_org(
    db: Connection, name: str, *, fullname: str = "", members: Mapping[str, Role] | None = None
) -> AccountRecord:
    """Make an organisation with members (user name to role).

    Raise as `add_user` does, and NotFound for a member that is no user.
    """
    names.check(name)
    users = {get_user(db, member).id: role for member, role in (members or {}).items()}
    org = _add(db, "org", name, fullname=fullname)
    for user_id, role in users.items():
        db.execute(insert(Membership).values(org_id=org.id, user_id=user_id, role=role))
    return org


def remove_user(db: Connection, name: str) -> None:
    """Remove a user with its tokens and memberships.

    Raise Conflict when it owns repositories, or an organisation or the hub would be left without an admin.
    """
    user = get_user(db, name)
    owned = db.execute(select(func.count()).where(Repo.owner_id == user.id)).scalar_one()
    if owned:
        raise Conflict(f"`{user.name}` owns {owned} repositories. Move or delete them first.")
    admins = db.execute(select(func.count()).where(Account.admin)).scalar_one()
    if user.admin and admins == 1:
        raise Conflict(f"`{user.name}` is the last admin of this hub. Add another first.")
    for org in orgs_of(db, user.id):
        _refuse_last_admin(db, org.account, user)
    db.execute(delete(Account).where(Account.id == user.id))


def set_password(db: Connection, user_id: int, password: str) -> None:
    """Give a user a new password, which `passwords.digest` has hashed."""
    db.execute(update(Account).where(Account.id == user_id).values(password=password))


def password_of(db: Connection, name: str) -> tuple[AccountRecord | None, str | None]:
    """The user of this name and the hash of its password, each None when there is none."""
    row = db.execute(
        select(*_COLUMNS, Account.password).where(Account.name_key == name.lower(), Account.kind == "user")
    ).one_or_none()
    return (None, None) if row is None else (_record(row), row.password)


def members(db: Connection, org_id: int, *, after: str = "", limit: int = 1000) -> list[Member]:
    """Members of an organisation by name, those after `after`."""
    query = (
        select(*_COLUMNS, Membership.role)
        .join(Membership, Membership.user_id == Account.id)
        .where(Membership.org_id == org_id, Account.name_key > after.lower())
    )
    return _members(db, query.order_by(Account.name_key).limit(limit))


def orgs_of(db: Connection, user_id: int) -> list[Member]:
    """The organisations of a user, with its role in each."""
    query = (
        select(*_COLUMNS, Membership.role)
        .join(Membership, Membership.org_id == Account.id)
        .where(Membership.user_id == user_id)
    )
    return _members(db, query.order_by(Account.name_key))


def set_member(db: Connection, org: AccountRecord, user: AccountRecord, role: Role) -> None:
    """Make a user a member, or change its role; raise Conflict when no admin would be left."""
    if role != "admin":
        _refuse_last_admin(db, org, user)
    changed = db.execute(
        update(Membership).where(Membership.org_id == org.id, Membership.user_id == user.id).values(role=role)
    )
    if not changed.rowcount:
        db.execute(insert(Membership).values(org_id=org.id, user_id=user.id, role=role))


def remove_member(db: Connection, org: AccountRecord, user: AccountRecord) -> None:
    """Take a user out; raise NotFound when it is no member, Conflict when no admin would be left."""
    _refuse_last_admin(db, org, user)
    gone = db.execute(delete(Membership).where(Membership.org_id == org.id, Membership.user_id == user.id))
    if not gone.rowcount:
        raise NotFound(f"`{user.name}` is not a member of `{org.name}`.")


def count_members(db: Connection, org_id: int) -> int:
    """How many members an organisation has."""
    return db.execute(select(func.count()).where(Membership.org_id == org_id)).scalar_one()


def count_repos(db: Connection, owner_id: int, *, private: bool) -> dict[str, int]:
    """How many repositories of each kind lie in a namespace; private ones only if the asker may see them."""
    query = select(Repo.kind, func.count().label("n")).where(Repo.owner_id == owner_id).group_by(Repo.kind)
    rows = db.execute(query if private else query.where(~Repo.private))
    return {row.kind: row.n for row in rows}


def role(value: str) -> Role:
    """Read a role; raise BadRequest."""
    for known in ROLES:
        if value == known:
            return known
    raise BadRequest(
        f"`{_shown(value)}` is no role. Choose one of {', '.join(f'`{known}`' for known in ROLES)}."
    )


def _add(
    db: Connection,
    kind: AccountKind,
    name: str,
    *,
    fullname: str,
    email: str | None = None,
    password: str | None = None,
    admin: bool = False,
) -> AccountRecord:
    if len(fullname) > 256 or _CONTROL.search(fullname):
        raise BadRequest(
            f"The full name `{_shown(fullname)}` is longer than 256 characters, or has control characters."
        )
    values = {"kind": kind, "name": name, "fullname": fullname or name, "email": email, "admin": admin}
    moment = now()
    try:
        row = db.execute(
            insert(Account)
            .values(**values, name_key=name.lower(), password=password, created_at=moment)
            .returning(Account.id)
        )
    except IntegrityError:
        raise Conflict(
            f"The name `{name}` is taken: users and organisations share their names, and upper and lower "
            "case are the same. Choose another."
        ) from None
    return AccountRecord(row.scalar_one(), kind, name, fullname or name, email, admin, moment)


def _refuse_last_admin(db: Connection, org: AccountRecord, user: AccountRecord) -> None:
    # Two admins who leave at once must not both see the other: they queue on the organisation's row.
    db.execute(select(Account.id).where(Account.id == org.id).with_for_update())
    admins = select(Membership.user_id).where(Membership.org_id == org.id, Membership.role == "admin")
    if db.execute(admins.limit(2)).scalars().all() == [user.id]:
        raise Conflict(f"`{user.name}` is the last admin of `{org.name}`. Make another member admin first.")


def _email(value: str | None) -> str | None:
    if value is None or (
        len(value) <= 320 and re.fullmatch(r"[^\s@\x00-\x1f\x7f]+@[^\s@\x00-\x1f\x7f]+", value)
    ):
        return value
    raise BadRequest(f"`{_shown(value)}` is no e-mail address.")


def _members(db: Connection, query: Select[*tuple[Any, ...]]) -> list[Member]:
    return [Member(_record(row), role(row.role)) for row in db.execute(query)]


def _record(row: Row[*tuple[Any, ...]]) -> AccountRecord:
    return AccountRecord(
        id=row.id,
        kind="org" if row.kind == "org" else "user",
        name=row.name,
        fullname=row.fullname,
        email=row.email,
        admin=row.admin,
        created_at=row.created_at,
    )


def _shown(value: str) -> str:
    """A value of a stranger as it may stand in a message or a log line."""
    return ascii(value[:80])[1:-1]
