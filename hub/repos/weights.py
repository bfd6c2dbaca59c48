"""What `model.safetensors` says of itself: how many parameters of which type.

The header is a stranger's: its length and its JSON are bounded, and what cannot be read says nothing.
Answers are kept by SHA-256; they never change.
"""

import math
import threading
from collections import OrderedDict
from typing import Annotated

import msgspec
from sqlalchemy import Connection

from hub import contents
from hub.blobs import Blobs
from hub.commits import service as commits
from hub.commits.records import CommitRecord
from hub.repos.schemas import Safetensors

PATH = "model.safetensors"
LARGEST_HEADER = 16 * 1024 * 1024
_KEPT = 4096
_MOST_TYPES = 64


class _Tensor(msgspec.Struct):
    dtype: Annotated[str, msgspec.Meta(max_length=16)]
    shape: Annotated[list[Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(max_length=32)]


class _Kept:
    """The last answers, by SHA-256; None is one too."""

    def __init__(self) -> None:
        self._answers: OrderedDict[bytes, Safetensors | None] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, sha256: bytes) -> tuple[Safetensors | None] | None:
        with self._lock:
            if sha256 not in self._answers:
                return None
            self._answers.move_to_end(sha256)
            return (self._answers[sha256],)

    def keep(self, sha256: bytes, answer: Safetensors | None) -> None:
        with self._lock:
            self._answers[sha256] = answer
            if len(self._answers) > _KEPT:
                self._answers.popitem(last=False)


_kept = _Kept()


def parameters(db: Connection, blobs: Blobs, repo_id: int, commit: CommitRecord) -> Safetensors | None:
    """Count the parameters of a revision; None when it has no readable `model.safetensors`."""
    entry = commits.find_entry(db, repo_id, commit.tree, PATH)
    if entry is None or entry.sha256 is None:
        return None
    known = _kept.find(entry.sha256)
    if known is not None:
        return known[0]
    record = contents.find(db, entry.sha256)
    if record is None:
        return None

    answer = _counted(_header(db, blobs, record))
    _kept.keep(entry.sha256, answer)
    return answer


def _header(db: Connection, blobs: Blobs, record: contents.ContentRecord) -> bytes:
    """The JSON between the first eight bytes and the tensors; nothing when it cannot be one."""
    if record.size < 8:
        return b""
    size = int.from_bytes(_read(db, blobs, record, 0, 8), "little")
    if size > min(LARGEST_HEADER, record.size - 8):
        return b""
    return _read(db, blobs, record, 8, 8 + size)


def _read(db: Connection, blobs: Blobs, record: contents.ContentRecord, start: int, end: int) -> bytes:
    return b"".join(contents.reader(db, record, start, end).stream(blobs, start, end))


def _counted(header: bytes) -> Safetensors | None:
    counts: dict[str, int] = {}
    try:
        tensors = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
        for name, raw in tensors.items():
            if name == "__metadata__":
                continue
            tensor = msgspec.json.decode(raw, type=_Tensor)
            counts[tensor.dtype] = counts.get(tensor.dtype, 0) + math.prod(tensor.shape)
    except (ValueError, RecursionError):
        return None
    total = sum(counts.values())
    # Beyond 2^53 a JavaScript client reads another number than was written; no file has so many.
    return Safetensors(counts, total) if 0 < total < 1 << 53 and len(counts) <= _MOST_TYPES else None
