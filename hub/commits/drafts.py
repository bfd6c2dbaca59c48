"""A tree that is being changed: only the folders on the way to a change are read and written again."""

from sqlalchemy import Connection

from hub.commits import trees
from hub.commits.objects import Item, encode_tree, object_id
from hub.errors import EntryNotFound, Invalid

# The client matches this sentence (huggingface_hub `create_commit`).
MISSING = "A file with this name doesn't exist"


class Folder:
    """A folder that was opened for changing."""

    def __init__(self, items: dict[bytes, "Item | Folder"]) -> None:
        self.items = items


class Draft:
    """The changes to one tree of one repository."""

    def __init__(self, db: Connection, repo_id: int, tree: bytes | None) -> None:
        self._db = db
        self._repo_id = repo_id
        self._root = Folder({}) if tree is None else self._open(tree)

    def put(self, path: str, item: Item) -> None:
        """Write a file and its folders; raise Invalid where a file or a folder is in the way."""
        *parents, name = path.encode().split(b"/")
        folder = self._root
        for depth, parent in enumerate(parents, 1):
            child = folder.items.get(parent)
            if isinstance(child, Item) and not child.folder:
                blocking = b"/".join(parents[:depth]).decode()
                raise Invalid(
                    f"`{path}` cannot be written: `{blocking}` is a file. "
                    "Delete it earlier in the same commit."
                )
            folder = self._step_into(folder, parent, child)
        present = folder.items.get(name)
        if isinstance(present, Folder) or (present is not None and present.folder):
            raise Invalid(
                f"`{path}` cannot be written: it is a folder. Delete it earlier in the same commit."
            )
        folder.items[name] = item

    def delete(self, path: str, *, folder: bool) -> None:
        """Remove a file or folder, and the folders that this leaves empty; raise EntryNotFound."""
        *parents, name = path.encode().split(b"/")
        opened = [self._root]
        for parent in parents:
            child = opened[-1].items.get(parent)
            if child is None or (isinstance(child, Item) and not child.folder):
                raise EntryNotFound(f"{MISSING}: `{path}`.")
            opened.append(self._step_into(opened[-1], parent, child))
        present = opened[-1].items.get(name)
        is_folder = isinstance(present, Folder) or (present is not None and present.folder)
        if present is None or (folder and not is_folder):
            raise EntryNotFound(f"{MISSING}: `{path}{'/' if folder else ''}`.")
        del opened[-1].items[name]
        while parents and not opened.pop().items:
            del opened[-1].items[parents.pop()]

    def write(self) -> tuple[bytes, dict[bytes, bytes]]:
        """Return the id of the tree, and {id: bytes} of every tree that was opened."""
        written: dict[bytes, bytes] = {}
        return self._write(self._root, written), written

    def _write(self, folder: Folder, written: dict[bytes, bytes]) -> bytes:
        items = {
            name: Item(folder=True, id=self._write(child, written)) if isinstance(child, Folder) else child
            for name, child in folder.items.items()
        }
        data = encode_tree(items)
        identity = object_id(b"tree", data)
        written[identity] = data
        return identity

    def _step_into(self, folder: Folder, name: bytes, child: "Item | Folder | None") -> Folder:
        if not isinstance(child, Folder):
            child = Folder({}) if child is None else self._open(child.id)
            folder.items[name] = child
        return child

    def _open(self, tree: bytes) -> Folder:
        return Folder(dict(trees.load(self._db, self._repo_id, tree)))
