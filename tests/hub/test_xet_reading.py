"""Reading files back by Xet: reconstructions, signed URLs, and what they must not show."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hub_in_process import Hub
from uploading import XetStore, xet_store
from xet_builder import BuiltTerm, BuiltXorb, build_file, build_shard, build_upload, build_xorb, split

from hub.repos.service import RepoRecord
from hub.xet.hashes import from_wire
from hub.xet.xorbs import XorbRecord, decode_chunks, inspect

CONTENT = random.Random(4).randbytes(1_000_000)
BUILT = build_upload(CONTENT, chunk_size=30_000, chunks_per_xorb=10, scheme=1)


@pytest.fixture
def repo(hub: Hub) -> RepoRecord:
    return hub.new_repo("unet")


@pytest.fixture
def store(hub: Hub, repo: RepoRecord) -> XetStore:
    store = xet_store(hub, repo)
    store.put(BUILT)
    return store


def fetched(store: XetStore, plan: dict[str, Any]) -> bytes:
    """Do what a client does with a reconstruction of either version; return the bytes from its offset on."""
    ranges: dict[str, list[tuple[int, int, bytes]]] = {}
    if "xorbs" in plan:
        wanted = [
            (name, entry["url"], each["chunks"], each["bytes"])
            for name, entries in plan["xorbs"].items()
            for entry in entries
            for each in entry["ranges"]
        ]
    else:
        wanted = [
            (name, each["url"], each["range"], each["url_range"])
            for name, entries in plan["fetch_info"].items()
            for each in entries
        ]
    for name, url, chunks, span in wanted:
        headers = {"range": f"bytes={span['start']}-{span['end']}"}
        reply = store.hub.client.get(url, headers=headers)
        assert (reply.status_code, len(reply.content)) == (206, span["end"] - span["start"] + 1)
        ranges.setdefault(name, []).append((chunks["start"], chunks["end"], reply.content))
    pieces = [_term(store, term, ranges[term["hash"]]) for term in plan["terms"]]
    return b"".join(pieces)[plan["offset_into_first_range"] :]


def _term(store: XetStore, term: dict[str, Any], ranges: Sequence[tuple[int, int, bytes]]) -> bytes:
    start, end = term["range"]["start"], term["range"]["end"]
    [(first, last, stored)] = [each for each in ranges if each[0] <= start and end <= each[1]]
    record = _record(store, term["hash"])
    chunks = decode_chunks(stored, record, first, last)[start - first : end - first]
    plain = b"".join(bytes(chunk) for chunk in chunks)
    assert len(plain) == term["unpacked_length"]
    return plain


def _record(store: XetStore, name: str) -> XorbRecord:
    return inspect(store.hub.stores.settings.data_dir / "blobs" / "xorbs" / name[:2] / name)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("first", "last"), [(0, 0), (29_999, 30_000), (299_999, 300_001), (123_456, 777_777), (0, 999_999)]
)
def test_any_range_of_a_file_can_be_put_together(
    store: XetStore, version: int, first: int, last: int
) -> None:
    reply = store.read(BUILT.file_hash, {"range": f"bytes={first}-{last}"}, version)

    assert fetched(store, reply.json())[: last - first + 1] == CONTENT[first : last + 1]


@pytest.mark.parametrize("version", [1, 2])
def test_a_whole_file_can_be_put_together(store: XetStore, version: int) -> None:
    assert fetched(store, store.read(BUILT.file_hash, version=version).json()) == CONTENT


@pytest.mark.parametrize("version", [1, 2])
def test_a_range_behind_the_end_is_416(store: XetStore, version: int) -> None:
    reply = store.read(BUILT.file_hash, {"range": "bytes=1000000-2000000"}, version)

    assert (reply.status_code, reply.headers["content-range"]) == (416, "bytes */1000000")


def test_a_range_is_cut_at_the_end(store: XetStore) -> None:
    reply = store.read(BUILT.file_hash, {"range": "bytes=990000-99999999"})

    assert fetched(store, reply.json()) == CONTENT[990_000:]


@pytest.mark.parametrize("name", ["0" * 64, "nonsense", "F" * 64])
def test_unknown_files_are_not_found(store: XetStore, name: str) -> None:
    assert store.read(name).status_code in (400, 404)


def test_a_signed_url_shows_what_the_file_needs_and_nothing_beside_it(hub: Hub) -> None:
    # One xorb, as a client makes it that sends a private file and one it then also publishes.
    chunks = split(CONTENT[:200_000], 20_000)
    xorb = build_xorb(chunks)
    secret, public = build_file([BuiltTerm(xorb, 0, 10)]), build_file([BuiltTerm(xorb, 3, 5)])
    private = xet_store(hub, hub.new_repo("private", private=True))
    opened = xet_store(hub, hub.new_repo("open"))
    private.put_xorb(xorb.name, xorb.data)
    assert private.put_shard(build_shard([secret], [xorb])).status_code == 200
    assert opened.put_shard(build_shard([public], [xorb])).status_code == 200

    plan = opened.read(public.name).json()
    [entry] = plan["xorbs"][xorb.name]
    [span] = [each["bytes"] for each in entry["ranges"]]

    assert fetched(opened, plan) == public.content
    for beside in (f"{span['start'] - 1}-{span['end']}", f"{span['start']}-{span['end'] + 1}", "0-10", "-10"):
        reply = hub.client.get(entry["url"], headers={"range": f"bytes={beside}"})
        assert (reply.status_code, reply.headers["x-error-code"]) == (403, "Forbidden")
    assert hub.client.get(entry["url"]).status_code == 403
    other = _put_other(opened)
    assert hub.client.get(entry["url"].replace(xorb.name, other.name)).status_code == 403
    assert hub.client.get(entry["url"].partition("?")[0]).status_code == 400


def _put_other(store: XetStore) -> BuiltXorb:
    xorb = build_xorb([b"other"])
    assert store.put_xorb(xorb.name, xorb.data).status_code == 200
    return xorb


def test_head_answers_without_a_body(store: XetStore) -> None:
    plan = store.read(BUILT.file_hash).json()
    name, [entry, *_] = next(iter(plan["xorbs"].items()))

    signed = store.hub.client.head(entry["url"], headers={"range": "bytes=0-99"})
    owned = store.request("HEAD", f"/v1/xorbs/default/{name}")
    unknown = store.request("HEAD", f"/v1/xorbs/default/{'0' * 64}")

    assert (signed.status_code, signed.headers["content-length"], signed.content) == (206, "100", b"")
    assert (owned.status_code, owned.headers["content-length"]) == (200, str(len(BUILT.xorbs[name])))
    assert unknown.status_code == 404


def test_a_file_that_two_repositories_have_is_read_through_both(hub: Hub, store: XetStore) -> None:
    mine = xet_store(hub, hub.new_repo("mine", namespace="bob", user="bob"), user="bob")
    mine.put(BUILT)

    assert fetched(mine, mine.read(BUILT.file_hash).json()) == CONTENT
    assert fetched(store, store.read(BUILT.file_hash).json()) == CONTENT


def test_hiding_a_repository_ends_the_tokens_of_strangers(
    hub: Hub, repo: RepoRecord, store: XetStore
) -> None:
    anybody = xet_store(hub, repo, "read", user=None)
    assert anybody.read(BUILT.file_hash).status_code == 200

    reply = hub.request("PUT", f"/api/models/{repo.path}/settings", json={"private": True})

    assert reply.status_code == 200
    assert anybody.read(BUILT.file_hash).status_code == 404
    assert store.read(BUILT.file_hash).status_code == 200


def test_records_on_disk_have_the_hashes_they_were_stored_under(store: XetStore) -> None:
    for name in BUILT.xorbs:
        assert _record(store, name).hash == from_wire(name)
