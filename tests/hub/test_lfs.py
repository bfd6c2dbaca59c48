"""Git LFS, from outside: batch, upload, verify, download."""

import random

import pytest
from hub_in_process import Hub
from sqlalchemy import update
from uploading import batch, sha256, staged, state, upload, upload_action

from hub.db import now
from hub.tables import Token

CONTENT = random.Random(1).randbytes(300_000)


def test_what_was_uploaded_is_read_back_whole_and_by_range(hub: Hub) -> None:
    repo = hub.new_repo("unet")
    upload(hub, repo, CONTENT)

    reply = batch(hub, repo, (sha256(CONTENT), len(CONTENT)), operation="download", user=None).json()
    href = reply["objects"][0]["actions"]["download"]["href"]
    whole = hub.get(href, user=None)
    part = hub.get(href, user=None, headers={"range": "bytes=1000-200999"})
    tail = hub.get(href, user=None, headers={"range": "bytes=-10"})
    behind = hub.get(href, user=None, headers={"range": f"bytes={len(CONTENT)}-"})
    head = hub.request("HEAD", href, user=None)

    assert (reply["transfer"], whole.status_code, whole.content) == ("basic", 200, CONTENT)
    assert whole.headers["etag"] == f'"{sha256(CONTENT)}"'
    assert (part.status_code, part.content) == (206, CONTENT[1000:201_000])
    assert part.headers["content-range"] == f"bytes 1000-200999/{len(CONTENT)}"
    assert tail.content == CONTENT[-10:]
    assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(CONTENT)), b"")


def test_batch_answers_in_the_media_type_of_git_lfs(hub: Hub) -> None:
    reply = batch(hub, hub.new_repo("unet"), (sha256(CONTENT), len(CONTENT)), hash_algo="sha_256")

    assert reply.headers["content-type"].startswith("application/vnd.git-lfs+json")
    assert reply.json()["hash_algo"] == "sha256"


def test_an_object_that_is_there_needs_no_action(hub: Hub) -> None:
    repo = hub.new_repo("unet")
    upload(hub, repo, CONTENT)

    [known] = batch(hub, repo, (sha256(CONTENT), len(CONTENT))).json()["objects"]

    assert known == {"oid": sha256(CONTENT), "size": len(CONTENT)}


def test_verify_knows_what_has_arrived(hub: Hub) -> None:
    repo = hub.new_repo("unet")
    body = {"oid": sha256(CONTENT), "size": len(CONTENT)}
    [asked] = batch(hub, repo, (sha256(CONTENT), len(CONTENT))).json()["objects"]
    href = asked["actions"]["verify"]["href"]

    before = hub.post(href, user=None, json=body)
    upload(hub, repo, CONTENT)
    after = hub.post(href, user=None, json=body)
    wrong = hub.post(href, user=None, json={**body, "size": 5})
    other = hub.post(href, user=None, json={**body, "oid": sha256(b"other")})

    assert [each.status_code for each in (before, after, wrong, other)] == [404, 200, 422, 403]


def test_an_object_of_another_repository_must_be_sent_and_is_kept_once(hub: Hub) -> None:
    secret, mine = hub.new_repo("secret", private=True), hub.new_repo("mine", namespace="bob", user="bob")
    upload(hub, secret, CONTENT)
    before = state(hub)

    [unknown] = batch(hub, mine, (sha256(CONTENT), len(CONTENT)), user="bob").json()["objects"]
    [hidden] = batch(hub, mine, (sha256(CONTENT), 3), operation="download", user="bob").json()["objects"]
    never = batch(hub, mine, (sha256(b"never sent"), 10), user="bob").json()["objects"][0]
    upload(hub, mine, CONTENT, user="bob")

    assert unknown["actions"].keys() == never["actions"].keys() == {"upload", "verify"}
    assert hidden["error"]["code"] == 404
    assert state(hub) == {**before, "upload": before["upload"] + 1}  # type: ignore[operator]


@pytest.mark.parametrize(
    "sent",
    [CONTENT[:-1], CONTENT + b"x", b"", CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])],
    ids=["short", "long", "empty", "flipped"],
)
def test_other_bytes_than_announced_are_refused_and_not_kept(hub: Hub, sent: bytes) -> None:
    repo = hub.new_repo("unet")
    action = upload_action(hub, repo, CONTENT)
    before = state(hub)

    reply = hub.request("PUT", action["href"], user=None, content=sent)
    unannounced = hub.request("PUT", action["href"], user=None, content=iter([sent]))

    assert (reply.status_code, unannounced.status_code) == (422, 422)
    assert reply.headers["x-error-code"] == "Invalid"
    assert state(hub) == before


