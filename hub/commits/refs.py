"""Branches and tags."""

from sqlalchemy import Connection, delete, select

from hub.auth.service import Actor
from hub.blobs import Blobs, Staging
from hub.commits import paths, revisions
from hub.commits import service as commits
from hub.commits.records import MAIN, CommitRecord
from hub.commits.schemas import NewBranch
from hub.errors import BadRequest, BranchMoved, RevisionNotFound
from hub.repos import service as repos
from hub.repos.service import RepoRecord
from hub.tables import Ref


def every(db: Connection, repo_id: int) -> list[tuple[str, bytes]]:
    """Return (full name, commit id) of every branch and tag, main first, then by name."""
    rows = db.execute(select(Ref.name, Ref.target).where(Ref.repo_id == repo_id)).all()
    return sorted(((row.name, row.target) for row in rows), key=lambda ref: (ref[0] != MAIN, ref[0]))


def create_branch(
    db: Connection,
    blobs: Blobs,
    staging: Staging,
    repo: RepoRecord,
    actor: Actor,
    name: str,
    asked: NewBranch,
) -> None:
    """Create a branch at a revision (None: main's head), or an empty one.

    Raise Conflict when it exists and may not be overwritten, RevisionNotFound for an unknown starting point.
    """
    ref = paths.check_ref(name.removeprefix("refs/heads/"), "branch")
    old = db.execute(select(Ref.target).where(Ref.repo_id == repo.id, Ref.name == ref)).scalar()
    if asked.empty_branch:
        start = commits.first_commit(db, blobs, staging, repo, actor)
    else:
        start = revisions.resolve(db, repo.id, asked.starting_point or MAIN)
    if old is None or not asked.overwrite:
        commits.create_ref(db, repo.id, ref, start.id)
    else:
        move(db, blobs, repo.id, ref, revisions.get(db, repo.id, old), start)


def move(db: Connection, blobs: Blobs, repo_id: int, ref: str, old: CommitRecord, new: CommitRecord) -> None:
    """Point a branch elsewhere; raise BranchMoved when a commit came in between."""
    if not commits.move_ref(db, repo_id, ref, old.id, new.id):
        raise BranchMoved(f"`{ref}` was updated while you asked. Look at its new commits, then try again.")
    if ref == MAIN:
        commits.index(db, blobs, repo_id, old.tree, new.tree)
        repos.touch(db, repo_id)


def delete_branch(db: Connection, repo_id: int, name: str) -> None:
    """Remove a branch; its commits stay reachable by their ids. Main cannot be removed."""
    ref = revisions.branch_ref(name)
    if ref == MAIN:
        raise BadRequest("Cannot delete refs/heads/main")
    _delete(db, repo_id, ref if ref.startswith("refs/heads/") else f"refs/heads/{ref}", name)


def create_tag(db: Connection, repo_id: int, name: str, revision: str) -> None:
    """Create a tag at a revision."""
    target = revisions.resolve(db, repo_id, revision)
    commits.create_ref(db, repo_id, paths.check_ref(name.removeprefix("refs/tags/"), "tag"), target.id)


def delete_tag(db: Connection, repo_id: int, name: str) -> None:
    """Remove a tag."""
    _delete(db, repo_id, f"refs/tags/{name.removeprefix('refs/tags/')}", name)


def _delete(db: Connection, repo_id: int, ref: str, name: str) -> None:
    if db.execute(delete(Ref).where(Ref.repo_id == repo_id, Ref.name == ref)).rowcount == 0:
        raise RevisionNotFound(f"Invalid rev id: `{paths.shown(name)}`. There is no `{paths.shown(ref)}`.")


def squash(
    db: Connection, blobs: Blobs, repo: RepoRecord, actor: Actor, branch: str, message: str
) -> CommitRecord:
    """Replace the history of a branch by one commit with its present files."""
    old = revisions.head(db, repo.id, branch)
    title, _, description = (message.replace("\0", "").strip() or f"Squash {branch}").partition("\n")
    new = commits.write_commit(
        db,
        repo.id,
        actor,
        commits.Draft(db, repo.id, old.tree),
        parent=None,
        title=title.strip()[:1000],
        description=description.strip()[:65536],
    )
    move(db, blobs, repo.id, revisions.branch_ref(branch), old, new)
    return new
