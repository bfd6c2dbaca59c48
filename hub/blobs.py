"""Object storage: immutable bytes under keys that name their content.

    content/{aa}/{bb}/{sha256}   one whole file
    xorbs/{aa}/{xet hash}        chunks of many files, as the client sent them

Bytes arrive in the staging folder, are hashed on the way, and are then adopted: flushed to the disk,
renamed into place, and the folder flushed. Whatever has a key is therefore whole, at any moment of a kill.
"""

import errno
import os
import re
import secrets
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from hub.errors import StorageFull, Unavailable

# 64 KiB reads cost four times the processor time of 1 MiB ones.
PIECE = 1024 * 1024
_KEY = re.compile(r"(content/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{64}|xorbs/[0-9a-f]{2}/[0-9a-f]{64})")


def content_key(sha256: bytes) -> str:
    """The key of a whole file."""
    name = sha256.hex()
    return f"content/{name[:2]}/{name[2:4]}/{name}"


def xorb_key(name: str) -> str:
    """The key of a xorb by its hash as clients print it."""
    return f"xorbs/{name[:2]}/{name}"


class Blobs(Protocol):
    """What the hub asks of a store. Every store passes the same contract suite (tests/hub/test_blobs.py)."""

    def adopt(self, staged: Path, key: str) -> None:
        """Make the staged file durable under `key` and remove it from staging; an existing key stays."""
        ...

    def size(self, key: str) -> int | None:
        """How many bytes lie under `key`, or None."""
        ...

    def read(self, key: str, start: int, end: int) -> bytes:
        """Return bytes `start` to `end` (exclusive); raise Unavailable when the store lacks them."""
        ...

    def stream(self, key: str, start: int, end: int) -> Iterator[bytes]:
        """Yield bytes `start` to `end` (exclusive) in pieces of at most PIECE."""
        ...

    def path(self, key: str) -> Path | None:
        """The file that holds `key`, where there is one to send straight from the disk."""
        ...

    def delete(self, key: str) -> None:
        """Remove `key`; one that is absent is no error."""
        ...


class LocalBlobs:
    """A folder. Keys are paths below it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def adopt(self, staged: Path, key: str) -> None:
        target = self._path(key)
        with full_disk_is_507():
            with staged.open("rb") as file:
                # Also where the key exists: that it took less time would show that somebody has these bytes.
                os.fsync(file.fileno())
            if target.exists():
                # Another request may have renamed it a moment ago and not yet flushed the folder.
                _flush_folder(target.parent)
                staged.unlink(missing_ok=True)
                return
            for folder in (target.parent.parent, target.parent):
                if not folder.exists():
                    folder.mkdir(parents=True, exist_ok=True)
                    _flush_folder(folder.parent)
            staged.replace(target)
            _flush_folder(target.parent)

    def size(self, key: str) -> int | None:
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, key: str, start: int, end: int) -> bytes:
        return b"".join(self.stream(key, start, end))

    def stream(self, key: str, start: int, end: int) -> Iterator[bytes]:
        try:
            file = self._path(key).open("rb", buffering=0)
        except FileNotFoundError:
            raise Unavailable(
                f"The store has lost `{key}`. Run `voxhub verify`, or restore a backup."
            ) from None
        with file:
            file.seek(start)
            left = end - start
            while left > 0:
                piece = file.read(min(PIECE, left))
                if not piece:
                    raise Unavailable(f"`{key}` ends {left} bytes early. Run `voxhub verify`.")
                left -= len(piece)
                yield piece

    def path(self, key: str) -> Path | None:
        return self._path(key)

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"`{key}` is not a key")
        return self.root / key


class Staging:
    """A folder on the store's own disk where bodies are written before anybody may see them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def file(self) -> Generator[tuple[Path, BinaryIO]]:
        """Yield a new file; what is not adopted by the end of the block is removed."""
        path = self.root / f"body-{secrets.token_hex(16)}"
        try:
            with full_disk_is_507(), path.open("xb", buffering=0) as file:
                yield path, file
        finally:
            path.unlink(missing_ok=True)

    def sweep(self, age_s: float) -> int:
        """Remove what was not touched for `age_s`, which a killed process left. Return how many files."""
        removed = 0
        for path in self.root.rglob("*"):
            try:
                if path.is_file() and time.time() - path.stat().st_mtime > age_s:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # another process swept it first
        return removed


@contextmanager
def full_disk_is_507() -> Generator[None]:
    """Say in one place what a full disk means: nothing was kept, and the operator must make room."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from error
        raise


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
