"""Repositories: names, rights, settings, listings."""

from typing import Literal

import msgspec
from sqlalchemy import Connection, select

from hub.auth import service as auth
from hub.auth.service import Actor
from hub.errors import Forbidden, RepoNotFound
from hub.tables import Account, Redirect, Repo

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


def _find(db: Connection, kind: Kind, namespace: str, name: str) -> RepoRecord | None:
    columns = select(
        Repo.id, Repo.owner_id, Account.name.label("namespace"), Repo.name, Repo.private, Repo.created_by
    ).join(Account, Account.id == Repo.owner_id)
    row = db.execute(
        columns.where(Repo.kind == kind, Account.name_key == namespace.lower(), Repo.name_key == name.lower())
    ).one_or_none()
    if row is None:
        key = f"{namespace}/{name}".lower()
        row = db.execute(
            columns.join(Redirect, Redirect.repo_id == Repo.id).where(
                Redirect.kind == kind, Redirect.path_key == key
            )
        ).one_or_none()
    return (
        None
        if row is None
        else RepoRecord(row.id, kind, row.owner_id, row.namespace, row.name, row.private, row.created_by)
    )
