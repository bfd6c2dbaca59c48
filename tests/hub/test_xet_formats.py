"""Xorbs and shards: valid ones are read to the byte, all others raise FormatError and cost little."""

import io
import random
import tracemalloc
from pathlib import Path

import lz4.frame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xet_builder import (
    BuiltTerm,
    BuiltXorb,
    build_chunk,
    build_file,
    build_header,
    build_shard,
    build_trailer,
    build_upload,
    build_xorb,
    split,
)

from hub.xet import shards, verification, xorbs
from hub.xet.errors import FormatError
from hub.xet.hashes import hmac, to_wire
from hub.xet.plans import Term, unpack_terms
from hub.xet.shards import Shard, build_dedup_shard
from hub.xet.xorbs import XorbRecord, decode_chunks, inspect, read_chunks

CHUNKS = [
    random.Random(seed).randbytes(size) for seed, size in enumerate([1, 2, 3, 4, 5, 999, 1000, 1001, 1002])
]
MIXED = build_xorb([*CHUNKS, bytes(5000), b"abcd" * 700], [0, 1, 2, 2, 1, 2, 2, 2, 2, 2, 1])
SHARD = build_shard([build_file([BuiltTerm(MIXED, 0, 5), BuiltTerm(MIXED, 3, 11)])], [MIXED])


def record_of(xorb: BuiltXorb) -> XorbRecord:
    return inspect(io.BytesIO(xorb.data))


def test_a_xorb_of_all_schemes_is_read_to_the_byte() -> None:
    record = record_of(MIXED)

    assert record.hash == MIXED.hash
    assert (record.count, record.size) == (len(MIXED.chunks), len(MIXED.data))
    assert record.raw_size == sum(map(len, MIXED.chunks))
    stream = io.BytesIO(MIXED.data)
    for start in range(record.count):
        for end in range(start + 1, record.count + 1):
            assert list(map(bytes, read_chunks(stream, record, start, end))) == MIXED.chunks[start:end]


def test_a_xorb_is_read_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "xorb"
    path.write_bytes(MIXED.data)

    assert inspect(path) == record_of(MIXED)


def test_a_stream_that_returns_little_at_a_time_is_read_on() -> None:
    class Drip(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 3))

    assert inspect(Drip(MIXED.data)) == record_of(MIXED)


def test_a_record_survives_its_column_at_40_bytes_per_chunk() -> None:
    record = record_of(build_xorb(split(bytes(100_000), 100)))

    packed = record.pack()

    assert XorbRecord.unpack(packed) == record
    assert len(packed) == 37 + 40 * 1000


@pytest.mark.parametrize(
    "packed", [b"", b"\1", b"\2" + bytes(36), record_of(MIXED).pack()[:-1], record_of(MIXED).pack() + b"x"]
)
def test_a_cut_record_is_refused(packed: bytes) -> None:
    with pytest.raises(FormatError, match="record"):
        XorbRecord.unpack(packed)


def test_a_trailer_is_skipped_and_its_offset_reported() -> None:
    record = inspect(io.BytesIO(MIXED.data + build_trailer(MIXED)))

    assert record == record_of(MIXED)
    assert record.size == len(MIXED.data)


def test_a_trailer_is_no_place_to_hide_gigabytes() -> None:
    with pytest.raises(FormatError, match="trailer"):
        inspect(io.BytesIO(MIXED.data + b"XETBLOB" + bytes(xorbs.MAX_TRAILER_SIZE)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no chunk"),
        (b"XETBLOB\1", "no chunk"),
        (build_header(4, 0, 4)[:7], "7 of 8 bytes"),
        (build_header(4, 0, 4) + b"abc", "3 of 4 bytes"),
        (build_header(4, 0, 4, version=1) + b"abcd", "version `1`"),
        (build_header(4, 3, 4) + b"abcd", "scheme `3`"),
        (build_header(0, 0, 0), "0 plain bytes"),
        (build_header(0, 1, 4), "0 stored bytes"),
        (build_header(4, 0, 5) + b"abcd", "declares 5 plain bytes, stores 4"),
        (build_header(131073, 0, 131073) + bytes(131073), "131073 plain bytes"),
        (build_header(262145, 1, 4) + bytes(262145), "262145 stored bytes"),
        (build_header(20, 1, 4) + b"abcd" * 5, "no LZ4 frame"),
        (build_chunk(b"abcd", 0) + b"junk", "4 of 8 bytes"),
    ],
)
def test_a_malformed_xorb_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        inspect(io.BytesIO(data))


