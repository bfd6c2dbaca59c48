"""The Xet doors with hand-made xorbs and shards: what is right is kept, what is wrong leaves no trace."""

import random
from dataclasses import replace

import lz4.frame
import msgspec
import pytest
from hub_in_process import Hub
from sqlalchemy import update
from uploading import XetStore, sha256, staged, state, upload, xet_store
from xet_builder import (
    BuiltTerm,
    build_file,
    build_header,
    build_shard,
    build_trailer,
    build_upload,
    build_xorb,
    split,
)

from hub import contents
from hub.db import now
from hub.errors import Unavailable
from hub.repos.service import RepoRecord
from hub.tables import Content, Token
from hub.uploads import xet_routes

CONTENT = random.Random(3).randbytes(700_000)


@pytest.fixture
def repo(hub: Hub) -> RepoRecord:
    return hub.new_repo("unet")


@pytest.fixture
def store(hub: Hub, repo: RepoRecord) -> XetStore:
    return xet_store(hub, repo)


def stored_bytes(hub: Hub, digest: str, start: int = 0, end: int | None = None) -> bytes:
    """Read a content back as `resolve` does."""
    with hub.stores.database.reading() as db:
        record = contents.find(db, bytes.fromhex(digest))
        assert record is not None
        end = record.size if end is None else end
        reader = contents.reader(db, record, start, end)
    return b"".join(reader.stream(hub.stores.blobs, start, end))


@pytest.mark.parametrize("scheme", [0, 1, 2])
@pytest.mark.parametrize("version", [1, 2])
def test_what_was_uploaded_is_read_back(
    hub: Hub, store: XetStore, repo: RepoRecord, scheme: int, version: int
) -> None:
    built = build_upload(CONTENT, chunk_size=50_001, chunks_per_xorb=4, scheme=scheme)  # type: ignore[arg-type]

    answers = [store.put_xorb(name, content) for name, content in built.xorbs.items()]
    reply = store.put_shard(built.shard, version)

    assert [each.json() for each in answers] == [{"was_inserted": True}] * len(built.xorbs)
    assert reply.status_code == 200
    assert (reply.json() == {"result": 1}) if version == 1 else (reply.text == '{"type":"result"}\n')
    assert stored_bytes(hub, built.sha256) == CONTENT
    assert stored_bytes(hub, built.sha256, 99_999, 400_003) == CONTENT[99_999:400_003]
    with hub.stores.database.reading() as db:
        assert contents.allowed(db, repo.id, bytes.fromhex(built.sha256))
    assert staged(hub) == []


def test_sending_all_of_it_again_changes_nothing(hub: Hub, store: XetStore) -> None:
    built = build_upload(CONTENT)
    store.put(built)
    before = state(hub)

    answers = [store.put_xorb(name, content).json() for name, content in built.xorbs.items()]
    shard = store.put_shard(built.shard).json()

    assert (answers, shard, state(hub)) == ([{"was_inserted": False}], {"result": 0}, before)


def test_a_trailer_is_cut_off(hub: Hub, store: XetStore) -> None:
    xorb = build_xorb(split(CONTENT))

    reply = store.put_xorb(xorb.name, xorb.data + build_trailer(xorb))

    path = hub.stores.settings.data_dir / "blobs" / "xorbs" / xorb.name[:2] / xorb.name
    assert (reply.status_code, path.read_bytes()) == (200, xorb.data)


def test_the_same_bytes_are_kept_once_whichever_door_they_take(
    hub: Hub, repo: RepoRecord, store: XetStore
) -> None:
    built = build_upload(CONTENT)
    upload(hub, repo, CONTENT)
    store.put(built)
    other = hub.new_repo("other")
    xet_store(hub, other).put(built)

    with hub.stores.database.reading() as db:
        record = contents.find(db, bytes.fromhex(built.sha256))
        allowed = contents.allowed(db, other.id, bytes.fromhex(built.sha256))

    assert record == contents.ContentRecord(bytes.fromhex(built.sha256), len(CONTENT), True, None)
    assert (allowed, stored_bytes(hub, built.sha256)) == (True, CONTENT)


