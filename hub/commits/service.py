"""Committing: a change, the head it applies to, and the branch that moves.

Reading stands in `revisions` and `history`; their functions are offered here too, as `commits.resolve`.
"""

from collections.abc import Collection

from sqlalchemy import Connection, select, update

from hub import contents
from hub.auth.service import Actor
from hub.blobs import Blobs, Staging
from hub.commits import attributes, objects, paths, trees
from hub.commits.drafts import Draft
from hub.commits.history import last_commits
from hub.commits.objects import Item
from hub.commits.records import (
    MAIN,
    Change,
    CommitRecord,
    Copy,
    Delete,
    Entry,
    Operation,
    Put,
    PutLarge,
)
from hub.commits.revisions import (
    batches,
    branch_ref,
    entries,
    find_entries,
    find_entry,
    get,
    head,
    read,
    read_content,
    resolve,
)
from hub.db import insert_all, insert_new, now
from hub.errors import BranchMoved, Conflict, EntryNotFound, Invalid
from hub.repos import service as repos
from hub.repos.service import RepoRecord
from hub.tables import Blob, Commit, Content, Ref, Tree, Upload

__all__ = [
    "Change",
    "CommitRecord",
    "Entry",
    "commit",
    "entries",
    "find_entries",
    "find_entry",
    "get",
    "last_commits",
    "read",
    "read_content",
    "resolve",
    "start",
]

# A commit without a parent is applied again when another came first. Each round somebody else has won.
_ROUNDS = 200
_INDEXED = {"README.md": "card", "config.json": "manifest"}


def start(db: Connection, blobs: Blobs, staging: Staging, repo: RepoRecord, actor: Actor) -> CommitRecord:
    """Give a new repository its first commit, which holds the usual .gitattributes, and its main branch."""
    record = first_commit(db, blobs, staging, repo, actor)
    create_ref(db, repo.id, MAIN, record.id)
    return record


def first_commit(
    db: Connection, blobs: Blobs, staging: Staging, repo: RepoRecord, actor: Actor
) -> CommitRecord:
    """Write the commit from which a new or an emptied branch begins."""
    data = attributes.INITIAL
    with staging.file() as (path, file):
        file.write(data)
        contents.keep(db, blobs, path, attributes.INITIAL_SHA256, len(data))
    identity = objects.object_id(b"blob", data)
    put = Put(".gitattributes", identity, len(data), attributes.INITIAL_SHA256)
    draft = Draft(db, repo.id, None)
    draft.put(put.path, Item(folder=False, id=identity))
    _write_blobs(db, repo.id, [put], {})
    return write_commit(db, repo.id, actor, draft, parent=None, title="initial commit", description="")


def create_ref(db: Connection, repo_id: int, name: str, target: bytes) -> None:
    """Point a new ref to a commit.

    Raise Conflict when it exists, or when git could not keep it beside another (`a` and `a/b`).
    """
    folders = [name[:at] for at in range(len("refs/heads/"), len(name)) if name[at] == "/"]
    found = db.execute(
        select(Ref.name).where(
            Ref.repo_id == repo_id,
            Ref.name.in_([name, *folders]) | Ref.name.startswith(f"{name}/", autoescape=True),
        )
    ).scalars()
    # SQLite's LIKE takes `A/` for `a/`.
    beside = sorted(other for other in found if other in folders or other.startswith(f"{name}/"))
    if beside:
        raise Conflict(f"Reference {name} cannot be created: git cannot keep it beside `{beside[0]}`.")
    if not insert_new(db, Ref, repo_id=repo_id, name=name, target=target, created_at=now()):
        raise Conflict(f"Reference {name} already exists")


def move_ref(db: Connection, repo_id: int, name: str, old: bytes, new: bytes) -> bool:
    """Point a ref from one commit to another; False when another request moved it first."""
    moved = db.execute(
        update(Ref).where(Ref.repo_id == repo_id, Ref.name == name, Ref.target == old).values(target=new)
    )
    return moved.rowcount == 1


def commit(
    db: Connection, blobs: Blobs, repo: RepoRecord, actor: Actor, branch: str, change: Change
) -> CommitRecord:
    """Apply a change to a branch and move it; all of it or, with an error, nothing.

    The bytes of every `Put` must lie in the store. Raise BranchMoved when `change.parent` is not the branch's
    head; without one, the change is applied to whatever the head is.
    """
    ref = branch_ref(branch)
    for _ in range(_ROUNDS):
        base = head(db, repo.id, branch)
        draft, puts, pointers = apply(db, repo.id, branch, base, change)
        _write_blobs(db, repo.id, puts, pointers)
        record = write_commit(
            db, repo.id, actor, draft, parent=base, title=change.title, description=change.description
        )
        if move_ref(db, repo.id, ref, base.id, record.id):
            if ref == MAIN:
                index(db, blobs, repo.id, base.tree, record.tree)
                repos.touch(db, repo.id)
            return record
    raise Conflict(f"`{branch}` moved {_ROUNDS} times while this commit was written. Try again.")


