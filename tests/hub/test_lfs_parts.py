"""Git LFS in parts: large objects in several requests, proved as a whole."""

import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hub_in_process import Hub
from litestar.testing import TestClient
from uploading import batch, sha256, staged, state, upload_action

from hub import app
from hub.settings import Settings
from hub.tables import Table
from hub.uploads import parts
from hub.uploads.access import LfsUpload
from hub.uploads.schemas import Completion, Part

CONTENT = random.Random(2).randbytes(250_000)
PART = 100_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", multipart_size=200_000, part_size=PART)


def begin(hub: Hub, content: bytes = CONTENT) -> dict[str, Any]:
    return upload_action(hub, hub.new_repo("unet"), content, transfers=["basic", "multipart"])


def send(hub: Hub, action: dict[str, Any], number: int, content: bytes) -> str:
    reply = hub.request("PUT", action["header"][str(number)], user=None, content=content)
    assert reply.status_code == 200, reply.text
    return reply.headers["etag"]


def send_all(hub: Hub, action: dict[str, Any], content: bytes = CONTENT) -> dict[str, object]:
    """Send every part, the last one first; return the body of the completion."""
    numbers = [3, 1, 2]
    tags = {
        number: send(hub, action, number, content[(number - 1) * PART : number * PART]) for number in numbers
    }
    return {
        "oid": sha256(CONTENT),
        "parts": [{"partNumber": number, "etag": tags[number]} for number in sorted(tags)],
    }


def test_parts_in_any_order_make_the_object(hub: Hub) -> None:
    action = begin(hub)

    completion = send_all(hub, action)
    reply = hub.request("POST", action["href"], user=None, json=completion)
    again = hub.request("POST", action["href"], user=None, json=completion)

    assert action["header"]["chunk_size"] == str(PART)
    assert (reply.status_code, again.status_code, staged(hub)) == (200, 200, [])
    stored = hub.stores.settings.data_dir / "blobs" / "content" / sha256(CONTENT)[:2] / sha256(CONTENT)[2:4]
    assert (stored / sha256(CONTENT)).read_bytes() == CONTENT


def test_small_objects_and_simple_clients_get_one_put(hub: Hub) -> None:
    repo = hub.new_repo("unet")

    small = batch(hub, repo, (sha256(b"a"), 1), transfers=["basic", "multipart"]).json()
    simple = batch(hub, repo, (sha256(CONTENT), len(CONTENT)), transfers=["basic"]).json()

    assert {small["transfer"], simple["transfer"]} == {"basic"}
    assert "header" not in simple["objects"][0]["actions"]["upload"]


def test_a_part_may_be_sent_again(hub: Hub) -> None:
    action = begin(hub)
    send(hub, action, 2, b"\0" * PART)

    reply = hub.request("POST", action["href"], user=None, json=send_all(hub, action))

    assert reply.status_code == 200


def test_a_missing_part_is_found_and_nothing_is_kept(hub: Hub) -> None:
    action = begin(hub)
    before = state(hub)
    completion = {"oid": sha256(CONTENT), "parts": [{"partNumber": n, "etag": f'"{n}"'} for n in (1, 2, 3)]}
    send(hub, action, 1, CONTENT[:PART])
    send(hub, action, 3, CONTENT[2 * PART :])

    reply = hub.request("POST", action["href"], user=None, json=completion)

    assert (reply.status_code, state(hub)) == (422, before)


def test_parts_that_make_other_bytes_are_refused(hub: Hub) -> None:
    action = begin(hub)
    before = state(hub)
    completion = send_all(hub, action, bytes([CONTENT[0] ^ 1]) + CONTENT[1:])

    reply = hub.request("POST", action["href"], user=None, json=completion)

    assert (reply.status_code, state(hub)) == (422, before)


@pytest.mark.parametrize("content", [CONTENT[: PART + 1], CONTENT[: PART - 1], b""])
def test_a_part_has_exactly_its_size(hub: Hub, content: bytes) -> None:
    action = begin(hub)

    reply = hub.request("PUT", action["header"]["1"], user=None, content=content)

    assert reply.status_code == 422


def test_there_are_no_other_parts(hub: Hub) -> None:
    action = begin(hub)
    address = action["header"]["3"]

    replies = [
        hub.request("PUT", address.replace("/parts/3", f"/parts/{number}"), user=None, content=b"x")
        for number in ("0", "4", "99999999999")
    ]
    whole = hub.request("PUT", action["href"], user=None, content=CONTENT)

    assert [reply.status_code for reply in replies] == [404, 404, 404]
    assert whole.status_code == 400


def test_a_completion_names_every_part_in_order(hub: Hub) -> None:
    action = begin(hub)
    completion = send_all(hub, action)
    named: Any = completion["parts"]

    few = hub.request("POST", action["href"], user=None, json={**completion, "parts": named[:2]})
    other = hub.request("POST", action["href"], user=None, json={**completion, "oid": sha256(b"other")})

    assert (few.status_code, other.status_code) == (422, 422)


def test_no_part_can_change_bytes_that_were_hashed(hub: Hub) -> None:
    claims = LfsUpload(1, 1, sha256(CONTENT), len(CONTENT), PART, parts.new_upload())
    staging = hub.stores.staging
    statuses: list[int] = []

    def late() -> None:
        try:
            with parts.writing(staging, claims, 0) as write:
                write(b"late")
        except Exception as error:  # noqa: BLE001 - compared below
            statuses.append(getattr(error, "status", 0))

    with parts.writing(staging, claims, 0) as write:
        write(CONTENT)
        try:
            with parts.completed(staging, claims, _completion()):
                statuses.append(200)
        except Exception as error:  # noqa: BLE001 - compared below
            statuses.append(getattr(error, "status", 0))
    with parts.completed(staging, claims, _completion()) as (path, digest):
        thread = threading.Thread(target=late)
        thread.start()
        thread.join()
        content = path.read_bytes()

    assert statuses == [409, 409]
    assert (content, digest.hex()) == (CONTENT, sha256(CONTENT))


def _completion() -> Completion:
    return Completion(sha256(CONTENT), [Part(number, "") for number in (1, 2, 3)])


def test_a_hub_that_starts_sweeps_uploads_that_were_given_up(settings: Settings) -> None:
    settings.prepare()
    old, new = (settings.data_dir / "staging" / name for name in ("parts-old", "parts-new"))
    for path in (old, new):
        path.write_bytes(b"x")
    long_ago = time.time() - settings.staging_age_s - 10
    os.utime(old, (long_ago, long_ago))
    litestar = app.create_litestar(settings)
    Table.metadata.create_all(litestar.state.stores.database.engine)

    with TestClient(litestar):
        gone = any(not old.exists() or time.sleep(0.05) for _ in range(100))

    assert (gone, new.exists()) == (True, True)