def test_lfs_bytes_that_came_by_xet_are_not_stored_twice(hub: Hub, store: XetStore) -> None:
    store.put(build_upload(CONTENT))
    before = state(hub)

    upload(hub, hub.new_repo("other"), CONTENT)

    changed = {key: value for key, value in state(hub).items() if before.get(key) != value}
    assert {"upload", "repo"} <= set(changed)
    assert not [key for key in changed if key.startswith("blobs/content") and sha256(CONTENT) in key]


def broken_xorbs() -> dict[str, tuple[str, bytes]]:
    """Name of what is wrong: (the hash in the URL, the body)."""
    xorb = build_xorb(split(CONTENT))
    flipped = bytearray(xorb.data)
    flipped[100_000] ^= 1
    bomb = lz4.frame.compress(bytes(50_000_000))
    return {
        "another hash": (build_xorb([b"other"]).name, xorb.data),
        "a flipped chunk": (xorb.name, bytes(flipped)),
        "truncated": (xorb.name, xorb.data[:-1]),
        "one chunk less": (xorb.name, xorb.data[: 65536 + 8]),
        "empty": (xorb.name, b""),
        "a bomb": (xorb.name, build_header(len(bomb), 1, 131_072) + bomb),
        "a bomb with an honest size": (xorb.name, build_header(len(bomb), 1, 0xFFFFFF) + bomb),
        "nonsense behind": (xorb.name, xorb.data + b"nonsense"),
        "no hash": ("zz", xorb.data),
        "a hash in capitals": (xorb.name.upper(), xorb.data),
    }


@pytest.mark.parametrize("wrong", broken_xorbs())
def test_a_wrong_xorb_is_refused_and_leaves_no_trace(hub: Hub, store: XetStore, wrong: str) -> None:
    name, content = broken_xorbs()[wrong]
    before = state(hub)

    reply = store.put_xorb(name, content)

    assert (reply.status_code, reply.headers["x-error-code"]) == (400, "BadRequest")
    assert state(hub) == before


def test_a_xorb_that_is_too_large_is_cut_off(hub: Hub, store: XetStore) -> None:
    before = state(hub)

    announced = store.put_xorb("0" * 64, bytes(73_000_000))
    unannounced = store.request(
        "POST", f"/v1/xorbs/default/{'0' * 64}", content=(bytes(1_000_000) for _ in range(73))
    )

    assert (announced.status_code, unannounced.status_code, state(hub)) == (413, 413, before)


def broken_shards() -> dict[str, bytes]:
    """Name of what is wrong: the shard; its one xorb is that of `CONTENT`."""
    xorb = build_xorb(split(CONTENT))
    count = len(xorb.chunks)
    file = build_file([BuiltTerm(xorb, 0, count)])
    shard = build_shard([file], [xorb])
    unknown = build_xorb([b"never sent"])
    term = 48 + 48  # behind the header and the file's own record
    wrong_end = shard[: term + 44] + (count + 1).to_bytes(4, "little") + shard[term + 48 :]
    wrong_size = shard[: term + 36] + (5).to_bytes(4, "little") + shard[term + 40 :]
    proof = term + 48
    return {
        "another SHA-256": build_shard([replace(file, sha256=sha256(b"another"))], [xorb]),
        "another file hash": build_shard([replace(file, hash=unknown.hash)], [xorb]),
        "an unknown xorb": build_shard([build_file([BuiltTerm(unknown, 0, 1)])], [unknown]),
        "chunks that there are not": wrong_end,
        "a wrong size": wrong_size,
        "no proof of possession": shard[:proof] + bytes(32) + shard[proof + 32 :],
        "truncated": shard[:-50],
        "empty": b"",
        "no shard": b"nonsense" * 100,
        "a right file beside a wrong one": build_shard(
            [file, replace(file, sha256=sha256(b"another"))], [xorb]
        ),
    }


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("wrong", broken_shards())
def test_a_forged_shard_is_refused_and_leaves_no_trace(
    hub: Hub, store: XetStore, wrong: str, version: int
) -> None:
    xorb = build_xorb(split(CONTENT))
    store.put_xorb(xorb.name, xorb.data)
    before = state(hub)

    reply = store.put_shard(broken_shards()[wrong], version)

    assert (reply.status_code, reply.headers["x-error-code"]) == (400, "BadRequest")
    assert state(hub) == before


