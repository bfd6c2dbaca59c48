"""Revisions in; commits, folders and files out."""

import re
from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import Connection, Row, Select, and_, bindparam, select

from hub import contents
from hub.blobs import Blobs
from hub.commits import paths, trees
from hub.commits.objects import Item
from hub.commits.records import MAIN, CommitRecord, Entry
from hub.errors import BadRequest, EntryNotFound, RevisionNotFound, Unavailable
from hub.tables import Blob, Commit, Ref

# SQLite's oldest limit for the variables of one statement is 999.
_BATCH = 500
# What is read whole into memory: a card, a manifest, .gitattributes.
_READ_BYTES = 1024 * 1024
_PREFIX = re.compile(r"[0-9a-f]{7,40}")
_COMMITS = select(
    Commit.id,
    Commit.parent,
    Commit.tree,
    Commit.depth,
    Commit.author,
    Commit.title,
    Commit.message,
    Commit.created_at,
)
# Built once: making a statement takes SQLAlchemy longer than running it takes SQLite.
_COMMIT = _COMMITS.where(Commit.repo_id == bindparam("repo_id"), Commit.id == bindparam("id"))
_BLOBS = select(Blob.id, Blob.size, Blob.sha256, Blob.large_size).where(
    Blob.repo_id == bindparam("repo_id"), Blob.id.in_(bindparam("ids", expanding=True))
)
# The commits that refs point to, with the name of each.
_HEADS = (
    _COMMITS.add_columns(Ref.name)
    .join(Ref, and_(Ref.repo_id == Commit.repo_id, Ref.target == Commit.id))
    .where(Ref.repo_id == bindparam("repo_id"), Ref.name.in_([bindparam("first"), bindparam("last")]))
)


def resolve(db: Connection, repo_id: int, revision: str) -> CommitRecord:
    """Return the commit of a branch, a tag, a full ref, `HEAD`, an id or its unique start (7 digits).

    Raise RevisionNotFound for anything else.
    """
    revision = _asked(revision)
    names = (
        [revision]
        if revision.startswith("refs/")
        else [MAIN]
        if revision == "HEAD"
        else [f"refs/heads/{revision}", f"refs/tags/{revision}"]
    )
    rows = db.execute(_HEADS, {"repo_id": repo_id, "first": names[0], "last": names[-1]})
    heads = {name: CommitRecord(*commit) for *commit, name in rows}
    for name in names:
        if name in heads:
            return heads[name]
    if _PREFIX.fullmatch(revision):
        low = bytes.fromhex(revision.ljust(40, "0"))
        high = bytes.fromhex(revision.ljust(40, "f"))
        found = db.execute(select_commits(repo_id).where(Commit.id >= low, Commit.id <= high).limit(2)).all()
        if len(found) == 1:
            return commit_record(found[0])
    raise RevisionNotFound(
        f"Invalid rev id: `{paths.shown(revision)}` is no branch, tag or commit of this repository."
    )


def get(db: Connection, repo_id: int, commit: bytes) -> CommitRecord:
    """Return a commit by its whole id; raise RevisionNotFound when the repository has none such."""
    row = db.execute(_COMMIT, {"repo_id": repo_id, "id": commit}).one_or_none()
    if row is None:
        raise RevisionNotFound(f"Invalid rev id: this repository has no commit `{commit.hex()}`.")
    return commit_record(row)


def find_entry(db: Connection, repo_id: int, tree: bytes, path: str) -> Entry | None:
    """Return the file or folder at a path of a tree."""
    item = trees.find(db, repo_id, tree, path) if path else None
    return None if item is None else entries_of(db, repo_id, [(path, item)])[0]


def entries(
    db: Connection,
    repo_id: int,
    tree: bytes,
    path: str = "",
    *,
    recursive: bool = False,
    after: str | None = None,
    limit: int = 1000,
) -> list[Entry]:
    """Return what stands below a folder of a tree, at most `limit`, in git's order.

    `after` is the path or the key of the last entry of the page before. Raise EntryNotFound when there is no
    such folder.
    """
    path = path.strip("/")
    folder = trees.find(db, repo_id, tree, path)
    if folder is None or not folder.folder:
        raise EntryNotFound(f"`{paths.shown(path)}` is no folder of this revision.")
    if after and not after.endswith("/"):
        last = trees.find(db, repo_id, tree, after)
        after = f"{after}/" if last is not None and last.folder else after
    base = f"{path}/" if path else ""
    page: list[tuple[str, Item]] = []
    for found in trees.walk(db, repo_id, folder.id, base, recursive=recursive, after=after or ""):
        page.append(found)
        if len(page) == limit:
            break
    return entries_of(db, repo_id, page)