@pytest.mark.parametrize("scheme", [1, 2])
@pytest.mark.parametrize("declared", [131072, 1])
def test_a_bomb_is_refused_without_allocating_what_it_holds(scheme: int, declared: int) -> None:
    for store_size in (True, False):
        bomb = lz4.frame.compress(bytes(60_000_000), store_size=store_size)
        data = build_header(len(bomb), scheme, declared) + bomb
        tracemalloc.start()

        with pytest.raises(FormatError, match="holds more"):
            inspect(io.BytesIO(data))

        assert tracemalloc.get_traced_memory()[1] < 2_000_000
        tracemalloc.stop()


@pytest.mark.parametrize("tail", [b"x", lz4.frame.compress(b"second")])
def test_bytes_behind_an_lz4_frame_are_refused(tail: bytes) -> None:
    frame = lz4.frame.compress(b"abcd") + tail

    with pytest.raises(FormatError, match="behind its LZ4 frame"):
        inspect(io.BytesIO(build_header(len(frame), 1, 4) + frame))


def test_an_lz4_frame_without_its_end_is_refused() -> None:
    frame = lz4.frame.compress(b"abcd" * 100)[:-2]

    with pytest.raises(FormatError, match="cut"):
        inspect(io.BytesIO(build_header(len(frame), 1, 400) + frame))


def test_limits_of_a_xorb_hold() -> None:
    full = build_chunk(b"x") * xorbs.MAX_CHUNKS
    assert inspect(io.BytesIO(full)).count == xorbs.MAX_CHUNKS
    with pytest.raises(FormatError, match="more than 8192 chunks"):
        inspect(io.BytesIO(full + build_chunk(b"x")))

    large = build_chunk(bytes(131072), 1)
    assert inspect(io.BytesIO(large * 512)).raw_size == xorbs.MAX_RAW_SIZE
    with pytest.raises(FormatError, match="more than 67108864 plain bytes"):
        inspect(io.BytesIO(large * 512 + build_chunk(b"x")))


def test_a_byte_that_rotted_on_disk_is_noticed() -> None:
    record, rotten = record_of(MIXED), bytearray(MIXED.data)
    rotten[8] ^= 1

    with pytest.raises(FormatError, match="recorded hash"):
        decode_chunks(rotten, record, 0, record.count)


def test_a_header_that_rotted_on_disk_is_noticed() -> None:
    record, rotten = record_of(MIXED), bytearray(MIXED.data)
    rotten[5] ^= 3

    with pytest.raises(FormatError, match="another size than its record"):
        decode_chunks(rotten, record, 0, record.count)


def test_a_short_read_is_noticed() -> None:
    record = record_of(MIXED)

    with pytest.raises(FormatError, match=f"chunks 0:{record.count} are {record.size} bytes"):
        decode_chunks(MIXED.data[:-1], record, 0, record.count)


def mutations(original: bytes) -> st.SearchStrategy[bytes]:
    """Cut, flip, insert: what damage and malice do to valid bytes."""
    at = st.integers(0, len(original) - 1)
    flips = st.lists(st.tuples(at, st.integers(1, 255)), min_size=1, max_size=4)

    def flip(changes: list[tuple[int, int]]) -> bytes:
        changed = bytearray(original)
        for where, mask in changes:
            changed[where] ^= mask
        return bytes(changed)

    return st.one_of(
        st.binary(max_size=200),
        at.map(lambda where: original[:where]),
        flips.map(flip),
        st.tuples(at, st.binary(max_size=60)).map(
            lambda cut: original[: cut[0]] + cut[1] + original[cut[0] :]
        ),
    )


@settings(max_examples=500, deadline=None)
@given(mutations(MIXED.data))
def test_damaged_xorbs_raise_format_errors_or_have_another_hash(data: bytes) -> None:
    try:
        record = inspect(io.BytesIO(data))
    except FormatError:
        return
    chunks = read_chunks(io.BytesIO(data), record, 0, record.count)
    assert (record.hash == MIXED.hash) == (list(map(bytes, chunks)) == MIXED.chunks)


