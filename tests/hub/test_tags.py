"""Tags over HTTP."""

from hub_in_process import Hub, file

REPO = "models/alice/m"


def tags(hub: Hub) -> dict[str, str]:
    found = hub.get(f"/api/{REPO}/refs").json()["tags"]
    assert all(item["ref"] == f"refs/tags/{item['name']}" for item in found)
    return {item["name"]: item["targetCommit"] for item in found}


def test_a_tag_stays_where_it_was_put(hub: Hub) -> None:
    hub.new_repo("m")
    first = hub.commit(REPO, file("a", b"1")).json()["commitOid"]
    tagged = hub.post(f"/api/{REPO}/tag/main", json={"tag": "releases/1.0", "message": "First"})
    assert tagged.status_code == 200
    hub.commit(REPO, file("a", b"2"))
    assert tags(hub) == {"releases/1.0": first}
    assert hub.get(f"/api/{REPO}/commits/releases%2F1.0").json()[0]["id"] == first


def test_an_existing_tag_is_409(hub: Hub) -> None:
    hub.new_repo("m")
    first = hub.commit(REPO, file("a", b"1")).json()["commitOid"]
    hub.post(f"/api/{REPO}/tag/main", json={"tag": "v1"})
    hub.commit(REPO, file("a", b"2"))
    refused = hub.post(f"/api/{REPO}/tag/main", json={"tag": "v1"})
    assert (refused.status_code, refused.json()["error"]) == (409, "Reference refs/tags/v1 already exists")
    assert tags(hub) == {"v1": first}


def test_a_tag_can_be_deleted_once(hub: Hub) -> None:
    hub.new_repo("m")
    hub.post(f"/api/{REPO}/tag/main", json={"tag": "v1/x"})
    assert hub.delete(f"/api/{REPO}/tag/v1%2Fx").status_code == 200
    assert tags(hub) == {}
    assert hub.delete(f"/api/{REPO}/tag/v1%2Fx").headers["x-error-code"] == "RevisionNotFound"


def test_an_unknown_revision_cannot_be_tagged(hub: Hub) -> None:
    hub.new_repo("m")
    refused = hub.post(f"/api/{REPO}/tag/nope", json={"tag": "v1"})
    assert (refused.status_code, refused.headers["x-error-code"]) == (404, "RevisionNotFound")


def test_a_tag_and_a_branch_of_one_name_are_two_things(hub: Hub) -> None:
    hub.new_repo("m")
    first = hub.commit(REPO, file("a", b"1")).json()["commitOid"]
    hub.post(f"/api/{REPO}/tag/main", json={"tag": "same"})
    hub.post(f"/api/{REPO}/branch/same", json={})
    second = hub.commit(REPO, file("a", b"2"), revision="same").json()["commitOid"]
    assert hub.get(f"/api/{REPO}/commits/same").json()[0]["id"] == second
    assert hub.get(f"/api/{REPO}/commits/refs%2Ftags%2Fsame").json()[0]["id"] == first
