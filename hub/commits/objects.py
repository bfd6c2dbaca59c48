"""Git objects as bytes: what `git hash-object`, `git mktree` and `git commit-tree` write."""

import hashlib
import re
from binascii import unhexlify
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from dulwich.objects import Commit, ObjectID, parse_tree

FOLDER = 0o040000
LONGEST_POINTER = 200
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (0|[1-9][0-9]{0,17})\n"
)


class Item(NamedTuple):
    """What a name in a tree stands for. Executables, links and submodules do not exist here."""

    folder: bool
    id: bytes


def object_id(kind: bytes, data: bytes) -> bytes:
    """The 20 bytes that name a git object of this kind (`blob`, `tree`, `commit`)."""
    digest = hashlib.sha1(b"%s %d\0" % (kind, len(data)), usedforsecurity=False)
    digest.update(data)
    return digest.digest()


def encode_tree(items: Mapping[bytes, Item]) -> bytes:
    """Write a tree; names are sorted as git sorts them, folders as if they ended in a slash.

    By hand, because a folder of 10,000 files is written for every change in it: dulwich's `serialize_tree`
    takes thirteen times as long.
    """
    rows = sorted((name + b"/" if item.folder else name, name, item) for name, item in items.items())
    return b"".join(
        [(b"40000 " if item.folder else b"100644 ") + name + b"\0" + item.id for _, name, item in rows]
    )


def decode_tree(data: bytes) -> dict[bytes, Item]:
    """Read a tree, in git's order."""
    return {name: Item(mode == FOLDER, unhexlify(identity)) for name, mode, identity in parse_tree(data, 20)}


def encode_commit(
    *, tree: bytes, parent: bytes | None, author: str, moment: datetime, title: str, description: str
) -> bytes:
    """Write a commit whose author is its committer, in UTC."""
    commit = Commit()
    commit.tree = ObjectID(tree.hex().encode())
    commit.parents = [] if parent is None else [ObjectID(parent.hex().encode())]
    commit.author = commit.committer = f"{author} <{author}@users.noreply.voxhub>".encode()
    commit.author_time = commit.commit_time = int(moment.timestamp())
    commit.author_timezone = commit.commit_timezone = 0
    commit.encoding = None
    commit.message = (f"{title}\n\n{description}\n" if description else f"{title}\n").encode()
    return commit.as_raw_string()


def pointer(sha256: bytes, size: int) -> bytes:
    """The Git LFS pointer that stands in history for a large file."""
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (
        sha256.hex().encode(),
        size,
    )


def read_pointer(data: bytes) -> tuple[bytes, int] | None:
    """Return the SHA-256 and size of a pointer as `pointer` writes it; None for any other blob."""
    match = _POINTER.fullmatch(data) if len(data) <= LONGEST_POINTER else None
    return None if match is None else (bytes.fromhex(match[1].decode()), int(match[2]))
