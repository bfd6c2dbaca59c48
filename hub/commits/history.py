"""What came before a commit: the log, and which commit last touched a path."""

from collections.abc import Collection, Iterator, Mapping

from sqlalchemy import Connection, literal, select

from hub.commits import trees
from hub.commits.objects import Item
from hub.commits.records import CommitRecord
from hub.commits.revisions import commit_record, select_commits
from hub.tables import Commit

_STEP = 200
_NOTHING: Mapping[bytes, Item] = {}


def log(db: Connection, repo_id: int, commit: bytes, *, skip: int = 0, limit: int) -> list[CommitRecord]:
    """Return a commit and those before it, newest first."""
    chain = (
        select(Commit.id, Commit.parent, literal(1).label("length"))
        .where(Commit.repo_id == repo_id, Commit.id == commit)
        .cte("chain", recursive=True)
    )
    before = (
        select(Commit.id, Commit.parent, chain.c.length + 1)
        .join(chain, Commit.id == chain.c.parent)
        .where(Commit.repo_id == repo_id, chain.c.length < skip + limit)
    )
    chain = chain.union_all(before)
    rows = db.execute(
        select_commits(repo_id)
        .join(chain, Commit.id == chain.c.id)
        .where(chain.c.length > skip)
        .order_by(chain.c.length)
    )
    return [commit_record(row) for row in rows]


def ancestors(db: Connection, repo_id: int, commit: CommitRecord) -> Iterator[CommitRecord]:
    """Yield the commits before a commit, newest first."""
    parent = commit.parent
    while parent is not None:
        page = log(db, repo_id, parent, limit=_STEP)
        yield from page
        parent = page[-1].parent


def last_commits(
    db: Connection, repo_id: int, commit: CommitRecord, paths: Collection[str]
) -> dict[str, CommitRecord]:
    """Return for each path that exists in a commit the newest commit that changed it.

    Only folders whose ids differ between a commit and its parent are looked into.
    """
    wanted: dict[str, set[bytes]] = {}
    for path in paths:
        folder, _, name = path.strip("/").rpartition("/")
        wanted.setdefault(folder, set()).add(name.encode())
    for folder, names in wanted.items():
        names.intersection_update(_names(db, repo_id, commit.tree, folder))
    found: dict[str, CommitRecord] = {}
    newer = commit
    for older in ancestors(db, repo_id, commit):
        if newer.tree != older.tree:
            _attribute(db, repo_id, newer, older, wanted, found)
        if not wanted:
            return found
        newer = older
    for folder, names in wanted.items():
        found.update((_joined(folder, name), newer) for name in names)
    return found


def _attribute(
    db: Connection,
    repo_id: int,
    newer: CommitRecord,
    older: CommitRecord,
    wanted: dict[str, set[bytes]],
    found: dict[str, CommitRecord],
) -> None:
    """Move the names that `newer` changed from `wanted` to `found`."""
    for folder, names in list(wanted.items()):
        now, before = (trees.find(db, repo_id, record.tree, folder) for record in (newer, older))
        if now != before:
            present = _names(db, repo_id, newer.tree, folder)
            past = _names(db, repo_id, older.tree, folder)
            changed = {name for name in names if present.get(name) != past.get(name)}
            found.update((_joined(folder, name), newer) for name in changed)
            names.difference_update(changed)
        if not names:
            del wanted[folder]


def _names(db: Connection, repo_id: int, tree: bytes, folder: str) -> Mapping[bytes, Item]:
    item = trees.find(db, repo_id, tree, folder)
    return trees.load(db, repo_id, item.id) if item is not None and item.folder else _NOTHING


def _joined(folder: str, name: bytes) -> str:
    return f"{folder}/{name.decode()}" if folder else name.decode()
