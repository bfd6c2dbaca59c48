"""The values that history deals in."""

from datetime import datetime
from typing import Literal

import msgspec

MAIN = "refs/heads/main"


class CommitRecord(msgspec.Struct, frozen=True):
    """A commit; `depth` is how many came before it, `message` what follows its title."""

    id: bytes
    parent: bytes | None
    tree: bytes
    depth: int
    author: str
    title: str
    message: str
    created_at: datetime


class Entry(msgspec.Struct, frozen=True):
    """A file or folder of a tree.

    `id` is its git id; `size` is that of the content a reader gets. A file in Git LFS has `large_size`, which
    is the same, and `pointer_size`, that of its blob. `sha256` is the content's, for every file.
    """

    path: str
    kind: Literal["file", "directory"]
    id: bytes
    size: int = 0
    sha256: bytes | None = None
    large_size: int | None = None
    pointer_size: int | None = None

    @property
    def key(self) -> str:
        """What git sorts by: folders as if they ended in a slash."""
        return f"{self.path}/" if self.kind == "directory" else self.path


class Put(msgspec.Struct, frozen=True):
    """Write a regular file; its bytes must lie in the store."""

    path: str
    id: bytes
    size: int
    sha256: bytes


class PutLarge(msgspec.Struct, frozen=True):
    """Point to a large file; without a size, that of the content held."""

    path: str
    sha256: bytes
    size: int | None


class Delete(msgspec.Struct, frozen=True):
    """Remove a file, or a folder with everything in it; `folder` refuses a file."""

    path: str
    folder: bool


class Copy(msgspec.Struct, frozen=True):
    """Write what stands at another path, of another revision if one is given."""

    path: str
    source: str
    revision: str | None


Operation = Put | PutLarge | Delete | Copy


class Change(msgspec.Struct, frozen=True):
    """What a commit is made from. Operations apply in order: of two for one path, the later wins."""

    title: str
    description: str
    parent: str | None
    operations: list[Operation]