def apply(
    db: Connection, repo_id: int, branch: str, base: CommitRecord, change: Change
) -> tuple[Draft, list[Put], dict[bytes, tuple[bytes, int]]]:
    """Draft a change on a commit: the tree, the regular files, the pointers as {blob id: (sha256, size)}."""
    if change.parent is not None and change.parent != base.id.hex():
        raise BranchMoved(
            "The branch was updated since you opened this page. Please refresh and try again. "
            f"`{paths.shown(branch)}` is now at `{base.id.hex()}`."
        )
    sizes = _pointable(db, repo_id, change.operations)
    draft = Draft(db, repo_id, base.tree)
    pointers: dict[bytes, tuple[bytes, int]] = {}
    puts: list[Put] = []
    for operation in change.operations:
        match operation:
            case Put(path, identity):
                puts.append(operation)
                draft.put(path, Item(folder=False, id=identity))
            case PutLarge(path, sha256):
                size = _checked_size(operation, sizes.get(sha256))
                identity = objects.object_id(b"blob", objects.pointer(sha256, size))
                pointers[identity] = (sha256, size)
                draft.put(path, Item(folder=False, id=identity))
            case Delete(path, folder):
                draft.delete(path, folder=folder)
            case Copy(path):
                draft.put(path, _copied(db, repo_id, base, operation))
    return draft, puts, pointers


def _checked_size(operation: PutLarge, size: int | None) -> int:
    oid = operation.sha256.hex()
    if size is None:
        raise Invalid(
            f"`{operation.path}` points to `{oid}`, which was never uploaded to this repository. "
            "Upload it first (Xet or Git LFS), then commit."
        )
    if operation.size is not None and operation.size != size:
        raise Invalid(
            f"`{operation.path}` points to `{oid}` with {operation.size} bytes, but it has {size}. "
            "Send the size of the uploaded file."
        )
    return size


def _pointable(db: Connection, repo_id: int, operations: Collection[Operation]) -> dict[bytes, int]:
    """{sha256: size} of those large files that were sent to the repository, or stand in its history."""
    wanted = {operation.sha256 for operation in operations if isinstance(operation, PutLarge)}
    found: dict[bytes, int] = {}
    for batch in batches(wanted):
        sizes = select(Content.sha256, Content.size).where(Content.sha256.in_(batch))
        sent = sizes.join(Upload, Upload.sha256 == Content.sha256).where(Upload.repo_id == repo_id)
        here = sizes.join(Blob, Blob.sha256 == Content.sha256).where(Blob.repo_id == repo_id)
        for row in (*db.execute(sent), *db.execute(here)):
            found[row.sha256] = row.size
    return found


def _copied(db: Connection, repo_id: int, base: CommitRecord, copy: Copy) -> Item:
    tree = base.tree if copy.revision is None else resolve(db, repo_id, copy.revision).tree
    item = trees.find(db, repo_id, tree, copy.source)
    if item is None:
        raise EntryNotFound(f"`{paths.shown(copy.source)}` cannot be copied: there is no such file.")
    if item.folder:
        raise Invalid(f"`{paths.shown(copy.source)}` is a folder. Copy its files one by one.")
    return item


def _write_blobs(
    db: Connection, repo_id: int, puts: Collection[Put], pointers: dict[bytes, tuple[bytes, int]]
) -> None:
    moment = now()
    insert_all(
        db,
        Content,
        [
            {"sha256": put.sha256, "size": put.size, "whole": True, "xet_file": None, "created_at": moment}
            for put in puts
        ],
    )
    regular = [
        {"repo_id": repo_id, "id": put.id, "size": put.size, "sha256": put.sha256, "large_size": None}
        for put in puts
    ]
    large = [
        {
            "repo_id": repo_id,
            "id": identity,
            "size": len(objects.pointer(sha256, size)),
            "sha256": sha256,
            "large_size": size,
        }
        for identity, (sha256, size) in pointers.items()
    ]
    insert_all(db, Blob, [*regular, *large])


def write_commit(
    db: Connection,
    repo_id: int,
    actor: Actor,
    draft: Draft,
    *,
    parent: CommitRecord | None,
    title: str,
    description: str,
) -> CommitRecord:
    """Write a draft's trees and a commit of it that nothing points to yet."""
    tree, written = draft.write()
    insert_all(
        db,
        Tree,
        [{"repo_id": repo_id, "id": identity, "data": data} for identity, data in written.items()],
    )
    # Git keeps whole seconds; what the API says of a commit must be what its object says.
    moment = now().replace(microsecond=0)
    parent_id = None if parent is None else parent.id
    data = objects.encode_commit(
        tree=tree, parent=parent_id, author=actor.name, moment=moment, title=title, description=description
    )
    record = CommitRecord(
        objects.object_id(b"commit", data),
        parent_id,
        tree,
        0 if parent is None else parent.depth + 1,
        actor.name,
        title,
        description,
        moment,
    )
    row = {field: getattr(record, field) for field in CommitRecord.__struct_fields__}
    insert_all(db, Commit, [{"repo_id": repo_id, "author_id": actor.id, "data": data, **row}])
    return record


def index(db: Connection, blobs: Blobs, repo_id: int, old: bytes, new: bytes) -> None:
    """Read the card and the manifest again if either differs between two trees of the main branch."""
    if all(trees.find(db, repo_id, old, path) == trees.find(db, repo_id, new, path) for path in _INDEXED):
        return
    found = {field: read(db, blobs, repo_id, new, path) for path, field in _INDEXED.items()}
    repos.index(db, repo_id, card=found["card"], manifest=found["manifest"])


def unseen(db: Connection, puts: Collection[Put]) -> set[bytes]:
    """Return the SHA-256s of those files whose bytes the hub does not hold yet."""
    wanted = {put.sha256 for put in puts}
    for batch in batches(set(wanted)):
        wanted.difference_update(
            db.execute(select(Content.sha256).where(Content.sha256.in_(batch))).scalars()
        )
    return wanted
