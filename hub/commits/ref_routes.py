"""The routes of branches and tags."""

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody

from hub.auth import service as auth
from hub.call import Call
from hub.commits import refs, revisions
from hub.commits.schemas import NewBranch, NewTag, RefItem, Refs, Squash


class RefController(Controller):
    """Branches and tags."""

    path = "/{namespace:str}/{name:str}"
    tags = ("History",)

    @get("/refs", sync_to_thread=True)
    def refs(
        self,
        *,
        call: NamedDependency[Call],
        include_prs: FromQuery[bool] = False,
    ) -> Refs:
        """List branches and tags with the commits that they point to."""
        with call.reading() as db:
            found = refs.every(db, call.repo(db).id)
        return Refs(
            branches=_items(found, "refs/heads/"),
            converts=[],
            tags=_items(found, "refs/tags/"),
            pull_requests=[] if include_prs else None,
        )

    @post("/branch/{revision:str}", status_code=200, sync_to_thread=True)
    def create_branch(
        self,
        call: NamedDependency[Call],
        data: JSONBody[NewBranch],
    ) -> dict[str, bool]:
        """Create a branch from main's head, or from `startingPoint`; 409 when it exists."""
        with call.writing() as db:
            repo = call.repo(db, need="write")
            actor = auth.writer(call.actor(db))
            refs.create_branch(db, call.blobs, call.staging, repo, actor, call.revision, data)
        return {"success": True}

    @delete("/branch/{revision:str}", status_code=200, sync_to_thread=True)
    def delete_branch(
        self,
        call: NamedDependency[Call],
    ) -> dict[str, bool]:
        """Delete a branch; main cannot be deleted."""
        with call.writing() as db:
            refs.delete_branch(db, call.repo(db, need="write").id, call.revision)
        return {"success": True}

    @post("/tag/{revision:str}", status_code=200, sync_to_thread=True)
    def create_tag(
        self,
        call: NamedDependency[Call],
        data: JSONBody[NewTag],
    ) -> dict[str, bool]:
        """Tag a revision; 409 when the tag exists. Tags are lightweight: a message is not kept."""
        with call.writing() as db:
            refs.create_tag(db, call.repo(db, need="write").id, data.tag, call.revision)
        return {"success": True}

    @delete("/tag/{revision:str}", status_code=200, sync_to_thread=True)
    def delete_tag(
        self,
        call: NamedDependency[Call],
    ) -> dict[str, bool]:
        """Delete a tag; the path names it where others name a revision."""
        with call.writing() as db:
            refs.delete_tag(db, call.repo(db, need="write").id, call.revision)
        return {"success": True}

    @post("/super-squash/{revision:str}", status_code=200, sync_to_thread=True)
    def squash(
        self,
        call: NamedDependency[Call],
        data: JSONBody[Squash],
    ) -> RefItem:
        """Replace the history of a branch by one commit with the same files. This cannot be undone."""
        with call.writing() as db:
            repo = call.repo(db, need="write")
            actor = auth.writer(call.actor(db))
            record = refs.squash(db, call.blobs, repo, actor, call.revision, data.message)
        ref = revisions.branch_ref(call.revision)
        return RefItem(ref.removeprefix("refs/heads/"), ref, record.id.hex())


def _items(found: list[tuple[str, bytes]], prefix: str) -> list[RefItem]:
    return [
        RefItem(ref.removeprefix(prefix), ref, target.hex())
        for ref, target in found
        if ref.startswith(prefix)
    ]
