"""Repositories: who may see and change them, creating, renaming, deleting, and what their cards say.

names <- service -> tags, cards        listing, facts (routes) read what is written here
"""

from collections.abc import Mapping
from typing import Literal

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from hub.auth import service as auth
from hub.auth.service import Actor
from hub.db import now
from hub.errors import Conflict, Forbidden, RepoNotFound
from hub.repos import cards, names, tags
from hub.tables import Account, Redirect, Repo, RepoTag

Kind = Literal["model", "dataset"]
Need = Literal["read", "write", "admin"]


class RepoRecord(msgspec.Struct, frozen=True):
    """A repository that the asker may see."""

    id: int
    kind: Kind
    owner_id: int
    namespace: str
    name: str
    private: bool
    created_by: int | None

    @property
    def path(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def url_path(self) -> str:
        """The path of its pages: `/ns/name`, with `/datasets` before it for a data set."""
        return f"/datasets/{self.path}" if self.kind == "dataset" else f"/{self.path}"


_RECORD = select(
    Repo.id,
    Repo.kind,
    Repo.owner_id,
    Account.name.label("namespace"),
    Repo.name,
    Repo.private,
    Repo.created_by,
).join(Account, Account.id == Repo.owner_id)
# Built once: making a statement takes SQLAlchemy longer than running it takes SQLite.
_BY_NAME = _RECORD.where(
    Repo.kind == bindparam("kind"),
    Account.name_key == bindparam("namespace_key"),
    Repo.name_key == bindparam("name_key"),
)
_BY_FORMER_NAME = _RECORD.join(Redirect, Redirect.repo_id == Repo.id).where(
    Redirect.kind == bindparam("kind"), Redirect.path_key == bindparam("path_key")
)


def get(
    db: Connection, actor: Actor | None, kind: Kind, namespace: str, name: str, *, need: Need = "read"
) -> RepoRecord:
    """Return the repository under its present or a former name.

    Raise RepoNotFound when there is none or the actor may not see it, Unauthorized or Forbidden when it may
    be seen but not changed.
    """
    repo = _find(db, kind, namespace, name)
    role = None if repo is None else auth.role_in(db, actor, repo.owner_id)
    if repo is None or (repo.private and role is None):
        raise RepoNotFound(
            f"There is no {kind} `{namespace}/{name}`, or you may not see it. Check the name and your token."
        )
    if need == "read":
        return repo
    actor = auth.writer(actor)
    own = repo.created_by == actor.id and role in ("contributor", "write")
    if role == "admin" or own or (need == "write" and role == "write"):
        return repo
    raise Forbidden(
        f"`{actor.name}` may not {'change' if need == 'write' else 'administer'} `{repo.path}`: "
        f"its role in `{repo.namespace}` is `{role or 'none'}`. Ask an admin of `{repo.namespace}`."
    )


def create(
    db: Connection,
    actor: Actor | None,
    kind: Kind,
    namespace: str | None,
    name: str,
    *,
    private: bool = False,
    endpoint: str = "",
) -> RepoRecord:
    """Make an empty repository in a namespace (None: the actor's own); the caller makes its first commit.

    Raise Conflict with its `url` (below `endpoint`) when it exists, Forbidden when the actor may not create
    in the namespace, which is also the answer for a namespace that does not exist.
    """
    actor = auth.writer(actor)
    names.check(name)
    owner_id, namespace = _namespace(db, actor, kind, namespace or actor.name)
    existing = _at(db, kind, namespace, name)
    if existing is not None:
        raise _taken(existing, endpoint)
    moment = now()
    try:
        row = db.execute(
            insert(Repo).values(
                kind=kind,
                owner_id=owner_id,
                name=name,
                name_key=name.lower(),
                private=private,
                created_by=actor.id,
                created_at=moment,
                updated_at=moment,
                downloads=0,
                likes=0,
            )
        )
    except IntegrityError:
        # Two requests at once; the other was first.
        raise _taken(RepoRecord(0, kind, owner_id, namespace, name, private, None), endpoint) from None
    db.execute(
        delete(Redirect).where(Redirect.kind == kind, Redirect.path_key == f"{namespace}/{name}".lower())
    )
    key = row.inserted_primary_key
    assert key is not None  # noqa: S101 - one row was inserted
    return RepoRecord(int(key[0]), kind, owner_id, namespace, name, private, actor.id)


def move(
    db: Connection, actor: Actor | None, repo: RepoRecord, namespace: str, name: str, *, endpoint: str = ""
) -> RepoRecord:
    """Rename a repository that the actor administers; its old name goes on leading to it.

    Into another namespace it takes the right to administer that one too. Raise Conflict when it is taken.
    """
    actor = auth.writer(actor)
    names.check(name)
    owner_id, namespace = _namespace(db, actor, repo.kind, namespace)
    if owner_id != repo.owner_id and not (
        auth.role_in(db, actor, owner_id) == "admin" and auth.role_in(db, actor, repo.owner_id) == "admin"
    ):
        raise Forbidden(
            f"`{actor.name}` must be an admin of both `{repo.namespace}` and `{namespace}` "
            f"to move `{repo.path}`."
        )
    existing = _at(db, repo.kind, namespace, name)
    if existing is not None and existing.id != repo.id:
        raise _taken(existing, endpoint)
    moved = msgspec.structs.replace(repo, owner_id=owner_id, namespace=namespace, name=name)
    old_key, new_key = repo.path.lower(), moved.path.lower()
    db.execute(delete(Redirect).where(Redirect.kind == repo.kind, Redirect.path_key.in_((old_key, new_key))))
    if old_key != new_key:
        db.execute(insert(Redirect).values(kind=repo.kind, path_key=old_key, repo_id=repo.id))
    try:
        db.execute(
            update(Repo)
            .where(Repo.id == repo.id)
            .values(owner_id=owner_id, name=name, name_key=name.lower(), updated_at=now())
        )
    except IntegrityError:
        raise _taken(moved, endpoint) from None
    return moved


def remove(db: Connection, repo: RepoRecord) -> None:
    """Delete a repository with its history; the foreign keys take every row that is only its own.

    The contents that it pointed to stay: others may point to the same bytes.
    """
    db.execute(delete(Repo).where(Repo.id == repo.id))


def set_private(db: Connection, repo_id: int, *, private: bool) -> None:
    """Hide a repository from those who have no role in its namespace, or show it to all."""
    db.execute(update(Repo).where(Repo.id == repo_id).values(private=private))


def index(db: Connection, repo_id: int, *, card: bytes | None, manifest: bytes | None) -> None:
    """Keep what README.md and config.json of the main branch say, for lists and filters.

    Either is None when it is absent or too large. Never raises for a stranger's bad YAML or JSON: what cannot
    be read says nothing.
    """
    try:
        said = cards.metadata(card) if card is not None else {}
    except cards.CardError:
        said = {}
    config = tags.manifest(manifest) if manifest is not None else None
    db.execute(
        update(Repo)
        .where(Repo.id == repo_id)
        .values(
            pipeline_tag=tags.word(said.get("pipeline_tag")),
            library_name=tags.word(said.get("library_name")),
            card=_json(said),
            manifest=_json(config),
        )
    )
    db.execute(delete(RepoTag).where(RepoTag.repo_id == repo_id))
    found = tags.collect(said, config or {})
    if found:
        db.execute(insert(RepoTag), [{"repo_id": repo_id, "tag": tag} for tag in found])


def _json(value: dict[str, object] | None) -> str | None:
    """JSON for a column; None for what JSON cannot hold (half a surrogate, a number of 1000 digits)."""
    try:
        return None if value is None else msgspec.json.encode(value).decode()
    except (ValueError, OverflowError):
        return None


def touch(db: Connection, repo_id: int) -> None:
    """Record that the repository has just changed."""
    db.execute(update(Repo).where(Repo.id == repo_id).values(updated_at=now()))


def count_downloads(db: Connection, counts: Mapping[int, int]) -> None:
    """Add to the downloads of repositories, {id: how many}; those that are gone meanwhile are left out."""
    for repo_id, count in counts.items():
        db.execute(update(Repo).where(Repo.id == repo_id).values(downloads=Repo.downloads + count))


def _namespace(db: Connection, actor: Actor, kind: Kind, namespace: str) -> tuple[int, str]:
    """The id and proper spelling of a namespace in which the actor may create."""
    row = db.execute(
        select(Account.id, Account.name).where(Account.name_key == namespace.lower())
    ).one_or_none()
    if row is None or auth.role_in(db, actor, row.id) not in {"admin", "write", "contributor"}:
        raise Forbidden(
            f"`{actor.name}` may not create a {kind} in the namespace `{names.shown(namespace)}`. "
            "Use your own name, or ask an admin of the organisation for the role `contributor`."
        )
    return row.id, row.name


def _taken(repo: RepoRecord, endpoint: str) -> Conflict:
    return Conflict(
        f"A {repo.kind} repository called {repo.path} already exists",
        extra={"url": f"{endpoint}{repo.url_path}"},
    )


def _at(db: Connection, kind: Kind, namespace: str, name: str) -> RepoRecord | None:
    """The repository that has this name now."""
    keys = {"kind": kind, "namespace_key": namespace.lower(), "name_key": name.lower()}
    row = db.execute(_BY_NAME, keys).one_or_none()
    return None if row is None else RepoRecord(*row)


def _find(db: Connection, kind: Kind, namespace: str, name: str) -> RepoRecord | None:
    """The repository that has this name now, else the one that had it before."""
    repo = _at(db, kind, namespace, name)
    if repo is not None:
        return repo
    keys = {"kind": kind, "path_key": f"{namespace}/{name}".lower()}
    row = db.execute(_BY_FORMER_NAME, keys).one_or_none()
    return None if row is None else RepoRecord(*row)
