"""Trees by their ids: read once, kept in memory, never changed."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, select

from hub.commits.objects import Item, decode_tree
from hub.errors import Unavailable
from hub.tables import Tree

# Decoded a tree takes four to seven times the encoded bytes that are counted here.
CACHE_BYTES = 12 * 1024 * 1024


class TreeCache:
    """The least recently used trees leave first; what stays is bounded by encoded bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._trees: OrderedDict[tuple[int, bytes], tuple[int, Mapping[bytes, Item]]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: tuple[int, bytes]) -> Mapping[bytes, Item] | None:
        """Return the tree if it is held."""
        with self._lock:
            held = self._trees.get(key)
            if held is None:
                return None
            self._trees.move_to_end(key)
            return held[1]

    def keep(self, key: tuple[int, bytes], size: int, tree: Mapping[bytes, Item]) -> None:
        """Hold a tree. A repository's id is in the key: what one repository holds is no other's to read."""
        with self._lock:
            if key in self._trees or size > self._limit:
                return
            self._trees[key] = (size, tree)
            self._held += size
            while self._held > self._limit:
                self._held -= self._trees.popitem(last=False)[1][0]


_cache = TreeCache(CACHE_BYTES)


def load(db: Connection, repo_id: int, tree: bytes) -> Mapping[bytes, Item]:
    """Return a tree in git's order."""
    key = (repo_id, tree)
    items = _cache.find(key)
    if items is None:
        data = db.execute(select(Tree.data).where(Tree.repo_id == repo_id, Tree.id == tree)).scalar()
        if data is None:
            raise Unavailable(f"The database has lost the tree `{tree.hex()}`. Restore a backup.")
        items = decode_tree(data)
        _cache.keep(key, len(data), items)
    return items


def find(db: Connection, repo_id: int, tree: bytes, path: str) -> Item | None:
    """Return what stands at a path; the empty path is the tree itself."""
    item = Item(folder=True, id=tree)
    for name in path.encode("utf-8", "surrogatepass").split(b"/") if path else ():
        if not item.folder:
            return None
        found = load(db, repo_id, item.id).get(name)
        if found is None:
            return None
        item = found
    return item


def walk(
    db: Connection, repo_id: int, tree: bytes, base: str = "", *, recursive: bool, after: str = ""
) -> Iterator[tuple[str, Item]]:
    """Yield paths below a tree whose sort key is greater than `after`, in git's order.

    Folders come before what they hold, and sort as if they ended in a slash, so that the order of the walk is
    the order of its keys and a page can start at any of them.
    """
    for name, item in load(db, repo_id, tree).items():
        path = base + name.decode()
        key = f"{path}/" if item.folder else path
        if key > after:
            yield path, item
        if recursive and item.folder and (key > after or after.startswith(key)):
            yield from walk(db, repo_id, item.id, key, recursive=True, after=after)
