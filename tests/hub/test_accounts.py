"""Users and organisations by HTTP: names, signing up and in, who may change whom."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hub_in_process import Hub
from hub_process import HubServer
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from hub.settings import Settings

PASSWORD = "correct horse battery"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", sign_up=True)


def sign_up(hub: Hub, name: str, **more: Any) -> Any:
    return hub.post("/api/signup", user=None, json={"name": name, "password": PASSWORD, **more})


def login(hub: Hub, name: str, password: str) -> Any:
    return hub.post("/api/login", user=None, json={"name": name, "password": password})


def new_org(hub: Hub, name: str = "unit", user: str = "alice") -> None:
    made = hub.post("/api/organizations", user=user, json={"name": name, "fullname": "A Unit"})
    assert made.status_code == 201, made.text


def put_member(hub: Hub, user: str, member: str, role: str) -> Any:
    return hub.request("PUT", f"/api/organizations/unit/members/{member}", user=user, json={"role": role})


def test_whoami_names_the_user_its_organisations_and_its_token(hub_server: HubServer) -> None:
    name, token = hub_server.new_user(role="read")
    org = hub_server.new_org(f"{name}:contributor")
    said = HfApi(endpoint=hub_server.endpoint, token=token).whoami()
    assert (said["type"], said["name"], said["fullname"]) == ("user", name, name)
    assert [(one["name"], one["roleInOrg"]) for one in said["orgs"]] == [(org, "contributor")]
    token_said = said["auth"]["accessToken"]
    assert (token_said["displayName"], token_said["role"]) == ("command line", "read")
    assert token_said["createdAt"].endswith("Z")


def test_whoami_with_a_wrong_token_is_refused_in_the_words_that_clients_know(hub_server: HubServer) -> None:
    with pytest.raises(HfHubHTTPError) as refused:
        HfApi(endpoint=hub_server.endpoint, token="hf_wrong").whoami()
    response = refused.value.response
    assert response.status_code == 401
    assert response.headers["x-error-message"] == "Invalid credentials in Authorization header"


def test_whoami_of_nobody_asks_to_sign_in(hub: Hub) -> None:
    answer = hub.get("/api/whoami-v2", user=None)
    assert answer.status_code == 401
    assert "voxhub login" in answer.json()["error"]


@pytest.mark.parametrize("header", ["hf_alice", "Basic YTpi", "Bearer", "Bearer ", "Bearer hf_alice hf_bob"])
def test_an_authorization_header_of_another_form_is_refused(hub: Hub, header: str) -> None:
    assert hub.get("/api/whoami-v2", user=None, headers={"authorization": header}).status_code == 401


def test_overviews_are_read_by_the_real_client(hub_server: HubServer) -> None:
    name, token = hub_server.new_user()
    org = hub_server.new_org(f"{name}:admin")
    api = HfApi(endpoint=hub_server.endpoint, token=token)
    user = api.get_user_overview(name)
    assert (user.username, user.num_models, [one.name for one in user.orgs]) == (name, 0, [org])
    overview = api.get_organization_overview(org)
    assert (overview.name, overview.num_users) == (org, 1)
    assert [member.username for member in api.list_organization_members(org)] == [name]


def test_private_repositories_count_only_for_who_may_see_them(hub: Hub) -> None:
    hub.new_repo("open")
    hub.new_repo("hidden", private=True)
    seen = {
        user: hub.get("/api/users/alice/overview", user=user).json()["numModels"]
        for user in ("alice", "bob", "admin", None)
    }
    assert seen == {"alice": 2, "bob": 1, "admin": 2, None: 1}


@pytest.mark.parametrize("path", ["/api/users/nobody/overview", "/api/users/lab/overview"])
def test_an_unknown_user_is_not_found(hub: Hub, path: str) -> None:
    answer = hub.get(path)
    assert (answer.status_code, answer.headers["x-error-code"]) == (404, "NotFound")


def test_an_unknown_organisation_is_not_found(hub: Hub) -> None:
    assert hub.get("/api/organizations/alice/overview").status_code == 404


def test_somebody_who_signs_up_can_sign_in(hub: Hub) -> None:
    made = sign_up(hub, "carol", fullname="Carol Ünal", email="carol@example.org")
    assert made.status_code == 201, made.text
    for token in (made.json()["token"], login(hub, "Carol", PASSWORD).json()["token"]):
        said = hub.get("/api/whoami-v2", user=None, headers={"authorization": f"Bearer {token}"}).json()
        assert (said["name"], said["fullname"], said["email"]) == ("carol", "Carol Ünal", "carol@example.org")


def test_sign_up_is_off_unless_it_was_switched_on(hub: Hub) -> None:
    hub.stores.settings = msgspec.structs.replace(hub.stores.settings, sign_up=False)
    answer = sign_up(hub, "carol")
    assert answer.status_code == 403
    assert "Sign-up is off" in answer.json()["error"]


@pytest.mark.parametrize(
    "name",
    ["a", "", "x" * 43, "x" * 300, "-abc", "abc-", ".abc", "abc.", "a--b", "a..b", "a/b", "a b", "a\x00b",
     "a\nb", "ünal", "api", "API", "datasets", "settings", "admin", "v1", "repo.git", "<script>"],
)  # fmt: skip
def test_a_name_that_breaks_a_rule_is_refused_and_nothing_is_made(hub: Hub, name: str) -> None:
    for answer in (sign_up(hub, name), hub.post("/api/organizations", json={"name": name})):
        assert answer.status_code == 400, answer.text
        assert answer.headers["x-error-code"] == "BadRequest"
        assert len(answer.json()["error"]) < 300


@pytest.mark.parametrize("taken", ["alice", "ALICE", "lab", "Lab"])
def test_users_and_organisations_share_their_names_in_any_case(hub: Hub, taken: str) -> None:
    assert sign_up(hub, taken).status_code == 409
    assert hub.post("/api/organizations", json={"name": taken}).status_code == 409


@pytest.mark.parametrize("name", ["ab", "a.b", "a_b", "a-b", "_a", "A1", "x" * 42])
def test_a_name_within_the_rules_is_taken(hub: Hub, name: str) -> None:
    assert sign_up(hub, name).status_code == 201


@pytest.mark.parametrize("password", ["", "short", "carolcarol", "x" * 1025])
def test_a_bad_password_is_refused(hub: Hub, password: str) -> None:
    assert sign_up(hub, "carolcarol", password=password).status_code == 400
    assert hub.get("/api/users/carolcarol/overview").status_code == 404


@pytest.mark.parametrize(
    "more", [{"email": "no address"}, {"fullname": "x" * 257}, {"fullname": "a\x07b"}, {"admin": True}]
)
def test_other_bad_values_at_sign_up_are_refused(hub: Hub, more: dict[str, Any]) -> None:
    assert sign_up(hub, "carol", **more).status_code == 400
    assert hub.get("/api/users/carol/overview").status_code == 404


def test_wrong_name_wrong_password_and_no_password_get_the_same_answer(hub: Hub) -> None:
    sign_up(hub, "carol")
    answers = [login(hub, name, "wrong password") for name in ("carol", "nobody", "alice", "lab")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


def test_who_tries_too_often_must_wait(hub: Hub) -> None:
    sign_up(hub, "dora")
    codes = [login(hub, "dora", "wrong password").status_code for _ in range(11)]
    assert codes == [401] * 10 + [429]
    answer = login(hub, "dora", PASSWORD)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 61


def test_a_password_is_changed_by_who_knows_it(hub: Hub) -> None:
    token = sign_up(hub, "erin").json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    body = {"current": "not it at all", "new": "a better password"}
    assert hub.request("PUT", "/api/password", user=None, headers=headers, json=body).status_code == 403
    assert login(hub, "erin", PASSWORD).status_code == 201
    body["current"] = PASSWORD
    assert hub.request("PUT", "/api/password", user=None, headers=headers, json=body).status_code == 204
    assert login(hub, "erin", PASSWORD).status_code == 401
    assert login(hub, "erin", "a better password").status_code == 201


def test_passwords_are_kept_as_argon2id_only(hub: Hub) -> None:
    sign_up(hub, "frank")
    hub.stores.database.dispose()
    kept = b"".join(path.read_bytes() for path in hub.stores.settings.data_dir.glob("voxhub.sqlite3*"))
    assert b"$argon2id$" in kept
    assert PASSWORD.encode() not in kept


def test_whoever_makes_an_organisation_is_its_admin(hub: Hub) -> None:
    new_org(hub)
    members = hub.get("/api/organizations/unit/members", user=None).json()
    assert [(member["user"], member["role"]) for member in members] == [("alice", "admin")]


def test_an_admin_adds_changes_and_removes_members(hub: Hub) -> None:
    new_org(hub)
    assert put_member(hub, "alice", "bob", "read").json()["role"] == "read"
    assert put_member(hub, "alice", "BOB", "write").json()["role"] == "write"
    assert hub.get("/api/organizations/unit/overview").json()["numUsers"] == 2
    assert hub.delete("/api/organizations/unit/members/bob").status_code == 204
    assert hub.delete("/api/organizations/unit/members/bob").status_code == 404


@pytest.mark.parametrize("role", ["read", "contributor", "write", None])
def test_who_is_not_admin_cannot_change_members(hub: Hub, role: str | None) -> None:
    new_org(hub)
    if role:
        put_member(hub, "alice", "bob", role)
    assert put_member(hub, "bob", "bob", "admin").status_code == 403
    assert hub.delete("/api/organizations/unit/members/alice", user="bob").status_code == 403


def test_the_hub_admin_may_change_members_everywhere(hub: Hub) -> None:
    new_org(hub)
    assert put_member(hub, "admin", "bob", "admin").status_code == 200


def test_a_member_may_leave(hub: Hub) -> None:
    new_org(hub)
    put_member(hub, "alice", "bob", "read")
    assert hub.delete("/api/organizations/unit/members/bob", user="bob").status_code == 204


def test_the_last_admin_cannot_leave_nor_step_down(hub: Hub) -> None:
    new_org(hub)
    put_member(hub, "alice", "bob", "write")
    for answer in (
        hub.delete("/api/organizations/unit/members/alice"),
        put_member(hub, "alice", "alice", "write"),
        hub.delete("/api/organizations/unit/members/alice", user="admin"),
    ):
        assert answer.status_code == 409
        assert "last admin" in answer.json()["error"]
    put_member(hub, "alice", "bob", "admin")
    assert hub.delete("/api/organizations/unit/members/alice").status_code == 204


@pytest.mark.parametrize(
    ("member", "role", "status"), [("nobody", "read", 404), ("lab", "read", 404), ("bob", "owner", 400)]
)
def test_only_users_and_known_roles_make_a_member(hub: Hub, member: str, role: str, status: int) -> None:
    new_org(hub)
    assert put_member(hub, "alice", member, role).status_code == status
    assert hub.get("/api/organizations/unit/overview").json()["numUsers"] == 1


def test_members_come_in_pages(hub: Hub) -> None:
    new_org(hub)
    put_member(hub, "alice", "bob", "read")
    put_member(hub, "alice", "admin", "read")
    found: list[str] = []
    path: str | None = "/api/organizations/unit/members?limit=1"
    while path:
        page = hub.get(path)
        found += [member["user"] for member in page.json()]
        path = page.links.get("next", {}).get("url")
    assert found == ["admin", "alice", "bob"]


def test_a_read_token_changes_nothing(hub: Hub) -> None:
    new_org(hub)
    for answer in (
        hub.post("/api/organizations", user="alice_read", json={"name": "other"}),
        put_member(hub, "alice_read", "bob", "read"),
        hub.delete("/api/organizations/unit/members/alice", user="alice_read"),
        hub.request("PUT", "/api/password", user="alice_read", json={"new": "a new password"}),
    ):
        assert answer.status_code == 403
        assert "read-only" in answer.json()["error"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"name": 1}', b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_what_was_asked_for_is_a_400(hub: Hub, body: bytes) -> None:
    answer = hub.post("/api/organizations", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]
