"""The chunk query: what need not be sent again, and who is told."""

import random
import struct
import time

import httpx
import pytest
from hub_in_process import Hub
from uploading import XetStore, upload, xet_store
from xet_builder import BuiltUpload, build_upload, split

from hub.repos.service import RepoRecord
from hub.uploads import chunks
from hub.xet.hashes import chunk_hash, dedup_eligible, hmac, to_wire

CONTENT = random.Random(5).randbytes(400_000)
BUILT = build_upload(CONTENT, chunk_size=40_000, chunks_per_xorb=5)
FIRST = chunk_hash(split(CONTENT, 40_000)[0])
UNKNOWN = bytes(31) + b"\1"


@pytest.fixture
def repo(hub: Hub) -> RepoRecord:
    repo = hub.new_repo("unet")
    xet_store(hub, repo).put(BUILT)
    return repo


def ask(store: XetStore, chunk: bytes) -> httpx.Response:
    return store.request("GET", f"/v1/chunks/default/{to_wire(chunk)}")


class Answer:
    """A dedup shard, read here once more: xorbs by hash, each with its keyed chunk hashes; key and expiry."""

    def __init__(self, shard: bytes) -> None:
        self.xorbs: dict[str, list[bytes]] = {}
        version, footer_size = struct.unpack_from("<QQ", shard, 32)
        footer = shard[-footer_size:]
        self.key, self.expiry = footer[72:104], struct.unpack_from("<Q", footer, 112)[0]
        at = 48
        assert version == 2
        assert shard[at : at + 32] == b"\xff" * 32, "the reply names files"
        at += 48
        while shard[at : at + 32] != b"\xff" * 32:
            name, count = to_wire(shard[at : at + 32]), struct.unpack_from("<I", shard, at + 36)[0]
            records = [shard[at + 48 * (n + 1) :][:32] for n in range(count)]
            self.xorbs[name] = records
            at += 48 * (count + 1)


def first_session(store: XetStore) -> XetStore:
    """Use up the long answer of a session."""
    ask(store, UNKNOWN)
    return store


def test_the_first_chunk_of_a_file_is_found_with_its_xorb(hub: Hub, repo: RepoRecord) -> None:
    store = first_session(xet_store(hub, repo))

    answer = Answer(ask(store, FIRST).content)

    assert list(answer.xorbs) == [next(iter(BUILT.xorbs))]


def test_chunk_hashes_are_keyed_and_the_answer_ends_within_a_week(hub: Hub, repo: RepoRecord) -> None:
    answers = [Answer(ask(xet_store(hub, repo), FIRST).content) for _ in range(2)]

    for answer in answers:
        hashes = [keyed for keyed_list in answer.xorbs.values() for keyed in keyed_list]
        assert hmac(FIRST, answer.key) in hashes
        assert FIRST not in hashes
        assert time.time() < answer.expiry <= time.time() + 7 * 24 * 3600
    assert answers[0].key != answers[1].key


def test_the_first_question_of_a_session_is_answered_with_the_repositorys_newest_xorbs(
    hub: Hub, repo: RepoRecord
) -> None:
    store = xet_store(hub, repo)

    first, second = ask(store, UNKNOWN), ask(store, UNKNOWN)

    assert set(Answer(first.content).xorbs) == set(BUILT.xorbs)
    assert second.status_code == 404


def test_the_long_answer_is_bounded(hub: Hub, repo: RepoRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MAX_XORBS", 2)
    newest = build_upload(CONTENT[::-1], chunk_size=40_000, chunks_per_xorb=5)
    store = xet_store(hub, repo)
    time.sleep(0.002)
    store.put(newest)

    assert set(Answer(ask(store, UNKNOWN).content).xorbs) == set(newest.xorbs)


def test_a_repository_without_xet_files_has_no_answer(hub: Hub) -> None:
    repo = hub.new_repo("whole")
    upload(hub, repo, CONTENT)

    reply = ask(xet_store(hub, repo), UNKNOWN)

    assert (reply.status_code, reply.headers["x-error-code"]) == (404, "NotFound")


@pytest.mark.usefixtures("repo")
def test_another_repository_of_the_namespace_finds_the_chunk(hub: Hub) -> None:
    store = xet_store(hub, hub.new_repo("other"))

    assert list(Answer(ask(store, FIRST).content).xorbs) == [next(iter(BUILT.xorbs))]


@pytest.mark.usefixtures("repo")
def test_another_namespace_does_not_even_when_it_writes_the_same_repository_name(hub: Hub) -> None:
    theirs = xet_store(hub, hub.new_repo("unet", namespace="bob", user="bob"), user="bob")

    assert [ask(theirs, FIRST).status_code, ask(theirs, UNKNOWN).status_code] == [404, 404]


def test_a_repository_that_moved_offers_only_what_its_new_namespace_owns(hub: Hub, repo: RepoRecord) -> None:
    body = {"fromRepo": repo.path, "toRepo": "lab/unet", "type": "model"}
    assert hub.post("/api/repos/move", json=body, user="admin").status_code == 200
    with hub.stores.database.reading() as db:
        from hub.repos import service as repos

        moved = repos.get(db, hub.actor(db, "admin"), "model", "lab", "unet")
    store = xet_store(hub, moved, user="admin")

    assert [ask(store, FIRST).status_code, ask(store, UNKNOWN).status_code] == [404, 404]
    assert store.read(BUILT.file_hash).status_code == 200
    store.put(build_upload(CONTENT, chunk_size=40_000, chunks_per_xorb=5))


def test_every_eligible_chunk_is_found(hub: Hub) -> None:
    built, eligible = _with_an_eligible_chunk()
    store = xet_store(hub, hub.new_repo("many"))
    store.put(built)
    again = first_session(xet_store(hub, hub.new_repo("other")))

    [name] = Answer(ask(again, eligible).content).xorbs

    assert name in built.xorbs


def _with_an_eligible_chunk() -> tuple[BuiltUpload, bytes]:
    """An upload whose last chunk is one that clients ask for."""
    numbers = (str(number).encode() for number in range(1_000_000))
    found = next(number for number in numbers if dedup_eligible(chunk_hash(number.ljust(64, b"."))))
    chunk = found.ljust(64, b".")
    return build_upload(b"first".ljust(64, b".") + chunk, chunk_size=64), chunk_hash(chunk)
