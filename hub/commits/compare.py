"""What differs between two revisions; folders with equal ids are never opened."""

import difflib
from collections.abc import Iterator
from typing import Literal

import msgspec
from sqlalchemy import Connection

from hub.blobs import Blobs
from hub.commits import revisions, trees
from hub.commits.objects import Item
from hub.commits.records import Entry

# difflib takes time with the product of the lines.
_PATCH_BYTES = 64 * 1024
_PATCH_LINES = 1000
Status = Literal["added", "modified", "deleted", "renamed"]


class Pair(msgspec.Struct, frozen=True):
    """One path, or for a renamed file two, with what stood there and what stands there now."""

    status: Status
    old: Entry | None
    new: Entry | None

    @property
    def path(self) -> str:
        """The newer path."""
        entry = self.new or self.old
        return "" if entry is None else entry.path


def compare(db: Connection, repo_id: int, old: bytes, new: bytes, *, limit: int) -> tuple[list[Pair], bool]:
    """Return the files that differ between two trees by path, and whether there are more than `limit`.

    A file that is gone and one that came with the same git id are one that was renamed.
    """
    changes: list[tuple[str, Item | None, Item | None]] = []
    for change in _changes(db, repo_id, Item(folder=True, id=old), Item(folder=True, id=new), ""):
        if len(changes) == limit:
            return _pairs(db, repo_id, changes), True
        changes.append(change)
    return _pairs(db, repo_id, changes), False


def _changes(
    db: Connection, repo_id: int, old: Item | None, new: Item | None, path: str
) -> Iterator[tuple[str, Item | None, Item | None]]:
    if old == new:
        return
    old_folder, new_folder = (item if item is not None and item.folder else None for item in (old, new))
    old_file, new_file = (item if item is not None and not item.folder else None for item in (old, new))
    if old_file is not None or new_file is not None:
        yield path, old_file, new_file
    if old_folder is None and new_folder is None:
        return
    before = {} if old_folder is None else trees.load(db, repo_id, old_folder.id)
    after = {} if new_folder is None else trees.load(db, repo_id, new_folder.id)
    for name in sorted(before.keys() | after.keys()):
        below = f"{path}/{name.decode()}" if path else name.decode()
        yield from _changes(db, repo_id, before.get(name), after.get(name), below)


def _pairs(db: Connection, repo_id: int, changes: list[tuple[str, Item | None, Item | None]]) -> list[Pair]:
    gone = {old.id: path for path, old, new in changes if old is not None and new is None}
    renamed: dict[str, str] = {}
    for path, old, new in changes:
        if old is None and new is not None and new.id in gone:
            renamed[path] = gone.pop(new.id)
    left = set(renamed.values())
    olds = [(path, old) for path, old, _ in changes if old is not None]
    news = [(path, new) for path, _, new in changes if new is not None]
    before = {entry.path: entry for entry in revisions.entries_of(db, repo_id, olds)}
    after = {entry.path: entry for entry in revisions.entries_of(db, repo_id, news)}
    return [
        Pair(_status(path, old, new, renamed), before.get(renamed.get(path, path)), after.get(path))
        for path, old, new in changes
        if path not in left
    ]


def _status(path: str, old: Item | None, new: Item | None, renamed: dict[str, str]) -> Status:
    if path in renamed:
        return "renamed"
    if old is None:
        return "added"
    return "deleted" if new is None else "modified"


def patch(db: Connection, blobs: Blobs, pair: Pair) -> str | None:
    """Return a unified diff of a pair of small text files, else None."""
    old, new = _lines(db, blobs, pair.old), _lines(db, blobs, pair.new)
    if old is None or new is None:
        return None
    before = f"a/{pair.old.path}" if pair.old else "/dev/null"
    after = f"b/{pair.new.path}" if pair.new else "/dev/null"
    return "\n".join(difflib.unified_diff(old, new, before, after, lineterm=""))


def _lines(db: Connection, blobs: Blobs, entry: Entry | None) -> list[str] | None:
    if entry is None:
        return []
    if entry.large_size is not None or entry.size > _PATCH_BYTES or entry.sha256 is None:
        return None
    try:
        lines = revisions.read_content(db, blobs, entry.sha256).decode().split("\n")
    except UnicodeDecodeError:
        return None
    return lines if len(lines) <= _PATCH_LINES and not any("\0" in line for line in lines) else None
