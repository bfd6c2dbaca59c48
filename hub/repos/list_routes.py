"""The routes of lists: models, data sets, their tags, and what the caller stores."""

from collections.abc import Iterable
from typing import Literal

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy import Connection, select

from hub import wire
from hub.auth import service as auth
from hub.call import Call
from hub.commits import service as commits
from hub.errors import BadRequest, NotFound, Unsupported
from hub.repos import facts, listing
from hub.repos.facts import RepoRow
from hub.repos.schemas import RepoInfo, StoredRepo, Tag
from hub.repos.service import Kind
from hub.tables import Account
from hub.wire import stamp

_SHORT = frozenset({
    "author", "createdAt", "disabled", "downloads", "gated", "lastModified", "library_name", "likes",
    "pipeline_tag", "private", "tags", "trendingScore",
})  # fmt: skip
_FULL = _SHORT | {"sha", "siblings"}
# The hub has nothing of the kind, so no repository passes.
_NEVER = ("apps", "inference", "inference_provider", "benchmark")


class ListController(Controller):
    """All repositories of a kind."""

    path = "/"
    tags = ("Repositories",)

    @get("/", sync_to_thread=True)
    def every(
        self,
        *,
        call: NamedDependency[Call],
        search: FromQuery[str | None] = None,
        author: FromQuery[str | None] = None,
        filter: FromQuery[list[str] | None] = None,  # noqa: A002 - as clients spell it
        pipeline_tag: FromQuery[str | None] = None,
        gated: FromQuery[bool | None] = None,
        sort: FromQuery[str] = "lastModified",
        direction: FromQuery[Literal[-1, 1]] = -1,
        limit: FromQuery[int | None] = None,
        full: FromQuery[bool] = False,
        cardData: FromQuery[bool] = False,  # noqa: N803 - as clients spell it
        config: FromQuery[bool] = False,
        expand: FromQuery[list[str] | None] = None,
        cursor: FromQuery[str | None] = None,
    ) -> Response[list[RepoInfo]]:
        """List the repositories that the caller may see, one page at a time.

        `filter` may be repeated: a tag, a library, `license:mit`, `task:segmentation`, `modality:MR`; all
        must hold. `Link: <…>; rel="next"` leads to the next page.
        """
        parameters = call.request.query_params
        _check(parameters.multi_items())
        asked = [*(expand or []), *parameters.getall("expand[]", [])]
        properties = (
            facts.checked_properties(call.kind, asked)
            if asked
            else (_FULL if full else _SHORT) | _also(cardData=cardData, config=config)
        )
        heavy = facts.is_heavy(properties)
        query = listing.Query(
            kind=call.kind,
            author=author,
            search=search,
            filters=tuple(dict.fromkeys(tag for tag in filter or [] if tag)),
            pipeline_tag=pipeline_tag,
            nothing=bool(gated) or any(name in parameters for name in _NEVER),
            sort=sort,
            ascending=direction == 1,
            limit=listing.limit_of(limit, heavy=heavy),
            heavy=heavy,
            cursor=cursor,
        )
        with call.reading() as db:
            rows, place = listing.page(db, call.actor(db), query)
            told = _told(db, rows, properties)
        address = f"{call.endpoint}{call.request.scope['path']}"
        link = wire.next_link(address, parameters.multi_items(), place) if place is not None else {}
        return Response(told, headers=link)


class TagsController(Controller):
    """The tags that are in use."""

    path = "/api"
    tags = ("Repositories",)

    @get("/models-tags-by-type", sync_to_thread=True)
    def of_models(self, call: NamedDependency[Call]) -> dict[str, list[Tag]]:
        """Group the tags of the models that the caller may see by what stands before their colon."""
        return _tags(call, "model")

    @get("/datasets-tags-by-type", sync_to_thread=True)
    def of_datasets(self, call: NamedDependency[Call]) -> dict[str, list[Tag]]:
        """Group the tags of the data sets that the caller may see by what stands before their colon."""
        return _tags(call, "dataset")


class StorageController(Controller):
    """What a namespace stores."""

    path = "/api"
    tags = ("Repositories",)

    @get("/settings/repositories", sync_to_thread=True)
    def mine(self, call: NamedDependency[Call]) -> list[StoredRepo]:
        """List the caller's own repositories with the bytes that each holds."""
        with call.reading() as db:
            actor = auth.signed_in(call.actor(db))
            return _stored(db, actor.id)

    @get("/organizations/{name:str}/settings/repositories", sync_to_thread=True)
    def of_organization(self, call: NamedDependency[Call], name: FromPath[str]) -> list[StoredRepo]:
        """List the repositories of an organisation in which the caller has a role."""
        with call.reading() as db:
            actor = auth.signed_in(call.actor(db))
            owner = db.execute(select(Account.id).where(Account.name_key == name.lower())).scalar()
            if owner is None or auth.role_in(db, actor, owner) is None:
                raise NotFound(f"There is no organisation `{name[:96]}` of which `{actor.name}` is a member.")
            return _stored(db, owner)


def _check(parameters: Iterable[tuple[str, object]]) -> None:
    for key, value in parameters:
        if "\0" in str(value):
            raise BadRequest(f"`{key[:40]}` contains a control character. Leave it out.")
        if key == "num_parameters":
            raise Unsupported("`num_parameters` cannot be filtered by. Leave it out.")


def _also(**wanted: bool) -> set[str]:
    return {name for name, asked in wanted.items() if asked}


def _told(db: Connection, rows: list[RepoRow], properties: frozenset[str]) -> list[RepoInfo]:
    ids = [row.id for row in rows]
    tags = facts.tags_of(db, ids) if "tags" in properties else {}
    storage = facts.storage_of(db, ids) if "usedStorage" in properties else {}
    told: list[RepoInfo] = []
    for row in rows:
        item = facts.info(row, tags.get(row.id, []), properties)
        if row.id in storage:
            item.used_storage = storage[row.id]
        if "siblings" in properties and row.head is not None:
            item.siblings = facts.siblings(db, row.id, commits.get(db, row.id, row.head))
        told.append(item)
    return told


def _tags(call: Call, kind: Kind) -> dict[str, list[Tag]]:
    with call.reading() as db:
        found = listing.tags(db, call.actor(db), kind)
    groups: dict[str, list[Tag]] = {}
    for tag, _ in found:
        prefix, colon, label = tag.partition(":")
        group = prefix if colon else "other"
        groups.setdefault(group, []).append(Tag(tag, label if colon else tag, group))
    return groups


def _stored(db: Connection, owner_id: int) -> list[StoredRepo]:
    rows = listing.of_namespace(db, owner_id)
    storage = facts.storage_of(db, [row.id for row in rows])
    whole = sum(storage.values())
    return [
        StoredRepo(
            id=f"{row.namespace}/{row.name}",
            type=row.kind,
            updated_at=stamp(row.updated_at),
            visibility="private" if row.private else "public",
            storage=storage[row.id],
            storage_percent=100 * storage[row.id] / whole if whole else 0.0,
        )
        for row in rows
    ]
