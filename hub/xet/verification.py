"""Whether a file that a shard describes is what it says: its chunks, its hash, its SHA-256."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final

import msgspec

from hub.xet.errors import FormatError
from hub.xet.hashes import HASH_SIZE, Buffer, Tree, file_hash, range_hash, to_wire
from hub.xet.plans import TERM_SIZE, Read, Term, decode_read, file_size, reads, unpack_terms
from hub.xet.shards import FileInfo
from hub.xet.xorbs import XorbRecord

MAX_FILE_SIZE: Final = 1 << 40

# Chunks of clients have 8 KiB or more. Below this mean, a file of a few terms could cost hours of hashing.
_MIN_MEAN_CHUNK_SIZE: Final = 1024
_SPARE_CHUNKS: Final = 8192
_PIECE_SIZE: Final = 1024 * 1024


class VerifiedFile(msgspec.Struct, frozen=True):
    """A file that is what its shard says; `sha256` is computed, not believed."""

    hash: bytes
    size: int
    sha256: str


def verify_file(
    file: FileInfo,
    records: Mapping[bytes, XorbRecord],
    open_xorb: Callable[[bytes, int, int], Buffer],
    progress: Callable[[int, int], None] | None = None,
    *,
    max_size: int = MAX_FILE_SIZE,
    workers: int = 1,
) -> VerifiedFile:
    """Prove a described file from verified xorbs, and return its size and SHA-256.

    `records` has every xorb that the uploader may reference. `open_xorb(raw hash, start, end)` returns
    these bytes of a stored xorb and is called from several threads. `progress(done, total)` in bytes is
    called about once per MiB in the caller's thread; what it raises ends the work. Raises FormatError
    when a term leaves its xorb, a size, proof of possession, file hash or SHA-256 is wrong, or the file
    has more than `max_size` bytes.

    One of the `workers` decodes about as fast as the caller's thread hashes, and more only fight for the
    GIL; take more where `open_xorb` waits for a network. Each keeps about 4 MiB in memory.
    """
    size = check_file(file, records, max_size=max_size)
    name, terms = f"file `{to_wire(file.hash)}`", unpack_terms(file.terms)
    # The SHA-256 proves the stored bytes again; without one to compare, the chunk hashes must.
    sha256 = _sha256(terms, records, open_xorb, progress, check=file.sha256 is None, workers=workers)
    if file.sha256 not in (None, sha256):
        raise FormatError(f"{name} was announced with SHA-256 `{file.sha256}`, its bytes have `{sha256}`")
    return VerifiedFile(file.hash, size, sha256)


def check_file(file: FileInfo, records: Mapping[bytes, XorbRecord], *, max_size: int = MAX_FILE_SIZE) -> int:
    """Check all of a described file but its SHA-256 and return its size, without reading a stored byte.

    The file hash that is checked names the bytes, so a file whose SHA-256 was once computed under this hash
    needs no more. Raises FormatError as `verify_file` does.
    """
    name = f"file `{to_wire(file.hash)}`"
    count = len(file.terms) // TERM_SIZE
    if len(file.proofs) != HASH_SIZE * count:
        raise FormatError(f"{name} has {len(file.proofs) // HASH_SIZE} range hashes for {count} terms")
    terms = unpack_terms(file.terms)
    _check_terms(name, terms, records, max_size)
    _check_proofs(name, file.proofs, terms, records)
    _check_hash(name, file.hash, terms, records)
    return file_size(terms)


def _check_terms(
    name: str, terms: Sequence[Term], records: Mapping[bytes, XorbRecord], max_size: int
) -> None:
    chunks = 0
    for index, term in enumerate(terms):
        where = f"{name} term {index}"
        record = records.get(term.xorb)
        if record is None:
            raise FormatError(
                f"{where} needs xorb `{to_wire(term.xorb)}`, which is not stored: upload it first"
            )
        if not term.start < term.end <= record.count:
            span = f"`{term.start}:{term.end}`"
            raise FormatError(f"{where} has chunks {span} of a xorb with {record.count} chunks")
        size = record.raw_starts[term.end] - record.raw_starts[term.start]
        if term.size != size:
            raise FormatError(f"{where} declares {term.size} bytes, its chunks have {size}")
        chunks += term.end - term.start
    size = file_size(terms)
    if size > max_size:
        raise FormatError(f"{name} has {size} bytes, allowed are {max_size}")
    if chunks > _SPARE_CHUNKS + size // _MIN_MEAN_CHUNK_SIZE:
        raise FormatError(
            f"{name} has {chunks} chunks for {size} bytes: chunks of 8 KiB or more are expected"
        )


def _check_proofs(
    name: str, proofs: bytes, terms: Sequence[Term], records: Mapping[bytes, XorbRecord]
) -> None:
    for index, term in enumerate(terms):
        hashes = memoryview(records[term.xorb].hashes)[HASH_SIZE * term.start : HASH_SIZE * term.end]
        if proofs[HASH_SIZE * index : HASH_SIZE * (index + 1)] != range_hash(hashes):
            raise FormatError(f"{name} term {index} has a wrong range hash")


def _check_hash(name: str, digest: bytes, terms: Sequence[Term], records: Mapping[bytes, XorbRecord]) -> None:
    tree = Tree()
    for term in terms:
        for leaf in records[term.xorb].leaves(term.start, term.end):
            tree.push(*leaf)
    actual = file_hash(tree.root(), empty=not terms)
    if actual != digest:
        raise FormatError(f"{name} has chunks of file `{to_wire(actual)}`")


def _sha256(
    terms: Sequence[Term],
    records: Mapping[bytes, XorbRecord],
    open_xorb: Callable[[bytes, int, int], Buffer],
    progress: Callable[[int, int], None] | None,
    *,
    check: bool,
    workers: int,
) -> str:
    """Hash the decoded file while threads decode ahead; two pieces per worker are in memory."""
    digest, done, total = hashlib.sha256(), 0, file_size(terms)
    planned = reads(terms, records, piece_size=_PIECE_SIZE)

    def decoded(read: Read) -> list[Buffer]:
        return decode_read(read, records[read.xorb], open_xorb, check=check)

    with ThreadPoolExecutor(workers, "xet-decode") as pool:
        pending = deque[Future[list[Buffer]]](
            pool.submit(decoded, read) for read in islice(planned, 2 * workers)
        )
        try:
            for chunks in _drain(pending, planned, lambda read: pool.submit(decoded, read)):
                for chunk in chunks:
                    digest.update(chunk)
                    done += len(chunk)
                if progress is not None:
                    progress(done, total)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return digest.hexdigest()


def _drain(
    pending: deque[Future[list[Buffer]]],
    planned: Iterator[Read],
    submit: Callable[[Read], Future[list[Buffer]]],
) -> Iterator[list[Buffer]]:
    """Yield results in order and submit one more read for each."""
    while pending:
        chunks = pending.popleft().result()
        pending.extend(submit(read) for read in islice(planned, 1))
        yield chunks
