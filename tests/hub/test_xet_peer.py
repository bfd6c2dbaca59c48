"""The formats against the client that defines them: real uploads, real downloads, real deduplication."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from xet_peer import Store, download, hf_xet, log_of, serve, upload

from hub.xet import shards, verification
from hub.xet.hashes import from_wire, to_wire

MIB = 1024 * 1024


def noise(size: int, seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def weights(size: int, seed: int) -> bytes:
    return np.random.default_rng(seed).standard_normal(size // 4, dtype=np.float32).tobytes()


def text(size: int) -> bytes:
    lines = "".join(
        f"{index},subject-{index % 97},t1w,{index * 7919 % 1013}\n" for index in range(size // 20)
    )
    return lines.encode()[:size]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_XET_CACHE", str(tmp_path / "cache"))
    with serve() as store:
        yield store


@pytest.fixture
def content() -> bytes:
    return noise(3 * MIB + 17, 1) + weights(3 * MIB, 2) + text(2 * MIB)


def schemes(xorb: bytes) -> set[int]:
    found, at = set[int](), 0
    while at < len(xorb):
        found.add(xorb[at + 4])
        at += 8 + int.from_bytes(xorb[at + 1 : at + 4], "little")
    return found


def test_what_the_client_uploads_verifies_and_has_the_clients_own_hash(
    store: Store, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(content)

    name = upload(store, content)

    assert name == hf_xet.hash_files([str(path)])[0].hash
    (file,) = shards.Shard(store.shards[0]).files()
    verified = verification.verify_file(file, store.records, store.read)
    assert to_wire(verified.hash) == name
    assert verified.size == len(content)
    assert verified.sha256 == file.sha256 == hashlib.sha256(content).hexdigest()
    assert set[int]().union(*map(schemes, store.xorbs.values())) == {0, 1, 2}


def test_the_shards_account_of_xorbs_is_our_own(store: Store, content: bytes) -> None:
    upload(store, content)

    described = list(shards.Shard(store.shards[0]).xorbs())

    assert {to_wire(xorb.hash) for xorb in described} == set(store.xorbs)
    for xorb in described:
        record = store.records[xorb.hash]
        assert (xorb.hashes, xorb.raw_size) == (record.hashes, record.raw_size)


@pytest.mark.parametrize("versions", [{"v1", "v2"}, {"v1"}])
def test_the_client_reads_a_file_back_by_our_reconstruction(
    store: Store, content: bytes, versions: set[str]
) -> None:
    store.versions = frozenset(versions)
    name = upload(store, content)

    assert download(store, name, len(content)) == content, log_of(store)


@pytest.mark.parametrize(
    ("start", "end"), [(0, 1), (1, 70_000), (3 * MIB - 5, 3 * MIB + 100_000), (5 * MIB + 3, None), (None, 99)]
)
def test_the_client_reads_ranges_by_our_reconstruction(
    store: Store, content: bytes, start: int | None, end: int | None
) -> None:
    name = upload(store, content)

    assert download(store, name, len(content), start, end) == content[start:end], log_of(store)


def test_a_second_version_sends_only_what_changed_and_reads_back(store: Store) -> None:
    first = weights(16 * MIB, 3)
    second = first[: 5 * MIB] + noise(MIB // 2, 4) + first[5 * MIB + MIB // 2 :]
    upload(store, first)
    before = store.uploaded_size

    name = upload(store, second)

    assert store.uploaded_size - before < 0.06 * len(second)
    (file,) = shards.Shard(store.shards[-1]).files()
    assert (
        verification.verify_file(file, store.records, store.read).sha256 == hashlib.sha256(second).hexdigest()
    )
    assert len(store.files[name]) >= 3
    assert download(store, name, len(second)) == second


@pytest.mark.parametrize("key", [bytes(32), os.urandom(32)], ids=["plain", "keyed"])
def test_the_client_accepts_our_reply_to_a_chunk_query(store: Store, key: bytes) -> None:
    content = weights(16 * MIB, 5)
    upload(store, content)
    before = store.uploaded_size
    store.dedup_key = key

    name = upload(store, content + noise(1000, 6), "/fresh")

    assert store.uploaded_size - before < 200_000, log_of(store)
    (file,) = shards.Shard(store.shards[-1]).files()
    assert verification.verify_file(file, store.records, store.read).hash == from_wire(name)
