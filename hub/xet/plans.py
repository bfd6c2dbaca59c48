"""How to read a file back: for a Xet client as JSON, for a plain HTTP reader as decoded bytes.

A file is a list of terms; a term is the chunks [start, end) of one xorb. `records` maps raw xorb hashes
to `XorbRecord`; only those of `xorbs_of(terms, start, end)` are looked up, so load no others. Offsets
are half-open, except in the JSON's byte ranges, whose ends are inclusive as in HTTP.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from struct import Struct
from typing import Final

import msgspec

from hub.xet.errors import FormatError, RangeError
from hub.xet.hashes import Buffer, to_wire
from hub.xet.xorbs import XorbRecord, decode_chunks

PIECE_SIZE: Final = 4 * 1024 * 1024

# Clients that ask for several ranges at once put them all into one header.
_MAX_RANGES: Final = 256
_TERM: Final = Struct("<32s3I")
TERM_SIZE: Final = _TERM.size


class Term(msgspec.Struct, frozen=True):
    """The chunks [start, end) of a xorb, `size` plain bytes of a file."""

    xorb: bytes
    size: int
    start: int
    end: int


class Read(msgspec.Struct, frozen=True):
    """One ranged read of a xorb: `start:end` of its bytes hold the chunks `first:last`.

    Of their plain bytes, leave out `skip` and take `take`.
    """

    xorb: bytes
    start: int
    end: int
    first: int
    last: int
    skip: int
    take: int


class Span(msgspec.Struct, frozen=True):
    """A range on the wire: of chunks, end-exclusive, or of bytes, end-inclusive."""

    start: int
    end: int


class WireTerm(msgspec.Struct, frozen=True):
    """A term on the wire."""

    hash: str
    unpacked_length: int
    range: Span


class FetchV1(msgspec.Struct, frozen=True):
    """Chunks `range` of a xorb are the bytes `url_range` behind `url`."""

    range: Span
    url: str
    url_range: Span


class RangeV2(msgspec.Struct, frozen=True):
    """Chunks `chunks` of a xorb are its bytes `bytes`."""

    chunks: Span
    bytes: Span


class FetchV2(msgspec.Struct, frozen=True):
    """Ranges of a xorb behind one URL."""

    url: str
    ranges: list[RangeV2]


class ReconstructionV1(msgspec.Struct, frozen=True):
    """Reply of `GET /v1/reconstructions/{file}`."""

    offset_into_first_range: int
    terms: list[WireTerm]
    fetch_info: dict[str, list[FetchV1]]


class ReconstructionV2(msgspec.Struct, frozen=True):
    """Reply of `GET /v2/reconstructions/{file}`."""

    offset_into_first_range: int
    terms: list[WireTerm]
    xorbs: dict[str, list[FetchV2]]


class Reconstruction(msgspec.Struct, frozen=True):
    """A planned reply; `v1` and `v2` write it with URLs from `url(raw xorb hash)`."""

    offset: int
    terms: list[Term]
    ranges: dict[bytes, list[RangeV2]]

    def v1(self, url: Callable[[bytes], str]) -> ReconstructionV1:
        """Return the reply of version 1, one URL per range."""
        fetch_info: dict[str, list[FetchV1]] = {}
        for xorb, ranges in self.ranges.items():
            link = url(xorb)
            fetch_info[to_wire(xorb)] = [FetchV1(each.chunks, link, each.bytes) for each in ranges]
        return ReconstructionV1(self.offset, self._wire_terms(), fetch_info)

    def v2(self, url: Callable[[bytes], str]) -> ReconstructionV2:
        """Return the reply of version 2, one URL per xorb and 256 ranges."""
        xorbs: dict[str, list[FetchV2]] = {}
        for xorb, ranges in self.ranges.items():
            link = url(xorb)
            groups = [ranges[at : at + _MAX_RANGES] for at in range(0, len(ranges), _MAX_RANGES)]
            xorbs[to_wire(xorb)] = [FetchV2(link, group) for group in groups]
        return ReconstructionV2(self.offset, self._wire_terms(), xorbs)

    def _wire_terms(self) -> list[WireTerm]:
        return [WireTerm(to_wire(term.xorb), term.size, Span(term.start, term.end)) for term in self.terms]


def pack_terms(terms: Iterable[Term]) -> bytes:
    """Return terms as bytes for a database column, 44 per term."""
    return b"".join([_TERM.pack(term.xorb, term.size, term.start, term.end) for term in terms])


def unpack_terms(packed: Buffer) -> list[Term]:
    """Return the terms that `pack_terms` or a shard packed; FormatError when they are cut."""
    if len(packed) % _TERM.size:
        raise FormatError(f"terms have {_TERM.size} bytes each, got {len(packed)} bytes")
    # A hostile shard has a million terms of one xorb: they share its hash.
    xorbs: dict[bytes, bytes] = {}
    return [
        Term(xorbs.setdefault(xorb, xorb), size, start, end)
        for xorb, size, start, end in _TERM.iter_unpack(packed)
    ]


def file_size(terms: Iterable[Term]) -> int:
    """Return the bytes of the file that the terms make."""
    return sum([term.size for term in terms])


def xorbs_of(terms: Iterable[Term], start: int = 0, end: int | None = None) -> set[bytes]:
    """Return the raw hashes of the xorbs that hold the bytes [start, end) of a file."""
    return {term.xorb for term, _ in _overlapping(terms, start, end)}


def reconstruction(
    terms: Sequence[Term],
    records: Mapping[bytes, XorbRecord],
    byte_range: tuple[int, int | None] | None = None,
) -> Reconstruction:
    """Plan the reply for a file or its bytes [start, end); an end behind the file's is cut.

    Whole chunks outside the range are left off the first and the last term. Every term lies inside one
    range of its xorb, as clients demand (xet-core `file_term.rs`). Raises RangeError.
    """
    start, end = byte_range or (0, None)
    _check_range(terms, start, end)
    offset, trimmed = 0, list[Term]()
    for term, at in _overlapping(terms, start, end):
        cut, skip = _trim(term, records[term.xorb], start - at, None if end is None else end - at)
        offset = offset if trimmed else skip
        trimmed.append(cut)
    spans: dict[bytes, list[tuple[int, int]]] = {}
    for term in trimmed:
        spans.setdefault(term.xorb, []).append((term.start, term.end))
    ranges = {xorb: _ranges(records[xorb], _merge(each)) for xorb, each in spans.items()}
    return Reconstruction(offset, trimmed, ranges)


def reads(
    terms: Sequence[Term],
    records: Mapping[bytes, XorbRecord],
    start: int = 0,
    end: int | None = None,
    *,
    piece_size: int = PIECE_SIZE,
) -> Iterator[Read]:
    """Plan the reads that give the bytes [start, end) of a file in order; an end behind it is cut.

    Each read decodes to at most `piece_size` bytes, or to one chunk. Raises RangeError at once.
    """
    _check_range(terms, start, end)
    return _reads(terms, records, start, end, piece_size)


def decode(
    terms: Sequence[Term],
    records: Mapping[bytes, XorbRecord],
    open_xorb: Callable[[bytes, int, int], Buffer],
    start: int = 0,
    end: int | None = None,
    *,
    piece_size: int = PIECE_SIZE,
) -> Iterator[bytes]:
    """Yield the bytes [start, end) of a file in pieces of at most `piece_size` bytes, or of one chunk.

    `open_xorb(raw hash, start, end)` returns these bytes of a stored xorb. Raises RangeError at once, and
    FormatError while iterating when stored bytes do not have their recorded hash.
    """
    planned = reads(terms, records, start, end, piece_size=piece_size)
    return (b"".join(decode_read(read, records[read.xorb], open_xorb)) for read in planned)


def decode_read(
    read: Read, record: XorbRecord, open_xorb: Callable[[bytes, int, int], Buffer], *, check: bool = True
) -> list[Buffer]:
    """Do one planned read and return its plain bytes, one buffer per chunk."""
    stored = open_xorb(read.xorb, read.start, read.end)
    chunks = decode_chunks(stored, record, read.first, read.last, check=check)
    left = read.skip + read.take
    for index, chunk in enumerate(chunks):
        if len(chunk) > left:
            chunks[index] = memoryview(chunk)[:left]
        left -= len(chunks[index])
    chunks[0] = memoryview(chunks[0])[read.skip :]
    return chunks


def _check_range(terms: Sequence[Term], start: int, end: int | None) -> None:
    size = file_size(terms)
    if start >= size and not start == size == 0:
        raise RangeError(start, size)
    if start < 0 or (end is not None and end <= start):
        raise RangeError(start, size)


def _overlapping(terms: Iterable[Term], start: int, end: int | None) -> Iterator[tuple[Term, int]]:
    """Yield (term, its offset in the file) for the terms that hold bytes of [start, end)."""
    at = 0
    for term in terms:
        if end is not None and at >= end:
            return
        if at + term.size > start:
            yield term, at
        at += term.size


def _trim(term: Term, record: XorbRecord, start: int, end: int | None) -> tuple[Term, int]:
    """Return the term without chunks outside its own bytes [start, end), and the bytes to skip in it."""
    base = record.raw_starts[term.start]
    start = max(start, 0)
    stop = term.size if end is None else min(end, term.size)
    first = max(record.chunk_at(base + start), term.start)
    last = min(record.chunk_at(base + stop - 1) + 1, term.end)
    size = record.raw_starts[last] - record.raw_starts[first]
    return Term(term.xorb, size, first, last), base + start - record.raw_starts[first]


def _merge(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join chunk spans that touch or overlap."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _ranges(record: XorbRecord, spans: list[tuple[int, int]]) -> list[RangeV2]:
    return [
        RangeV2(Span(start, end), Span(record.starts[start], record.starts[end] - 1)) for start, end in spans
    ]


def _reads(
    terms: Sequence[Term], records: Mapping[bytes, XorbRecord], start: int, end: int | None, piece_size: int
) -> Iterator[Read]:
    for term, at in _overlapping(terms, start, end):
        record = records[term.xorb]
        cut, skip = _trim(term, record, start - at, None if end is None else end - at)
        left = min(term.size, term.size if end is None else end - at) - max(start - at, 0)
        first = cut.start
        while first < cut.end:
            raw_start = record.raw_starts[first]
            # The last chunk whose end is within the piece, at least one.
            last = min(max(record.chunk_at(raw_start + piece_size), first + 1), cut.end)
            take = min(record.raw_starts[last] - raw_start - skip, left)
            yield Read(term.xorb, record.starts[first], record.starts[last], first, last, skip, take)
            first, skip, left = last, 0, left - take