def find_entries(db: Connection, repo_id: int, tree: bytes, wanted: Collection[str]) -> list[Entry]:
    """Return the entries at these paths, in their order, without those that do not exist."""
    found = ((path, trees.find(db, repo_id, tree, path)) for path in wanted if path)
    return entries_of(db, repo_id, [(path, item) for path, item in found if item is not None])


def entries_of(db: Connection, repo_id: int, found: list[tuple[str, Item]]) -> list[Entry]:
    blobs = blob_rows(db, repo_id, {item.id for _, item in found if not item.folder})
    return [
        Entry(path, "directory", item.id) if item.folder else _file(path, item.id, blobs)
        for path, item in found
    ]


def _file(path: str, identity: bytes, blobs: dict[bytes, Row[bytes, int, bytes, int | None]]) -> Entry:
    row = blobs.get(identity)
    if row is None:
        raise Unavailable(f"The database has lost the blob `{identity.hex()}`. Restore a backup.")
    if row.large_size is None:
        return Entry(path, "file", identity, row.size, row.sha256)
    return Entry(path, "file", identity, row.large_size, row.sha256, row.large_size, row.size)


def blob_rows(
    db: Connection, repo_id: int, ids: Collection[bytes]
) -> dict[bytes, Row[bytes, int, bytes, int | None]]:
    """Return {id: row of id, size, sha256, large_size} for those blobs that the repository has."""
    found: dict[bytes, Row[bytes, int, bytes, int | None]] = {}
    for batch in batches(ids):
        rows = db.execute(_BLOBS, {"repo_id": repo_id, "ids": batch})
        found.update((row.id, row) for row in rows)
    return found


def read(
    db: Connection, blobs: Blobs, repo_id: int, tree: bytes, path: str, *, limit: int = _READ_BYTES
) -> bytes | None:
    """Return the bytes of a file of a tree; None when there is none or it is larger than `limit`."""
    entry = find_entry(db, repo_id, tree, path)
    if entry is None or entry.sha256 is None or entry.size > limit:
        return None
    return read_content(db, blobs, entry.sha256)


def read_content(db: Connection, blobs: Blobs, sha256: bytes) -> bytes:
    """Return the whole of a small content that history points to."""
    record = contents.find(db, sha256)
    if record is None:
        raise Unavailable(f"The hub has lost the content `{sha256.hex()}`. Restore a backup.")
    return b"".join(contents.reader(db, record).stream(blobs, 0, record.size))


def head(db: Connection, repo_id: int, branch: str) -> CommitRecord:
    """Return the newest commit of a branch, `main` or `refs/heads/main`.

    Raise RevisionNotFound when there is none, BadRequest for a tag or a commit: nothing can be added there.
    """
    name = branch_ref(branch)
    target = db.execute(select(Ref.target).where(Ref.repo_id == repo_id, Ref.name == name)).scalar()
    if target is not None and name.startswith("refs/heads/"):
        return get(db, repo_id, target)
    record = resolve(db, repo_id, branch)
    raise BadRequest(
        f"`{paths.shown(branch)}` is a tag or a commit (`{record.id.hex()}`), not a branch. "
        "Create a branch there first."
    )


def branch_ref(branch: str) -> str:
    """`refs/heads/main` for `main`, `HEAD` or itself."""
    branch = _asked(branch)
    if branch == "HEAD":
        return MAIN
    return branch if branch.startswith("refs/") else f"refs/heads/{branch}"


def _asked(revision: str) -> str:
    # PostgreSQL raises for a NUL in a text, where the answer is that there is none such.
    return revision.replace("\0", "\ufffd")


def select_commits(repo_id: int) -> Select[bytes, bytes | None, bytes, int, str, str, str, datetime]:
    return _COMMITS.where(Commit.repo_id == repo_id)


def commit_record(row: Row[bytes, bytes | None, bytes, int, str, str, str, datetime]) -> CommitRecord:
    return CommitRecord(*row)


def batches(keys: Collection[bytes]) -> Iterator[list[bytes]]:
    every = list(keys)
    for at in range(0, len(every), _BATCH):
        yield every[at : at + _BATCH]
