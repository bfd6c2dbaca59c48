"""Branches over HTTP."""

from urllib.parse import quote

import pytest
from hub_in_process import Hub, file
from sqlalchemy import select

from hub.tables import Repo

REPO = "models/alice/m"


def branches(hub: Hub) -> dict[str, str]:
    found = hub.get(f"/api/{REPO}/refs").json()["branches"]
    assert all(item["ref"] == f"refs/heads/{item['name']}" for item in found)
    return {item["name"]: item["targetCommit"] for item in found}


def head(hub: Hub, revision: str = "main") -> str:
    return hub.get(f"/api/{REPO}/commits/{revision}?limit=1").json()[0]["id"]


def test_a_branch_begins_at_main_or_at_any_revision(hub: Hub) -> None:
    hub.new_repo("m")
    first = head(hub)
    second = hub.commit(REPO, file("a", b"1")).json()["commitOid"]
    hub.post(f"/api/{REPO}/tag/{first}", json={"tag": "v1"})
    for name, start in (("dev", None), ("by-tag", "v1"), ("by-id", first), ("by-prefix", first[:8])):
        body = {} if start is None else {"startingPoint": start}
        assert hub.post(f"/api/{REPO}/branch/{name}", json=body).status_code == 200
    assert branches(hub) == {
        "main": second, "dev": second, "by-tag": first, "by-id": first, "by-prefix": first
    }  # fmt: skip


def test_names_may_hold_slashes_and_any_script(hub: Hub) -> None:
    hub.new_repo("m")
    for name in ("feature%2Fx", "feature/y/z", "%C3%A4%2Fb"):
        assert hub.post(f"/api/{REPO}/branch/{name}", json={}).status_code == 200
    assert set(branches(hub)) == {"main", "feature/x", "feature/y/z", "ä/b"}
    assert hub.get(f"/api/{REPO}/commits/feature%2Fx").status_code == 200
    assert hub.delete(f"/api/{REPO}/branch/feature%2Fx").status_code == 200
    assert set(branches(hub)) == {"main", "feature/y/z", "ä/b"}


def test_an_existing_branch_is_409_unless_it_is_overwritten(hub: Hub) -> None:
    hub.new_repo("m")
    first = head(hub)
    hub.post(f"/api/{REPO}/branch/dev", json={})
    second = hub.commit(REPO, file("a", b"1")).json()["commitOid"]
    refused = hub.post(f"/api/{REPO}/branch/dev", json={})
    assert (refused.status_code, refused.json()["error"]) == (409, "Reference refs/heads/dev already exists")
    assert branches(hub)["dev"] == first
    assert hub.post(f"/api/{REPO}/branch/dev", json={"overwrite": True}).status_code == 200
    assert branches(hub)["dev"] == second


def test_overwriting_main_indexes_its_card_again(hub: Hub) -> None:
    hub.new_repo("m")
    first = head(hub)
    hub.commit(REPO, file("README.md", b"---\nlibrary_name: monai\n---\n"))

    def library() -> str | None:
        with hub.stores.database.reading() as db:
            return db.execute(select(Repo.library_name)).scalar_one()

    assert library() == "monai"
    body = {"overwrite": True, "startingPoint": first}
    assert hub.post(f"/api/{REPO}/branch/main", json=body).status_code == 200
    assert library() is None


def test_an_empty_branch_begins_anew(hub: Hub) -> None:
    hub.new_repo("m")
    hub.commit(REPO, file("a", b"1"))
    assert hub.post(f"/api/{REPO}/branch/fresh", json={"emptyBranch": True}).status_code == 200
    listed = hub.get(f"/api/{REPO}/commits/fresh").json()
    assert [item["title"] for item in listed] == ["initial commit"]


def test_a_branch_that_git_could_not_keep_beside_another_is_409(hub: Hub) -> None:
    hub.new_repo("m")
    hub.post(f"/api/{REPO}/branch/a%2Fb", json={})
    before = hub.state()
    for name in ("a", "a%2Fb%2Fc", "main%2Fx"):
        refused = hub.post(f"/api/{REPO}/branch/{name}", json={})
        assert refused.status_code == 409, name
        assert "beside" in refused.json()["error"]
    assert hub.state() == before
    assert hub.post(f"/api/{REPO}/branch/A", json={}).status_code == 200


BAD_NAMES = [
    "a..b", ".a", "a.lock", "a b", "a~b", "a^b", "a:b", "a?b", "a*b", "a[b", "a\\b", "a@{b", "@{", "a.",
    "a//b", "-a", "HEAD", "refs/pr/1", "refs/x/v1", "x" * 300, "0" * 40, "a\x01b", "a\x7fb",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name)[:20])
def test_a_bad_name_is_400(hub: Hub, name: str) -> None:
    hub.new_repo("m")
    before = hub.state()
    branch = hub.post(f"/api/{REPO}/branch/{quote(name, safe='')}", json={})
    tag = hub.post(f"/api/{REPO}/tag/main", json={"tag": name})
    assert (branch.status_code, tag.status_code) == (400, 400)
    assert "cannot be the name of a" in branch.json()["error"]
    assert hub.state() == before


def test_unknown_revisions_are_404(hub: Hub) -> None:
    hub.new_repo("m")
    before = hub.state()
    for reply in (
        hub.post(f"/api/{REPO}/branch/dev", json={"startingPoint": "nope"}),
        hub.delete(f"/api/{REPO}/branch/nope"),
        hub.post(f"/api/{REPO}/super-squash/nope", json={"message": "x"}),
    ):
        assert (reply.status_code, reply.headers["x-error-code"]) == (404, "RevisionNotFound")
        assert reply.json()["error"].startswith("Invalid rev id")
    assert hub.state() == before


def test_main_cannot_be_deleted(hub: Hub) -> None:
    hub.new_repo("m")
    for name in ("main", "refs%2Fheads%2Fmain", "HEAD"):
        refused = hub.delete(f"/api/{REPO}/branch/{name}")
        assert (refused.status_code, refused.json()["error"]) == (400, "Cannot delete refs/heads/main")
    assert set(branches(hub)) == {"main"}


def test_strangers_cannot_touch_branches_or_tags(hub: Hub) -> None:
    hub.new_repo("m")
    before = hub.state()
    for user, status in (("bob", 403), ("alice_read", 403), (None, 401)):
        assert hub.post(f"/api/{REPO}/branch/dev", json={}, user=user).status_code == status
        assert hub.delete(f"/api/{REPO}/branch/main", user=user).status_code == status
        assert hub.post(f"/api/{REPO}/tag/main", json={"tag": "v1"}, user=user).status_code == status
        assert hub.delete(f"/api/{REPO}/tag/v1", user=user).status_code == status
        assert hub.post(f"/api/{REPO}/super-squash/main", json={}, user=user).status_code == status
    assert hub.state() == before


def test_refs_of_a_private_repository_are_hidden(hub: Hub) -> None:
    hub.new_repo("m", private=True)
    for path in ("refs", "commits/main", "compare/main..main"):
        assert hub.get(f"/api/{REPO}/{path}", user="bob").headers["x-error-code"] == "RepoNotFound"
    assert hub.get(f"/api/{REPO}/refs?include_prs=1").json()["pullRequests"] == []
    assert "pullRequests" not in hub.get(f"/api/{REPO}/refs").json()