def test_a_shard_is_read_to_the_byte() -> None:
    shard = Shard(SHARD)

    (file,), (xorb,) = shard.files(), shard.xorbs()

    assert (shard.file_count, shard.xorb_count) == (1, 1)
    built = build_file([BuiltTerm(MIXED, 0, 5), BuiltTerm(MIXED, 3, 11)])
    assert (file.hash, file.sha256) == (built.hash, built.sha256)
    sizes = [sum(map(len, MIXED.chunks[a:b])) for a, b in ((0, 5), (3, 11))]
    assert unpack_terms(file.terms) == [Term(MIXED.hash, sizes[0], 0, 5), Term(MIXED.hash, sizes[1], 3, 11)]
    record = record_of(MIXED)
    assert (xorb.hash, xorb.hashes) == (record.hash, record.hashes)
    assert (xorb.raw_size, xorb.stored_size) == (record.raw_size, record.size)


def test_lookup_tables_and_a_footer_behind_a_shard_are_not_read() -> None:
    assert list(Shard(SHARD + bytes(500)).files()) == list(Shard(SHARD).files())


@pytest.mark.parametrize("cut", range(0, len(SHARD), 16))
def test_a_truncated_shard_is_refused(cut: int) -> None:
    with pytest.raises(FormatError, match="shard"):
        Shard(SHARD[:cut])


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (0, b"X", "tag"),
        (32, b"\3", "version `3`"),
        (80, b"\1", "unknown flags"),
        (84, b"\0\0\0\0", "no entries"),
        (84, b"\xff\xff\xff\xff", "4294967295 entries"),
    ],
)
def test_a_forged_header_is_refused(at: int, value: bytes, message: str) -> None:
    forged = SHARD[:at] + value + SHARD[at + len(value) :]

    with pytest.raises(FormatError, match=message):
        Shard(forged)


def test_a_shard_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "MAX_SHARD_SIZE", len(SHARD) - 1)

    with pytest.raises(FormatError, match="at most"):
        Shard(SHARD)


@settings(max_examples=500, deadline=None)
@given(mutations(SHARD))
def test_damaged_shards_raise_format_errors_or_describe_the_same_bytes(data: bytes) -> None:
    records = {MIXED.hash: record_of(MIXED)}
    truth = build_file([BuiltTerm(MIXED, 0, 5), BuiltTerm(MIXED, 3, 11)])
    try:
        shard = Shard(data)
        for file in shard.files():
            verified = verification.verify_file(file, records, lambda _, start, end: MIXED.data[start:end])
            assert verified.sha256 == truth.sha256
        assert all(len(xorb.hashes) % 32 == 0 for xorb in shard.xorbs())
    except FormatError:
        return


def test_the_reply_to_a_chunk_query_is_a_shard_with_keyed_hashes() -> None:
    record, key = record_of(MIXED), b"k" * 32

    reply = build_dedup_shard([record, record], key, 2_000_000_000, created=1_900_000_000)

    shard = Shard(reply)
    assert (shard.file_count, shard.xorb_count) == (0, 2)
    for xorb in shard.xorbs():
        assert xorb.hash == record.hash
        assert xorb.hashes == b"".join(hmac(record.chunk_hash(i), key) for i in range(record.count))
    assert reply[-200 + 72 : -200 + 104] == key
    assert int.from_bytes(reply[-200 + 112 : -200 + 120], "little") == 2_000_000_000


def test_the_builder_makes_what_a_client_would_upload() -> None:
    content = random.Random(7).randbytes(300_001)

    upload = build_upload(content, chunk_size=4096, chunks_per_xorb=20, scheme=2)

    records = {
        record.hash: record for record in (inspect(io.BytesIO(data)) for data in upload.xorbs.values())
    }
    assert {to_wire(digest) for digest in records} == set(upload.xorbs)
    (file,) = Shard(upload.shard).files()
    verified = verification.verify_file(
        file, records, lambda xorb, start, end: upload.xorbs[to_wire(xorb)][start:end]
    )
    assert (to_wire(verified.hash), verified.sha256, verified.size) == (
        upload.file_hash,
        upload.sha256,
        300_001,
    )
