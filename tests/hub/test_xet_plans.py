"""Reading files back, and proving them: every range, every way to lie about a file."""

import hashlib
import random
import threading
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xet_builder import BuiltFile, BuiltTerm, BuiltXorb, build_file, build_shard, build_xorb, split

from hub.xet import plans
from hub.xet.errors import FormatError, RangeError
from hub.xet.hashes import ZERO, to_wire
from hub.xet.plans import Span, Term
from hub.xet.shards import FileInfo, Shard
from hub.xet.verification import verify_file
from hub.xet.xorbs import XorbRecord, inspect

RANDOM = random.Random(11)
FIRST = build_xorb([RANDOM.randbytes(size) for size in (10, 200, 30, 400, 50)], [0, 1, 2, 0, 2])
SECOND = build_xorb(split(RANDOM.randbytes(3000), 1000), 2)
XORBS = {xorb.hash: xorb for xorb in (FIRST, SECOND)}
# Adjacent, overlapping, apart and repeated ranges of the same xorb.
FILE = build_file(
    [
        BuiltTerm(FIRST, 0, 2),
        BuiltTerm(SECOND, 0, 1),
        BuiltTerm(FIRST, 2, 3),
        BuiltTerm(SECOND, 2, 3),
        BuiltTerm(FIRST, 4, 5),
        BuiltTerm(FIRST, 0, 2),
    ]
)


def record(xorb: BuiltXorb) -> XorbRecord:
    import io

    return inspect(io.BytesIO(xorb.data))


RECORDS = {xorb.hash: record(xorb) for xorb in XORBS.values()}


def read(xorb: bytes, start: int, end: int) -> bytes:
    return XORBS[xorb].data[start:end]


def describe(file: BuiltFile) -> FileInfo:
    return next(Shard(build_shard([file], [])).files())


TERMS = plans.unpack_terms(describe(FILE).terms)
SIZE = len(FILE.content)
RANGES = st.tuples(st.integers(0, SIZE - 1), st.integers(1, SIZE + 50)).map(lambda r: (r[0], r[0] + r[1]))


def test_terms_survive_their_column() -> None:
    assert plans.unpack_terms(plans.pack_terms(TERMS)) == TERMS
    assert plans.file_size(TERMS) == SIZE
    with pytest.raises(FormatError, match="44 bytes"):
        plans.unpack_terms(b"x")


@settings(max_examples=400, deadline=None)
@given(RANGES, st.integers(1, 2000))
def test_every_range_decodes_to_the_slice_of_the_file(span: tuple[int, int], piece_size: int) -> None:
    needed = plans.xorbs_of(TERMS, *span)
    records = {xorb: RECORDS[xorb] for xorb in needed}

    pieces = list(plans.decode(TERMS, records, read, *span, piece_size=piece_size))

    assert b"".join(pieces) == FILE.content[slice(*span)]
    assert all(0 < len(piece) <= max(piece_size, 1000) for piece in pieces)


def client_read(plan: plans.Reconstruction, start: int, end: int) -> bytes:
    """Read as a client does: fetch ranges, cut terms out of them, skip the offset, stop at the end."""
    reply = plan.v2(to_wire)
    out = b""
    for term in reply.terms:
        (fetch,) = reply.xorbs[term.hash]
        xorb = next(xorb for xorb in XORBS.values() if xorb.name == fetch.url)
        inside = [
            r for r in fetch.ranges if r.chunks.start <= term.range.start and term.range.end <= r.chunks.end
        ]
        (held,) = inside
        stored = RECORDS[xorb.hash].starts
        assert (held.bytes.start, held.bytes.end) == (stored[held.chunks.start], stored[held.chunks.end] - 1)
        plain = b"".join(xorb.chunks[term.range.start : term.range.end])
        assert len(plain) == term.unpacked_length
        out += plain
    return out[reply.offset_into_first_range :][: end - start]


@settings(max_examples=400, deadline=None)
@given(RANGES)
def test_every_range_reconstructs_to_the_slice_of_the_file(span: tuple[int, int]) -> None:
    plan = plans.reconstruction(TERMS, RECORDS, span)

    assert client_read(plan, *span) == FILE.content[slice(*span)]
    first, last = plan.terms[0], plan.terms[-1]
    # Whole chunks outside the range are left off on both sides.
    assert plan.offset < len(XORBS[first.xorb].chunks[first.start])
    beyond = plan.offset + min(span[1], SIZE) - span[0]
    assert sum(term.size for term in plan.terms) - beyond < len(XORBS[last.xorb].chunks[last.end - 1])


def test_a_whole_file_merges_ranges_and_names_each_xorb_once() -> None:
    plan = plans.reconstruction(TERMS, RECORDS)

    v1 = msgspec.json.decode(msgspec.json.encode(plan.v1(lambda xorb: "https://" + to_wire(xorb))))

    assert client_read(plan, 0, SIZE) == FILE.content
    assert [each.chunks for each in plan.ranges[FIRST.hash]] == [Span(0, 3), Span(4, 5)]
    assert set(v1) == {"offset_into_first_range", "terms", "fetch_info"}
    starts = RECORDS[SECOND.hash].starts
    assert v1["fetch_info"][SECOND.name] == [
        {
            "range": {"start": 0, "end": 1},
            "url": "https://" + SECOND.name,
            "url_range": {"start": 0, "end": starts[1] - 1},
        },
        {
            "range": {"start": 2, "end": 3},
            "url": "https://" + SECOND.name,
            "url_range": {"start": starts[2], "end": starts[3] - 1},
        },
    ]
    assert v1["terms"][1] == {"hash": SECOND.name, "unpacked_length": 1000, "range": {"start": 0, "end": 1}}


