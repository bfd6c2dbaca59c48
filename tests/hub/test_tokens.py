"""Access tokens by HTTP: made, shown, expired, revoked; what a read token may not."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from hub_in_process import Hub
from hub_process import HubServer
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from sqlalchemy import update

from hub.accounts import service as accounts
from hub.accounts import tokens
from hub.db import now
from hub.tables import Token


def create(hub: Hub, user: str = "alice", **body: Any) -> httpx.Response:
    return hub.post("/api/tokens", user=user, json={"name": "notebook", "role": "write", **body})


def whoami(hub: Hub, value: str) -> httpx.Response:
    return hub.get("/api/whoami-v2", user=None, headers={"authorization": f"Bearer {value}"})


def test_a_new_token_speaks_for_its_user(hub: Hub) -> None:
    made = create(hub, role="read")
    assert made.status_code == 201, made.text
    value = made.json()["value"]
    assert value.startswith("hf_")
    assert len(value) == 35
    said = whoami(hub, value).json()
    assert said["name"] == "alice"
    assert said["auth"]["accessToken"]["displayName"] == "notebook"
    assert said["auth"]["accessToken"]["role"] == "read"


def test_a_list_of_tokens_never_shows_a_value(hub: Hub) -> None:
    value = create(hub).json()["value"]
    answer = hub.get("/api/tokens")
    first = answer.json()[0]
    assert (first["name"], first["hint"], first["expiresAt"]) == ("notebook", value[-4:], None)
    assert value not in answer.text
    assert len(answer.json()) == 3


def test_only_the_hash_of_a_token_is_kept(hub: Hub) -> None:
    value = create(hub).json()["value"]
    hub.stores.database.dispose()
    kept = b"".join(path.read_bytes() for path in hub.stores.settings.data_dir.glob("voxhub.sqlite3*"))
    assert value.encode() not in kept
    assert value[3:].encode() not in kept


def test_a_read_token_cannot_make_or_revoke_tokens(hub: Hub) -> None:
    assert create(hub, user="alice_read").status_code == 403
    token_id = create(hub).json()["token"]["id"]
    assert hub.delete(f"/api/tokens/{token_id}", user="alice_read").status_code == 403
    assert len(hub.get("/api/tokens", user="alice_read").json()) == 3


def test_nobody_has_no_tokens(hub: Hub) -> None:
    for answer in (hub.get("/api/tokens", user=None), hub.post("/api/tokens", user=None, json={})):
        assert answer.status_code in (400, 401)
    made = hub.post("/api/tokens", user=None, json={"name": "x", "role": "read"})
    assert made.status_code == 401


def test_a_revoked_token_is_refused_at_once(hub: Hub) -> None:
    made = create(hub).json()
    assert hub.delete(f"/api/tokens/{made['token']['id']}").status_code == 204
    answer = whoami(hub, made["value"])
    assert answer.status_code == 401
    assert answer.headers["x-error-message"] == "Invalid credentials in Authorization header"
    assert len(hub.get("/api/tokens").json()) == 2


def test_a_token_of_somebody_else_is_not_found(hub: Hub) -> None:
    made = create(hub).json()
    assert hub.delete(f"/api/tokens/{made['token']['id']}", user="bob").status_code == 404
    assert whoami(hub, made["value"]).status_code == 200


def test_an_expired_token_is_refused_and_told_when(hub: Hub) -> None:
    made = create(hub, expiresInDays=1).json()
    assert whoami(hub, made["value"]).status_code == 200
    ended = now() - timedelta(seconds=1)
    with hub.stores.database.writing() as db:
        db.execute(update(Token).where(Token.id == made["token"]["id"]).values(expires_at=ended))
    answer = whoami(hub, made["value"])
    assert answer.status_code == 401
    assert answer.headers["x-error-message"].startswith("Invalid credentials in Authorization header")
    assert f"expired at {ended:%Y-%m-%dT%H:%M:%SZ}" in answer.json()["error"]


def test_an_expired_token_does_not_open_what_is_public_either(hub: Hub) -> None:
    made = create(hub, expiresInDays=1).json()
    with hub.stores.database.writing() as db:
        db.execute(update(Token).where(Token.id == made["token"]["id"]).values(expires_at=now()))
    headers = {"authorization": f"Bearer {made['value']}"}
    assert hub.get("/api/models", user=None, headers=headers).status_code == 401
    assert hub.get("/api/models", user=None).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "x" * 97},
        {"name": "a\nb"},
        {"role": "admin"},
        {"expiresInDays": 0},
        {"expiresInDays": -1},
        {"expiresInDays": 1e9},
        {"expiresInDays": "soon"},
        {"value": "hf_chosen_by_a_stranger"},
    ],
)
def test_a_token_with_a_bad_value_is_refused(hub: Hub, body: dict[str, Any]) -> None:
    assert create(hub, **body).status_code == 400
    assert len(hub.get("/api/tokens").json()) == 2


@pytest.mark.parametrize("token_id", ["0", "999999", "99999999999999999999", "x"])
def test_a_token_that_is_not_there_is_not_found(hub: Hub, token_id: str) -> None:
    assert hub.delete(f"/api/tokens/{token_id}").status_code == 404


def test_the_last_use_of_a_token_is_written_down(hub_server: HubServer) -> None:
    name, token = hub_server.new_user()
    api = HfApi(endpoint=hub_server.endpoint, token=token)
    assert hub_server.run("token", "list", name).split()[-1] == "-"
    api.whoami()
    for _ in range(40):
        if hub_server.run("token", "list", name).split()[-1] != "-":
            return
    pytest.fail("the use was not written down within half a minute")


def test_the_real_client_keeps_a_read_token_from_writing(hub_server: HubServer) -> None:
    name, token = hub_server.new_user(role="read")
    with pytest.raises(HfHubHTTPError) as refused:
        HfApi(endpoint=hub_server.endpoint, token=token).create_repo(f"{name}/model")
    assert refused.value.response.status_code == 403
    assert "--role write" in str(refused.value)


def test_the_id_of_a_removed_token_or_user_never_comes_back(hub: Hub) -> None:
    # A Xet token that was signed before names them by it.
    found: set[tuple[int, int]] = set()
    for _ in range(2):
        with hub.stores.database.writing() as db:
            user = accounts.add_user(db, "carol")
            token, _ = tokens.create(db, user.id, name="t", role="write")
            accounts.remove_user(db, "carol")
        found.add((user.id, token.id))
    (first_user, first_token), (second_user, second_token) = sorted(found)
    assert first_user < second_user
    assert first_token < second_token
