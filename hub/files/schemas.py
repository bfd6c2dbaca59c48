"""What the routes of files take and give. Names are Hugging Face's."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType


class LargeFile(msgspec.Struct, rename="camel"):
    """A file in Git LFS: `oid` is the SHA-256 of its content, `pointerSize` the size of its git blob."""

    oid: str
    size: int
    pointer_size: int


class LastCommit(msgspec.Struct):
    """The newest commit that changed a file or folder."""

    id: str
    title: str
    date: str


class TreeEntry(msgspec.Struct, rename="camel"):
    """A file or folder; `oid` is its git id. `lastCommit` comes with `expand`."""

    type: Literal["file", "directory"]
    oid: str
    size: int
    path: str
    lfs: LargeFile | UnsetType = UNSET
    xet_hash: str | UnsetType = UNSET
    last_commit: LastCommit | UnsetType = UNSET
    # This hub does not scan files: null is the word for it.
    security_file_status: UnsetType | None = UNSET


class Paths(msgspec.Struct):
    """Which paths to tell about."""

    paths: list[str]
    expand: bool = False