def test_many_ranges_of_one_xorb_are_split_over_fetches() -> None:
    xorb = build_xorb(split(bytes(range(256)) * 10, 2))
    terms = [Term(xorb.hash, 2, index, index + 1) for index in range(0, 1200, 2)]

    reply = plans.reconstruction(terms, {xorb.hash: record(xorb)}).v2(to_wire)

    assert [len(fetch.ranges) for fetch in reply.xorbs[xorb.name]] == [256, 256, 88]


@pytest.mark.parametrize("span", [(SIZE, None), (SIZE, SIZE + 1), (SIZE + 10, None), (5, 5), (-1, 3)])
def test_a_range_outside_the_file_is_another_error(span: tuple[int, int | None]) -> None:
    for plan in (
        lambda: plans.reconstruction(TERMS, RECORDS, span),
        lambda: plans.reads(TERMS, RECORDS, *span),
        lambda: plans.decode(TERMS, RECORDS, read, *span),
    ):
        with pytest.raises(RangeError) as caught:
            plan()
        assert caught.value.size == SIZE


def test_an_empty_file_reads_as_nothing() -> None:
    assert plans.reconstruction([], {}).v2(to_wire) == plans.ReconstructionV2(0, [], {})
    assert list(plans.decode([], {}, read)) == []
    empty = FileInfo(ZERO, b"", b"", None)
    assert verify_file(empty, {}, read).sha256 == hashlib.sha256().hexdigest()


def test_a_file_verifies_with_progress_and_on_several_threads() -> None:
    seen: list[tuple[int, int]] = []
    for workers in (1, 3):
        verified = verify_file(
            describe(FILE), RECORDS, read, lambda done, total: seen.append((done, total)), workers=workers
        )
        assert (verified.hash, verified.size, verified.sha256) == (FILE.hash, SIZE, FILE.sha256)
    assert seen[-1] == (SIZE, SIZE)
    assert [done for done, _ in seen[: len(seen) // 2]] == sorted({done for done, _ in seen})


def test_progress_may_stop_the_work_and_no_thread_stays() -> None:
    def stop(done: int, total: int) -> None:
        raise InterruptedError(done, total)

    with pytest.raises(InterruptedError):
        verify_file(describe(FILE), RECORDS, read, stop)

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("xet-decode")]


def forge(**changes: object) -> FileInfo:
    return msgspec.structs.replace(describe(FILE), **changes)


def with_term(index: int, change: Callable[[Term], Term]) -> bytes:
    return plans.pack_terms([change(term) if at == index else term for at, term in enumerate(TERMS)])


def resized(term: Term, start: int, end: int, size: int) -> Term:
    return Term(term.xorb, size, start, end)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (forge(terms=with_term(1, lambda t: Term(b"u" * 32, t.size, 0, 1))), "term 1 needs xorb `7575"),
        (forge(terms=with_term(1, lambda t: resized(t, 0, 4, 4000))), "chunks `0:4` of a xorb with 3 chunks"),
        (forge(terms=with_term(1, lambda t: resized(t, 1, 1, 0))), "chunks `1:1`"),
        (forge(terms=with_term(1, lambda t: resized(t, 2, 1, 1000))), "chunks `2:1`"),
        (
            forge(terms=with_term(1, lambda t: resized(t, 0, 1, 999))),
            "declares 999 bytes, its chunks have 1000",
        ),
        (forge(terms=with_term(1, lambda t: resized(t, 1, 2, 1000))), "term 1 has a wrong range hash"),
        (forge(proofs=b""), "0 range hashes for 6 terms"),
        (forge(proofs=bytes(32 * 6)), "term 0 has a wrong range hash"),
        (forge(hash=b"h" * 32), "has chunks of file `" + FILE.name),
        (forge(terms=b"", proofs=b""), "has chunks of file `" + "0" * 64),
        (forge(sha256="0" * 64), f"its bytes have `{FILE.sha256}`"),
    ],
)
def test_a_lie_about_a_file_is_refused(file: FileInfo, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        verify_file(file, RECORDS, read)


def test_a_file_beyond_the_callers_limit_is_refused_before_it_is_read() -> None:
    def never(xorb: bytes, start: int, end: int) -> bytes:
        raise AssertionError((xorb, start, end))

    with pytest.raises(FormatError, match=f"{SIZE} bytes, allowed are {SIZE - 1}"):
        verify_file(describe(FILE), RECORDS, never, max_size=SIZE - 1)


def test_a_small_shard_cannot_ask_for_hours_of_hashing() -> None:
    tiny = build_xorb(split(bytes(8192), 1))
    file = FileInfo(
        b"h" * 32, plans.pack_terms([Term(tiny.hash, 8192, 0, 8192)] * 100_000), bytes(3_200_000), None
    )

    with pytest.raises(FormatError, match="chunks of 8 KiB or more"):
        verify_file(file, {tiny.hash: record(tiny)}, read)


@pytest.mark.parametrize("sha256", [FILE.sha256, None])
def test_stored_bytes_that_rotted_do_not_verify(sha256: str | None) -> None:
    def rotten(xorb: bytes, start: int, end: int) -> bytes:
        stored = bytearray(read(xorb, start, end))
        if xorb == FIRST.hash and start == 0:
            stored[10] ^= 1
        return bytes(stored)

    with pytest.raises(FormatError, match=r"its bytes have|recorded hash"):
        verify_file(forge(sha256=sha256), RECORDS, rotten)