def test_a_signed_url_is_good_for_one_object_only(hub: Hub) -> None:
    repo = hub.new_repo("unet")
    href = upload_action(hub, repo, CONTENT)["href"]
    other = href.replace(sha256(CONTENT), sha256(b"other"))
    before = state(hub)

    swapped = hub.request("PUT", other, user=None, content=b"other")
    tampered = hub.request("PUT", href[:-6] + "AAAAAA", user=None, content=CONTENT)
    read = hub.get(href, user=None)

    assert {swapped.status_code, tampered.status_code, read.status_code} == {403}
    assert state(hub) == before


def test_a_revoked_token_ends_its_signed_urls(hub: Hub) -> None:
    repo = hub.new_repo("unet")
    href = upload_action(hub, repo, CONTENT)["href"]
    with hub.stores.database.writing() as db:
        db.execute(update(Token).values(revoked_at=now()))

    reply = hub.request("PUT", href, user=None, content=CONTENT)

    assert (reply.status_code, staged(hub)) == (401, [])


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("alice_read", 403), ("bob", 403)])
def test_whoever_may_not_write_may_not_upload(hub: Hub, user: str | None, status: int) -> None:
    reply = batch(hub, hub.new_repo("unet"), (sha256(CONTENT), len(CONTENT)), user=user)

    assert reply.status_code == status


@pytest.mark.parametrize("operation", ["upload", "download"])
def test_a_private_repository_does_not_exist_for_strangers(hub: Hub, operation: str) -> None:
    repo = hub.new_repo("unet", private=True)

    reply = batch(hub, repo, (sha256(CONTENT), 1), operation=operation, user="bob")  # type: ignore[arg-type]

    assert (reply.status_code, reply.headers["x-error-code"]) == (404, "RepoNotFound")


def test_data_sets_have_the_same_door(hub: Hub) -> None:
    repo = hub.new_repo("brains", kind="dataset")

    assert upload_action(hub, repo, CONTENT)["href"].startswith("http://testserver.local/api/lfs/")


@pytest.mark.parametrize(
    ("oid", "size"), [("../../etc", 3), ("A" * 64, 3), (sha256(b"x"), -1), (sha256(b"x"), 1 << 50)]
)
def test_an_impossible_object_gets_an_error_of_its_own(hub: Hub, oid: str, size: int) -> None:
    objects = batch(hub, hub.new_repo("unet"), (oid, size), (sha256(CONTENT), len(CONTENT))).json()["objects"]

    assert objects[0]["error"]["code"] == 422
    assert "actions" in objects[1]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"operation":"steal","objects":[]}', b'{"operation":"upload","objects":7}', b"[" * 9000],
)
def test_a_batch_that_does_not_parse_is_a_400(hub: Hub, body: bytes) -> None:
    repo = hub.new_repo("unet")

    reply = hub.post(f"{repo.url_path}.git/info/lfs/objects/batch", content=body)

    assert (reply.status_code, reply.headers["x-error-code"]) == (400, "BadRequest")


def test_an_unknown_hash_algorithm_is_refused(hub: Hub) -> None:
    assert batch(hub, hub.new_repo("unet"), (sha256(CONTENT), 3), hash_algo="md5").status_code == 400


def test_locks_are_not_supported_and_say_so(hub: Hub) -> None:
    repo = hub.new_repo("unet")

    reply = hub.post(f"{repo.url_path}.git/info/lfs/locks/verify", json={})

    assert (reply.status_code, "message" in reply.json()) == (501, True)


def test_clients_that_offer_xet_are_sent_there(hub: Hub) -> None:
    repo = hub.new_repo("unet")

    reply = batch(
        hub,
        repo,
        (sha256(CONTENT), len(CONTENT)),
        transfers=["basic", "multipart", "xet"],
        ref={"name": "refs/heads/dev/1"},
    ).json()

    action = reply["objects"][0]["actions"]["upload"]
    assert reply["transfer"] == "xet"
    assert action["href"] == "http://testserver.local/api/models/alice/unet/xet-write-token/dev%2F1"
    assert {"X-Xet-Cas-Url", "X-Xet-Access-Token", "X-Xet-Token-Expiration", "X-Xet-Session-Id"} == set(
        action["header"]
    )
