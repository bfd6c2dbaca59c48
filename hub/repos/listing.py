"""Lists of repositories: filters, orders and pages, over those that the asker may see.

Pages go by key, (value of the order, id) of the last repository shown, never by offset: what is created or
deleted between two pages neither repeats nor hides another.
"""

from datetime import datetime
from typing import Annotated, Any, cast

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, exists, false, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute

from hub import wire
from hub.auth.service import Actor
from hub.db import Instant
from hub.errors import BadRequest
from hub.repos import facts
from hub.repos.facts import RepoRow
from hub.repos.service import Kind
from hub.tables import Account, Membership, Repo, RepoTag

MOST = 1000
# With cards, manifests or files a repository takes up to half a megabyte of memory.
MOST_HEAVY = 100
MOST_FILTERS = 32
_LONGEST_SEARCH = 200
_ORDERS: dict[str, InstrumentedAttribute[Any]] = {
    "lastModified": Repo.updated_at,
    "createdAt": Repo.created_at,
    "downloads": Repo.downloads,
    # The hub keeps no downloads of the last days.
    "trendingScore": Repo.downloads,
    "likes": Repo.likes,
    "likes30d": Repo.likes,
}


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is asked for; all conditions hold at once."""

    kind: Kind
    author: str | None = None
    search: str | None = None
    filters: tuple[str, ...] = ()
    pipeline_tag: str | None = None
    nothing: bool = False
    sort: str = "lastModified"
    ascending: bool = False
    limit: int = MOST
    heavy: bool = False
    cursor: str | None = None


_Stored = Annotated[int, msgspec.Meta(ge=-(1 << 62), le=1 << 62)]


class _Place(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    value: _Stored
    id: _Stored


def page(db: Connection, actor: Actor | None, query: Query) -> tuple[list[RepoRow], str | None]:
    """Return one page and the cursor of the next, or None after the last."""
    if query.sort not in _ORDERS:
        raise BadRequest(f'"sort" must be one of [{", ".join(_ORDERS)}]')
    column = _ORDERS[query.sort]
    statement = facts.rows(heavy=query.heavy).where(
        Repo.kind == query.kind, visible(actor), *_conditions(query), *_beyond(column, query)
    )
    order = (column.asc(), Repo.id.asc()) if query.ascending else (column.desc(), Repo.id.desc())
    rows = [RepoRow(*row) for row in db.execute(statement.order_by(*order).limit(query.limit + 1))]
    if len(rows) <= query.limit:
        return rows, None
    last = rows[query.limit - 1]
    return rows[: query.limit], wire.cursor(_Place(_value(last, query.sort), last.id))


def visible(actor: Actor | None) -> ColumnElement[bool]:
    """Public repositories, and the private ones of namespaces in which the actor has a role."""
    if actor is None:
        return Repo.private.is_(False)
    if actor.admin:
        return true()
    mine = select(Membership.org_id).where(Membership.user_id == actor.id)
    return or_(Repo.private.is_(False), Repo.owner_id == actor.id, Repo.owner_id.in_(mine))


def tags(db: Connection, actor: Actor | None, kind: Kind) -> list[tuple[str, int]]:
    """The tags of visible repositories and how many carry each, the most frequent first."""
    count = func.count()
    query = (
        select(RepoTag.tag, count)
        .join(Repo, Repo.id == RepoTag.repo_id)
        .where(Repo.kind == kind, visible(actor))
        .group_by(RepoTag.tag)
        .order_by(count.desc(), RepoTag.tag)
        .limit(5000)
    )
    return [(tag, number) for tag, number in db.execute(query)]


def of_namespace(db: Connection, owner_id: int) -> list[RepoRow]:
    """Every repository of a namespace, for those who may see them all."""
    query = (
        facts.rows(heavy=False)
        .where(Repo.owner_id == owner_id)
        .order_by(Repo.updated_at.desc(), Repo.id.desc())
    )
    return [RepoRow(*row) for row in db.execute(query)]


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [false()] if query.nothing else []
    if query.author is not None:
        conditions.append(Account.name_key == query.author.lower())
    if query.pipeline_tag is not None:
        conditions.append(Repo.pipeline_tag == query.pipeline_tag)
    if len(query.filters) > MOST_FILTERS:
        raise BadRequest(f"{len(query.filters)} filters were given; at most {MOST_FILTERS} are read.")
    for tag in query.filters:
        carried = select(RepoTag.repo_id).where(RepoTag.repo_id == Repo.id, RepoTag.tag == tag)
        conditions.append(exists(carried))
    if query.search:
        path = Account.name_key + "/" + Repo.name_key
        words = query.search[:_LONGEST_SEARCH].lower().split()
        conditions.extend(path.contains(word, autoescape=True) for word in words)
    return conditions


def _beyond(column: InstrumentedAttribute[Any], query: Query) -> list[ColumnElement[bool]]:
    """Only what comes after the cursor."""
    if query.cursor is None:
        return []
    place = wire.read_cursor(query.cursor, _Place)
    value = _parameter(column, place.value)
    if query.ascending:
        return [or_(column > value, and_(column == value, Repo.id > place.id))]
    return [or_(column < value, and_(column == value, Repo.id < place.id))]


def _parameter(column: InstrumentedAttribute[Any], value: int) -> Any:
    if not isinstance(column.type, Instant):
        return value
    try:
        return Instant().process_result_value(value, cast("Any", None))
    except (OverflowError, ValueError, OSError):
        raise BadRequest("This `cursor` is not one of ours. Start again without it.") from None


def _value(row: RepoRow, sort: str) -> int:
    match sort:
        case "createdAt":
            return _milliseconds(row.created_at)
        case "lastModified":
            return _milliseconds(row.updated_at)
        case "likes" | "likes30d":
            return row.likes
        case _:
            return row.downloads


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def limit_of(given: int | None, *, heavy: bool) -> int:
    """How many repositories one page holds."""
    most = MOST_HEAVY if heavy else MOST
    return most if given is None else max(1, min(given, most))
