"""Xorbs: up to 64 MiB of chunks behind one another, named by the root of the tree over their hashes.

A trailer that starts with `XETBLOB` may follow the chunks (hf_xet 1.8 sends none). It repeats what they
say, so it is skipped, and the caller cuts it off at `XorbRecord.size`.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from hub.xet.chunks import HEADER_SIZE, decompress, parse_header
from hub.xet.errors import FormatError
from hub.xet.hashes import HASH_SIZE, Buffer, chunk_hash, merkle_root, to_wire

MAX_CHUNKS: Final = 8 * 1024
MAX_RAW_SIZE: Final = 64 * 1024 * 1024
# A client stores a chunk plainly when compression does not shrink it, so only the headers add to it.
MAX_XORB_SIZE: Final = MAX_RAW_SIZE + HEADER_SIZE * MAX_CHUNKS
# Hash, physical end and raw end of each chunk, and 92 bytes; rounded up.
MAX_TRAILER_SIZE: Final = 40 * MAX_CHUNKS + 1024
# The limit for the body of an upload: a reverse proxy must let this through.
MAX_BODY_SIZE: Final = MAX_XORB_SIZE + MAX_TRAILER_SIZE

_TRAILER_TAG: Final = b"XETBLOB"
_READ_SIZE: Final = 1024 * 1024
_RECORD_FORMAT: Final = 1
_RECORD_HEAD: Final = struct.Struct("<BI32s")


class XorbRecord(msgspec.Struct, frozen=True):
    """What the hub remembers of a verified xorb; chunk i is `starts[i]:starts[i + 1]` of the xorb's bytes.

    `starts` and `raw_starts` have one entry more than there are chunks: the end of the last one.
    """

    hash: bytes
    hashes: bytes
    starts: tuple[int, ...]
    raw_starts: tuple[int, ...]

    @property
    def count(self) -> int:
        """The number of chunks."""
        return len(self.starts) - 1

    @property
    def size(self) -> int:
        """Bytes of the serialized xorb without a trailer; whatever follows in the file must be cut off."""
        return self.starts[-1]

    @property
    def raw_size(self) -> int:
        """Bytes of all chunks after decompression."""
        return self.raw_starts[-1]

    def chunk_hash(self, index: int) -> bytes:
        """Return the raw hash of one chunk."""
        return self.hashes[index * HASH_SIZE : (index + 1) * HASH_SIZE]

    def leaves(self, start: int, end: int) -> Iterator[tuple[bytes, int]]:
        """Yield (hash, plain size) of the chunks [start, end)."""
        for index in range(start, end):
            yield self.chunk_hash(index), self.raw_starts[index + 1] - self.raw_starts[index]

    def chunk_at(self, offset: int) -> int:
        """Return the index of the chunk that holds the plain byte `offset` of the xorb."""
        return bisect_right(self.raw_starts, offset) - 1

    def pack(self) -> bytes:
        """Return the record as bytes for a database column: 40 per chunk, 37 beside."""
        ends = struct.pack(f"<{2 * self.count}I", *self.starts[1:], *self.raw_starts[1:])
        return _RECORD_HEAD.pack(_RECORD_FORMAT, self.count, self.hash) + self.hashes + ends

    @classmethod
    def unpack(cls, packed: Buffer) -> "XorbRecord":
        """Return the record that `pack` wrote; FormatError when it is cut or of another format."""
        if len(packed) < _RECORD_HEAD.size or packed[0] != _RECORD_FORMAT:
            raise FormatError(
                f"a xorb record starts with format `{_RECORD_FORMAT}`, got `{bytes(packed[:1])!r}`"
            )
        _, count, digest = _RECORD_HEAD.unpack_from(packed)
        table = _RECORD_HEAD.size + HASH_SIZE * count
        if len(packed) != table + 8 * count:
            raise FormatError(
                f"the record of xorb `{to_wire(digest)}` has {len(packed)} bytes for {count} chunks"
            )
        ends: tuple[int, ...] = struct.unpack_from(f"<{2 * count}I", packed, table)
        hashes = bytes(packed[_RECORD_HEAD.size : table])
        return cls(digest, hashes, (0, *ends[:count]), (0, *ends[count:]))


def inspect(source: str | PathLike[str] | BinaryIO) -> XorbRecord:
    """Verify a whole serialized xorb and return its record; the caller compares `hash` and cuts at `size`.

    Reads one chunk at a time, from the start of the file or from a stream's position. The heavy calls
    release the GIL, so several xorbs verify in parallel on as many threads. Raises FormatError.
    """
    if isinstance(source, str | PathLike):
        with Path(source).open("rb", buffering=_READ_SIZE) as stream:
            return _inspect(stream)
    return _inspect(source)


def _inspect(stream: BinaryIO) -> XorbRecord:
    digests: list[bytes] = []
    starts, raw_starts = [0], [0]
    while head := _read(stream, HEADER_SIZE):
        where = f"chunk {len(digests)} at byte {starts[-1]}"
        if head.startswith(_TRAILER_TAG):
            _skip_trailer(stream)
            break
        stored_size, scheme, size = parse_header(head, where)
        payload = _read(stream, stored_size)
        if len(payload) != stored_size:
            raise FormatError(f"{where} is truncated: {len(payload)} of {stored_size} bytes")
        starts.append(starts[-1] + HEADER_SIZE + stored_size)
        raw_starts.append(raw_starts[-1] + size)
        _check_limits(len(starts) - 1, starts[-1], raw_starts[-1])
        digests.append(chunk_hash(decompress(scheme, payload, size, where)))
    if not digests:
        raise FormatError("the xorb has no chunk")
    sizes = [end - start for start, end in pairwise(raw_starts)]
    root = merkle_root(zip(digests, sizes, strict=True))
    return XorbRecord(root, b"".join(digests), tuple(starts), tuple(raw_starts))


def decode_chunks(
    stored: Buffer, record: XorbRecord, start: int, end: int, *, check: bool = True
) -> list[Buffer]:
    """Return the plain chunks [start, end) from `stored`, the xorb's bytes `starts[start]:starts[end]`.

    With `check` every chunk is hashed again, so that a byte that rotted on disk raises FormatError
    instead of reaching a reader: the clients do not look.
    """
    name, base = to_wire(record.hash), record.starts[start]
    if len(stored) != record.starts[end] - base:
        expected = record.starts[end] - base
        raise FormatError(f"xorb `{name}`: chunks {start}:{end} are {expected} bytes, got {len(stored)}")
    view = memoryview(stored)
    chunks: list[Buffer] = []
    for index in range(start, end):
        where = f"xorb `{name}` chunk {index}"
        first, last = record.starts[index] - base, record.starts[index + 1] - base
        stored_size, scheme, size = parse_header(bytes(view[first : first + HEADER_SIZE]), where)
        plain_size = record.raw_starts[index + 1] - record.raw_starts[index]
        if (stored_size, size) != (last - first - HEADER_SIZE, plain_size):
            raise FormatError(f"{where} has another size than its record")
        chunk = decompress(scheme, view[first + HEADER_SIZE : last], size, where)
        if check and chunk_hash(chunk) != record.chunk_hash(index):
            raise FormatError(f"{where} does not have the recorded hash")
        chunks.append(chunk)
    return chunks


def read_chunks(
    stream: BinaryIO, record: XorbRecord, start: int, end: int, *, check: bool = True
) -> list[Buffer]:
    """Return the plain chunks [start, end) of a seekable stream over the serialized xorb."""
    stream.seek(record.starts[start])
    stored = _read(stream, record.starts[end] - record.starts[start])
    return decode_chunks(stored, record, start, end, check=check)


def _read(stream: BinaryIO, size: int) -> bytes:
    """Read `size` bytes or up to the end, also from raw streams that return less at a time."""
    piece = stream.read(size)
    if len(piece) in (0, size):
        return piece
    pieces = [piece]
    while piece and (size := size - len(piece)):
        piece = stream.read(size)
        pieces.append(piece)
    return b"".join(pieces)


def _skip_trailer(stream: BinaryIO) -> None:
    size = HEADER_SIZE
    while piece := stream.read(_READ_SIZE):
        size += len(piece)
        if size > MAX_TRAILER_SIZE:
            raise FormatError(f"the trailer is larger than {MAX_TRAILER_SIZE} bytes")


def _check_limits(count: int, size: int, raw_size: int) -> None:
    for what, value, limit in (
        ("chunks", count, MAX_CHUNKS),
        ("bytes", size, MAX_XORB_SIZE),
        ("plain bytes", raw_size, MAX_RAW_SIZE),
    ):
        if value > limit:
            raise FormatError(f"the xorb has more than {limit} {what}")