@pytest.mark.parametrize("version", [1, 2])
def test_a_shard_may_not_name_xorbs_of_another_namespace(hub: Hub, store: XetStore, version: int) -> None:
    built = build_upload(CONTENT)
    store.put(built)
    thief = xet_store(hub, hub.new_repo("theft", namespace="bob", user="bob"), user="bob")
    before = state(hub)

    reply = thief.put_shard(built.shard, version)

    assert (reply.status_code, state(hub)) == (400, before)


def test_a_namespace_that_sends_a_known_xorb_may_use_it(hub: Hub, store: XetStore) -> None:
    built = build_upload(CONTENT)
    store.put(built)
    mine = hub.new_repo("mine", namespace="bob", user="bob")
    before = state(hub)

    xet_store(hub, mine, user="bob").put(built)

    changed = {key: value for key, value in state(hub).items() if before.get(key) != value}
    assert set(changed) == {"xorb_owner", "xet_file", "upload", "chunk_hint"}


def test_a_read_token_may_not_write(hub: Hub, repo: RepoRecord) -> None:
    built = build_upload(CONTENT)
    reading = xet_store(hub, repo, "read")
    before = state(hub)

    [(name, content)] = built.xorbs.items()
    replies = [
        reading.put_xorb(name, content),
        reading.put_shard(built.shard),
        reading.put_shard(built.shard, 2),
        reading.request("GET", f"/v1/chunks/default/{name}"),
    ]

    assert [reply.status_code for reply in replies] == [403] * 4
    assert state(hub) == before


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("alice_read", 403), ("bob", 403)])
def test_whoever_may_not_write_gets_no_write_token(
    hub: Hub, repo: RepoRecord, user: str | None, status: int
) -> None:
    assert hub.get(f"/api/models/{repo.path}/xet-write-token/main", user=user).status_code == status


def test_public_repositories_give_read_tokens_to_anybody(hub: Hub, repo: RepoRecord, store: XetStore) -> None:
    built = build_upload(CONTENT)
    store.put(built)

    reply = hub.get(f"/api/models/{repo.path}/xet-read-token/{'0' * 40}", user=None)

    content = reply.json()
    assert reply.headers["x-xet-cas-url"] == content["casUrl"]
    assert reply.headers["x-xet-access-token"] == content["accessToken"]
    assert reply.headers["x-xet-token-expiration"] == str(content["exp"])
    assert XetStore(hub, content["casUrl"], content["accessToken"]).read(built.file_hash).status_code == 200


def test_private_repositories_have_no_tokens_for_strangers(hub: Hub) -> None:
    repo = hub.new_repo("secret", private=True)

    for scope in ("read", "write"):
        reply = hub.get(f"/api/models/{repo.path}/xet-{scope}-token/None", user="bob")
        assert (reply.status_code, reply.headers["x-error-code"]) == (404, "RepoNotFound")


def test_another_repositorys_token_finds_no_file(hub: Hub, store: XetStore) -> None:
    built = build_upload(CONTENT)
    store.put(built)

    other = xet_store(hub, hub.new_repo("other"))
    replies = [other.read(built.file_hash, version=version) for version in (1, 2)]

    assert [reply.status_code for reply in replies] == [404, 404]


def test_a_token_opens_the_store_of_its_namespace_only(hub: Hub, store: XetStore) -> None:
    theirs = xet_store(hub, hub.new_repo("mine", namespace="bob", user="bob"), user="bob")

    reply = XetStore(hub, store.url, theirs.token).put_shard(build_upload(CONTENT).shard)

    assert (reply.status_code, theirs.url != store.url) == (404, True)


