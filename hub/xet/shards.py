"""Shards: which chunks of which xorbs make which file, as clients upload it after the xorbs.

    header    tag[32], version u64 = 2, footer size u64
    files     { file hash, flags, n | n × (xorb, flags, bytes, start, end) | n × proof? | sha256? }
    bookend   32 × FF
    xorbs     { xorb hash, flags, n, plain size, stored size | n × (chunk hash, offset, size, flags) }
    bookend   32 × FF

All but the header is records of 48 bytes. Old clients append lookup tables and a footer, which say
nothing new and are not read. A shard may describe a million files, so it stays bytes until asked.
"""

import time
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final

import msgspec
import numpy as np

from hub.xet.errors import FormatError
from hub.xet.hashes import HASH_SIZE, ZERO, Buffer, hmac, to_wire
from hub.xet.xorbs import XorbRecord

MAX_SHARD_SIZE: Final = 64 * 1024 * 1024

_TAG: Final = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
_HEADER: Final = Struct("<32sQQ")
_RECORD: Final = Struct("<32s4I")
_FOOTER: Final = Struct("<9Q32s2Q48x4Q")
_VERSION: Final = 2
_BOOKEND: Final = b"\xff" * HASH_SIZE
_WITH_PROOFS, _WITH_SHA256 = 1 << 31, 1 << 30


class FileInfo(msgspec.Struct, frozen=True):
    """A file as its uploader describes it: nothing in it is true before `verification.verify_file`."""

    hash: bytes
    terms: bytes
    """Packed for `plans.unpack_terms`, and for a database column."""
    proofs: bytes
    """One 32-byte range hash per term; empty when the client sent none."""
    sha256: str | None


class XorbInfo(msgspec.Struct, frozen=True):
    """A xorb as the uploader describes it; the hub's own record is the truth, this may be compared."""

    hash: bytes
    hashes: bytes
    raw_size: int
    stored_size: int


class Shard:
    """An uploaded shard whose structure is checked: every count and offset stays inside the buffer."""

    def __init__(self, buffer: Buffer) -> None:
        """Walk the records of `buffer`, which must not change afterwards; FormatError."""
        if len(buffer) > MAX_SHARD_SIZE:
            raise FormatError(f"a shard has at most {MAX_SHARD_SIZE} bytes, got {len(buffer)}")
        if len(buffer) < _HEADER.size:
            raise FormatError(f"a shard has at least {_HEADER.size} bytes, got {len(buffer)}")
        self._view = memoryview(buffer)
        tag, version, _footer_size = _HEADER.unpack_from(self._view)
        if tag != _TAG:
            raise FormatError("the shard does not start with the tag of shards")
        if version != _VERSION:
            raise FormatError(f"the shard has version `{version}`, known is `{_VERSION}`")
        self.file_count, self._xorbs_at = self._walk(_HEADER.size, "file")
        self.xorb_count, _ = self._walk(self._xorbs_at, "xorb")

    def files(self) -> Iterator[FileInfo]:
        """Yield the files in the order of the shard."""
        at = _HEADER.size
        for _ in range(self.file_count):
            digest, flags, count, _, _ = _RECORD.unpack_from(self._view, at)
            at += _RECORD.size
            # A term loses its flags word: 44 bytes of (xorb, bytes, start, end).
            entries = self._entries(at, count)
            terms = np.concatenate((entries[:, :32], entries[:, 36:]), axis=1).tobytes()
            at += _RECORD.size * count
            proofs, sha256 = b"", None
            if flags & _WITH_PROOFS:
                proofs = self._entries(at, count)[:, :HASH_SIZE].tobytes()
                at += _RECORD.size * count
            if flags & _WITH_SHA256:
                sha256 = to_wire(bytes(self._view[at : at + HASH_SIZE]))
                at += _RECORD.size
            yield FileInfo(digest, terms, proofs, sha256)

    def xorbs(self) -> Iterator[XorbInfo]:
        """Yield the descriptions of xorbs in the order of the shard."""
        at = self._xorbs_at
        for _ in range(self.xorb_count):
            digest, _, count, raw_size, stored_size = _RECORD.unpack_from(self._view, at)
            at += _RECORD.size
            hashes = self._entries(at, count)[:, :HASH_SIZE].tobytes()
            at += _RECORD.size * count
            yield XorbInfo(digest, hashes, raw_size, stored_size)

    def _walk(self, at: int, noun: str) -> tuple[int, int]:
        """Return the number of entries of the section at `at`, and where the next one starts."""
        count = 0
        while True:
            if at + _RECORD.size > len(self._view):
                raise FormatError(f"the shard ends at byte {len(self._view)} inside its {noun} section")
            digest, flags, entries, _, _ = _RECORD.unpack_from(self._view, at)
            at += _RECORD.size
            if digest == _BOOKEND:
                return count, at
            if not entries:
                raise FormatError(f"{noun} `{to_wire(digest)}` of the shard has no entries")
            records = entries
            if noun == "file":
                # An unknown flag may stand for records that we would take for the next file.
                if flags & ~(_WITH_PROOFS | _WITH_SHA256):
                    raise FormatError(f"file `{to_wire(digest)}` of the shard has unknown flags `{flags:#x}`")
                records = entries * (1 + bool(flags & _WITH_PROOFS)) + bool(flags & _WITH_SHA256)
            at += _RECORD.size * records
            if at > len(self._view):
                raise FormatError(
                    f"{noun} `{to_wire(digest)}` has {entries} entries, more than the shard holds"
                )
            count += 1

    def _entries(self, at: int, count: int) -> "np.ndarray[tuple[int, int], np.dtype[np.uint8]]":
        return np.frombuffer(self._view, np.uint8, _RECORD.size * count, at).reshape(count, _RECORD.size)


def build_dedup_shard(
    records: Iterable[XorbRecord], key: bytes, expiry: int, *, created: int | None = None
) -> bytes:
    """Return the reply to a chunk query: the xorbs that the client may reference, chunk hashes keyed.

    `key`: 32 bytes, zeros for plain hashes. `expiry` and `created` in Unix seconds; the client ignores a
    reply that has expired.
    """
    out = bytearray(_HEADER.pack(_TAG, _VERSION, _FOOTER.size))
    files_at = len(out)
    out += _RECORD.pack(_BOOKEND, 0, 0, 0, 0)
    xorbs_at = len(out)
    raw_size = size = 0
    for record in records:
        out += _RECORD.pack(record.hash, 0, record.count, record.raw_size, record.size)
        for (digest, chunk_size), offset in zip(
            record.leaves(0, record.count), record.raw_starts, strict=False
        ):
            out += _RECORD.pack(digest if key == ZERO else hmac(digest, key), offset, chunk_size, 0, 0)
        raw_size += record.raw_size
        size += record.size
    out += _RECORD.pack(_BOOKEND, 0, 0, 0, 0)
    end = len(out)
    since = int(time.time()) if created is None else created
    # Three lookup tables (files, xorbs, chunks) follow as (offset, count): none is needed.
    tables = (end, 0) * 3
    out += _FOOTER.pack(1, files_at, xorbs_at, *tables, key, since, expiry, size, 0, raw_size, end)
    return bytes(out)
