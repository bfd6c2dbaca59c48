"""What strangers, curious members of other labs and careless clients send, and what it must not do."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hub_in_process import Hub, file, large
from sqlalchemy import update
from uploading import batch, sha256, upload, xet_store
from xet_builder import build_upload

from hub.db import POOL_SIZE, now
from hub.tables import Repo, Token
from hub.uploads import bodies, lfs


@pytest.mark.parametrize("character", ["%1b", "%0b", "%7f", "%0d%0a", "%00"])
def test_control_characters_of_a_path_do_not_break_the_answer(hub: Hub, character: str) -> None:
    reply = hub.get(f"/api/models/alice/x{character}y")
    assert reply.status_code == 404
    assert reply.headers["x-error-code"] == "RepoNotFound"
    assert reply.headers["x-error-message"].isprintable()


@pytest.mark.parametrize("token_id", [-(10**23), -1, 0, 10**23])
def test_a_token_id_that_no_database_can_hold_is_not_there(hub: Hub, token_id: int) -> None:
    assert hub.delete(f"/api/tokens/{token_id}").status_code == 404


def test_a_flood_of_sign_ins_leaves_threads_for_everybody_else(hub: Hub) -> None:
    def sign_in(number: int) -> int:
        data = {"name": f"nobody-{number}", "password": "guess-guess"}
        return hub.post("/api/login", user=None, json=data).status_code

    with ThreadPoolExecutor(60) as strangers:
        attempts = [strangers.submit(sign_in, number) for number in range(60)]
        time.sleep(0.2)
        started = time.monotonic()
        assert hub.get("/api/health", user=None).status_code == 200
        waited = time.monotonic() - started
        codes = [attempt.result() for attempt in attempts]
    assert set(codes) == {401, 429}
    # Those that were refused did not wait for those that were checked.
    assert codes.count(401) <= 20
    assert waited < 2


@pytest.mark.parametrize(("end", "status"), [("hidden", 404), ("revoked", 401)])
def test_signed_urls_of_xorbs_end_with_the_right_to_read(hub: Hub, end: str, status: int) -> None:
    repo = hub.new_repo("open")
    built = build_upload(bytes(range(256)) * 100)
    xet_store(hub, repo).put(built)
    reader = xet_store(hub, repo, "read", user="bob")
    [[entry]] = reader.read(built.file_hash).json()["xorbs"].values()
    span = entry["ranges"][0]["bytes"]
    asked = {"range": f"bytes={span['start']}-{span['end']}"}
    assert hub.client.get(entry["url"], headers=asked).status_code == 206

    with hub.stores.database.writing() as db:
        if end == "hidden":
            db.execute(update(Repo).values(private=True))
        else:
            db.execute(update(Token).values(revoked_at=now()))

    assert hub.client.get(entry["url"], headers=asked).status_code == status


def test_a_batch_does_not_answer_with_a_million_urls(hub: Hub) -> None:
    repo = hub.new_repo("open")
    most = hub.stores.settings.max_file_size
    parts = -(-most // hub.stores.settings.part_size)
    objects = [(sha256(b"%d" % number), most) for number in range(lfs.MAX_PARTS // parts + 1)]

    refused = batch(hub, repo, *objects, transfers=["multipart"])
    taken = batch(hub, repo, *objects[1:], transfers=["multipart"])

    assert (refused.status_code, taken.status_code) == (400, 200)


def test_commits_that_wait_for_the_lock_leave_threads_for_everybody_else(hub: Hub) -> None:
    hub.new_repo("m")

    def commit(number: int) -> int:
        return hub.commit("models/alice/m", file(f"{number}.txt", b"%d" % number)).status_code

    with ThreadPoolExecutor(POOL_SIZE + 5) as clients:
        with hub.stores.database.writing():
            commits = [clients.submit(commit, number) for number in range(POOL_SIZE + 5)]
            time.sleep(1)
            health = ThreadPoolExecutor(1).submit(hub.get, "/api/health", user=None)
            assert health.result(timeout=5).status_code == 200
        assert {each.result() for each in commits} == {200}


def _stored(hub: Hub) -> dict[str, float]:
    lines = hub.get("/api/metrics", user=None).text.splitlines()
    told = (line.split() for line in lines if line.startswith("voxhub_stored_bytes_total"))
    return {name: float(value) for name, value in told}


@pytest.mark.parametrize("held", [False, True])
def test_metrics_do_not_show_whether_another_has_the_same_bytes(hub: Hub, *, held: bool) -> None:
    content = bytes(range(256)) * 100
    built = build_upload(content)
    mine, hidden = hub.new_repo("mine", namespace="lab"), hub.new_repo("hidden", private=True)
    if held:
        upload(hub, hidden, content)
        xet_store(hub, hidden).put(built)
    before = _stored(hub)

    upload(hub, mine, content)
    xet_store(hub, mine).put(built)

    after = _stored(hub)
    for door in ("lfs", "xet"):
        name = f'voxhub_stored_bytes_total{{door="{door}"}}'
        assert after[name] - before.get(name, 0) >= len(content) // 2


@pytest.mark.parametrize("door", ["lfs", "xet"])
@pytest.mark.parametrize(
    "held", ["by nobody", "by lfs", "by xet", "by xet in other xorbs", "in other chunks"]
)
def test_what_others_did_with_the_same_bytes_does_not_show(hub: Hub, held: str, door: str) -> None:
    content = bytes(range(256)) * 3000
    mine, hidden = hub.new_repo("mine", namespace="lab"), hub.new_repo("hidden", private=True)
    built = build_upload(content, chunk_size=60_000, chunks_per_xorb=5)
    match held:
        case "by lfs":
            upload(hub, hidden, content)
        case "by xet":
            xet_store(hub, hidden).put(built)
        case "by xet in other xorbs":
            xet_store(hub, hidden).put(build_upload(content, chunk_size=60_000, chunks_per_xorb=3))
        case "in other chunks":
            xet_store(hub, hidden).put(build_upload(content, chunk_size=50_000))
        case _:
            pass

    if door == "lfs":
        upload(hub, mine, content)
    else:
        xet_store(hub, mine).put(built)
    assert hub.commit("models/lab/mine", large("w.bin", sha256(content))).status_code == 200

    shown = hub.get("/lab/mine/resolve/main/w.bin")
    tree = hub.post("/api/models/lab/mine/paths-info/main", json={"paths": ["w.bin"]}).json()[0]
    plan = xet_store(hub, mine).read(built.file_hash)
    assert shown.content == content
    assert (
        shown.headers.get("x-xet-hash") == tree.get("xetHash") == (built.file_hash if door == "xet" else None)
    )
    assert plan.status_code == (200 if door == "xet" else 404)
    assert door == "lfs" or set(plan.json()["xorbs"]) == set(built.xorbs)


def test_long_shards_do_not_keep_xorbs_waiting(hub: Hub) -> None:
    store = xet_store(hub, hub.new_repo("open"))
    built = build_upload(bytes(range(256)) * 100)
    released = threading.Event()
    long = [bodies.proving(released.wait) for _ in range(100)]
    try:
        for name, content in built.xorbs.items():
            sent = ThreadPoolExecutor(1).submit(store.put_xorb, name, content)
            assert sent.result(timeout=10).status_code == 200
    finally:
        released.set()
    assert all(each.result() for each in long)