def test_a_revoked_hub_token_ends_its_xet_tokens(hub: Hub, store: XetStore) -> None:
    built = build_upload(CONTENT)
    store.put(built)
    with hub.stores.database.writing() as db:
        db.execute(update(Token).values(revoked_at=now()))

    assert store.read(built.file_hash).status_code == 401
    assert store.put_shard(built.shard).status_code == 401


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c"])
def test_a_token_that_is_none_opens_nothing(hub: Hub, store: XetStore, token: str) -> None:
    reply = XetStore(hub, store.url, token).put_shard(b"")

    assert reply.status_code in (401, 403)


@pytest.mark.parametrize(
    "path", ["/v1/xorb-grants/default/" + "0" * 64, "/v1/telemetry", "/v1/xorb-commits/default/0/grant/1"]
)
def test_what_we_lack_is_exactly_404_so_that_clients_go_on(store: XetStore, path: str) -> None:
    assert store.request("POST", path, json={}).status_code == 404
    assert store.hub.client.post(path, json={}).status_code == 404


def test_old_clients_leave_the_version_out(store: XetStore) -> None:
    built = build_upload(CONTENT)
    [(name, content)] = built.xorbs.items()

    replies = [
        store.request("POST", f"/xorbs/default/{name}", content=content),
        store.request("POST", "/shards", content=built.shard),
        store.request("GET", f"/reconstructions/{built.file_hash}"),
    ]

    assert [reply.status_code for reply in replies] == [200, 200, 200]
    assert store.request("GET", f"/chunks/default-merkledb/{'0' * 64}").status_code == 200


def test_a_stored_byte_that_rotted_is_an_outage_and_no_file(hub: Hub, store: XetStore) -> None:
    built = build_upload(CONTENT)
    store.put(built)
    [name] = built.xorbs
    path = hub.stores.settings.data_dir / "blobs" / "xorbs" / name[:2] / name
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)

    with pytest.raises(Unavailable, match="damaged"):
        stored_bytes(hub, built.sha256)


def test_content_rows_name_what_they_are(hub: Hub, repo: RepoRecord, store: XetStore) -> None:
    built = build_upload(CONTENT)
    store.put(built)

    with hub.stores.database.reading() as db:
        row = db.execute(
            Content.__table__.select().where(Content.sha256 == bytes.fromhex(built.sha256))
        ).one()
        shown = contents.xet_hashes(db, repo.id, [bytes.fromhex(built.sha256), bytes(32)])

    assert (row.size, row.whole) == (len(CONTENT), False)
    assert list(shown) == [bytes.fromhex(built.sha256)]


@pytest.mark.parametrize("forged", [False, True])
def test_a_shard_that_takes_long_is_answered_with_events(
    hub: Hub,
    store: XetStore,
    monkeypatch: pytest.MonkeyPatch,
    forged: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(xet_routes, "PATIENCE_S", 0)
    monkeypatch.setattr(xet_routes, "HEARTBEAT_S", 0.002)
    content = CONTENT * 60
    built = build_upload(content)
    for name, xorb in built.xorbs.items():
        store.put_xorb(name, xorb)
    file = build_file([BuiltTerm(xorb, 0, len(xorb.chunks)) for xorb in built.parts])
    shard = build_shard([replace(file, sha256=sha256(b"another"))] if forged else [file], built.parts)
    before = state(hub)

    reply = store.put_shard(shard, 2)

    events = [msgspec.json.decode(line) for line in reply.text.splitlines()]
    progress = [event["verified"] for event in events if event["type"] == "validating"]
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/x-ndjson")
    assert len(set(progress)) > 2
    assert progress == sorted(progress)
    if forged:
        assert (events[-1]["type"], events[-1]["retryable"], state(hub)) == ("error", False, before)
    else:
        assert events[-1] == {"type": "result"}
        assert stored_bytes(hub, sha256(content)) == content
