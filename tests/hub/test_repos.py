"""Creating, renaming, hiding and deleting repositories, and who may."""

from typing import Any

import httpx
import pytest
from hub_in_process import Hub, file
from sqlalchemy import func, select

from hub import app
from hub.tables import Content, Table


def create(hub: Hub, name: str, *, user: str | None = "alice", **more: Any) -> httpx.Response:
    return hub.post("/api/repos/create", user=user, json={"name": name, **more})


def error(reply: httpx.Response) -> tuple[int, str]:
    """The status and the code that clients choose an exception by."""
    return reply.status_code, reply.headers["x-error-code"]


def settings(hub: Hub, repo: str, *, user: str | None = "alice", **body: object) -> httpx.Response:
    return hub.request("PUT", f"/api/models/{repo}/settings", user=user, json=body)


def move(hub: Hub, old: str, new: str, *, user: str = "alice", kind: str = "model") -> httpx.Response:
    return hub.post("/api/repos/move", user=user, json={"fromRepo": old, "toRepo": new, "type": kind})


def delete(hub: Hub, name: str, *, user: str | None = "alice", **more: object) -> httpx.Response:
    return hub.request("DELETE", "/api/repos/delete", user=user, json={"name": name, **more})


def test_a_new_repository_has_one_commit_with_gitattributes(hub: Hub) -> None:
    made = create(hub, "m")
    assert made.json()["url"] == "http://testserver.local/alice/m"
    info = hub.get("/api/models/alice/m").json()
    assert [entry["rfilename"] for entry in info["siblings"]] == [".gitattributes"]
    log = hub.get("/api/models/alice/m/commits/main").json()
    assert [commit["title"] for commit in log] == ["initial commit"]
    assert log[0]["id"] == info["sha"]


@pytest.mark.parametrize(
    ("body", "private"),
    [
        ({}, False),
        ({"private": True}, True),
        ({"private": None}, False),
        ({"visibility": "private"}, True),
        ({"visibility": "public", "private": True}, False),
        ({"organization": None, "sdk": "static", "resourceGroupId": "x", "unknown": {"a": 1}}, False),
    ],
)
def test_every_form_of_the_request_is_understood(hub: Hub, body: dict[str, Any], *, private: bool) -> None:
    assert create(hub, "m", **body).status_code == 200
    assert hub.get("/api/models/alice/m").json()["private"] is private


def test_models_and_data_sets_have_names_of_their_own(hub: Hub) -> None:
    assert create(hub, "m").status_code == 200
    made = create(hub, "m", type="dataset")
    assert made.json()["url"] == "http://testserver.local/datasets/alice/m"
    assert error(create(hub, "m", type="space")) == (501, "Unsupported")


def test_a_second_repository_of_one_name_is_refused_with_the_url_of_the_first(hub: Hub) -> None:
    create(hub, "Brain")
    for name in ("Brain", "brain", "BRAIN"):
        again = create(hub, name)
        assert error(again) == (409, "Conflict")
        assert again.json()["url"] == "http://testserver.local/alice/Brain"
        assert "conflicting operation is in progress" not in again.text


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "empty"),
        (".", "begins or ends"),
        ("..", "`..`"),
        ("../x", "`/`"),
        ("a..b", "`..`"),
        ("a--b", "`--`"),
        ("-a", "begins or ends"),
        ("a.", "begins or ends"),
        ("a b", "contains ` `"),
        ("a/b", "`/`"),
        ("a\x00b", "control character"),
        ("a\nb", "control character"),
        ("a\u202eb", "control character"),
        ("bräin", "contains `ä`"),
        ("x" * 97, "97 characters"),
        ("x" * 300, "300 characters"),
        ("model.git", "`.git`"),
        ("model.GIT", "`.git`"),
        ("notes.ipynb", "`.ipynb`"),
    ],
)
def test_a_bad_name_is_refused_with_its_rule_and_changes_nothing(hub: Hub, name: str, rule: str) -> None:
    before = hub.state()
    reply = create(hub, name)
    assert error(reply) == (400, "BadRequest")
    assert rule in reply.json()["error"]
    assert len(reply.json()["error"]) < 400
    assert hub.state() == before


@pytest.mark.parametrize("name", ["a", "x" * 96, "T1_tissue-v1.0", "_private", "0.1"])
def test_a_good_name_is_kept_as_it_was_written(hub: Hub, name: str) -> None:
    assert create(hub, name).status_code == 200
    assert hub.get(f"/api/models/alice/{name.upper()}").json()["id"] == f"alice/{name}"


def test_only_those_with_a_role_create_in_a_namespace(hub: Hub) -> None:
    assert create(hub, "m", organization="lab").status_code == 200
    before = hub.state()
    assert error(create(hub, "n", organization="lab", user="bob")) == (403, "Forbidden")
    assert error(create(hub, "n", organization="bob")) == (403, "Forbidden")
    assert error(create(hub, "n", organization="nobody")) == (403, "Forbidden")
    assert error(create(hub, "n", user="alice_read")) == (403, "Forbidden")
    assert error(create(hub, "n", user=None)) == (401, "Unauthorized")
    assert error(create(hub, "n", user="wrong")) == (401, "Unauthorized")
    assert hub.state() == before


def test_files_and_a_license_may_come_with_the_creation(hub: Hub) -> None:
    made = create(
        hub, "m", license="mit", files=[{"path": "a/b.txt", "content": "aGk=", "encoding": "base64"}]
    )
    assert made.status_code == 200
    assert hub.get("/alice/m/resolve/main/a/b.txt").text == "hi"
    assert hub.get("/api/models/alice/m").json()["cardData"] == {"license": "mit"}


@pytest.mark.parametrize(
    "more",
    [
        {"license": "x\ny: z"},
        {"files": [{"path": "../x", "content": "a"}]},
        {"files": [{"path": "x", "content": "*", "encoding": "base64"}]},
        {"files": [{"path": f"f{number}", "content": "a"} for number in range(51)]},
    ],
)
def test_bad_first_files_leave_no_repository(hub: Hub, more: dict[str, Any]) -> None:
    before = hub.state()
    assert create(hub, "m", **more).status_code in {400, 422}
    assert hub.state() == before


def test_a_private_repository_does_not_exist_for_others(hub: Hub) -> None:
    create(hub, "m", private=True)
    paths = [
        "/api/models/alice/m",
        "/api/models/alice/m/revision/main",
        "/api/models/alice/m/tree/main",
        "/api/models/alice/m/refs",
        "/api/models/alice/m/auth-check",
        "/api/models/alice/m/auth-check/write",
        "/alice/m/resolve/main/.gitattributes",
        "/alice/m/raw/main/.gitattributes",
    ]
    for path in paths:
        assert hub.get(path).status_code == 200, path
        for user in ("bob", None):
            missing = hub.get(path.replace("alice/m", "alice/n"), user=user)
            hidden = hub.get(path, user=user)
            assert error(hidden) == (404, "RepoNotFound"), path
            assert hidden.text.replace("alice/m", "alice/n") == missing.text
    assert error(settings(hub, "alice/m", user="bob", private=False)) == (404, "RepoNotFound")
    assert error(delete(hub, "m", organization="alice", user="bob")) == (404, "RepoNotFound")
    assert error(move(hub, "alice/m", "bob/m", user="bob")) == (404, "RepoNotFound")


def test_visibility_is_changed_by_admins_only(hub: Hub) -> None:
    create(hub, "m")
    assert settings(hub, "alice/m", visibility="private").json() == {"private": True, "gated": False}
    assert hub.get("/api/models/alice/m", user=None).status_code == 404
    assert settings(hub, "alice/m", private=False).json()["private"] is False
    assert settings(hub, "alice/m", gated=False).json()["private"] is False
    assert error(settings(hub, "alice/m", user="bob", private=True)) == (403, "Forbidden")
    assert error(settings(hub, "alice/m", user=None, private=True)) == (401, "Unauthorized")
    assert error(settings(hub, "alice/m", gated="manual")) == (501, "Unsupported")
    assert error(settings(hub, "alice/m", visibility="protected")) == (501, "Unsupported")
    assert hub.get("/api/models/alice/m", user=None).json()["private"] is False


def test_a_moved_repository_answers_under_both_names(hub: Hub) -> None:
    create(hub, "old")
    sha = hub.get("/api/models/alice/old").json()["sha"]
    assert move(hub, "alice/old", "alice/new").json()["name"] == "alice/new"
    for name in ("old", "OLD", "new"):
        info = hub.get(f"/api/models/alice/{name}").json()
        assert (info["id"], info["sha"]) == ("alice/new", sha)
        assert hub.get(f"/alice/{name}/resolve/main/.gitattributes").status_code == 200


def test_a_new_repository_takes_the_old_name_over(hub: Hub) -> None:
    create(hub, "a")
    move(hub, "alice/a", "alice/b")
    assert create(hub, "a").status_code == 200
    assert hub.get("/api/models/alice/a").json()["id"] == "alice/a"
    # And a second move onto a name that only leads elsewhere takes it over as well.
    move(hub, "alice/a", "alice/c")
    assert move(hub, "alice/b", "alice/a").status_code == 200
    assert hub.get("/api/models/alice/a").json()["id"] == "alice/a"
    assert hub.get("/api/models/alice/b").json()["id"] == "alice/a"


def test_the_case_of_a_name_may_be_changed(hub: Hub) -> None:
    create(hub, "brain")
    assert move(hub, "alice/brain", "alice/Brain").status_code == 200
    assert hub.get("/api/models/alice/brain").json()["id"] == "alice/Brain"


def test_a_move_onto_a_taken_name_changes_nothing(hub: Hub) -> None:
    create(hub, "a")
    create(hub, "b")
    before = hub.state()
    taken = move(hub, "alice/a", "alice/B")
    assert error(taken) == (409, "Conflict")
    assert taken.json()["error"] == "A model repository called alice/b already exists"
    assert error(move(hub, "alice/a", "alice/..")) == (400, "BadRequest")
    assert error(move(hub, "alice/a", "b")) == (400, "BadRequest")
    assert hub.state() == before


def test_a_move_between_namespaces_takes_an_admin_of_both(hub: Hub) -> None:
    create(hub, "m")
    # Alice may write in the organisation, which is not enough to hand it a repository.
    assert error(move(hub, "alice/m", "lab/m")) == (403, "Forbidden")
    assert error(move(hub, "alice/m", "bob/m")) == (403, "Forbidden")
    assert move(hub, "alice/m", "lab/m", user="admin").status_code == 200
    assert hub.get("/api/models/alice/m").json()["author"] == "lab"


def test_a_deleted_repository_takes_its_rows_and_leaves_shared_bytes(hub: Hub) -> None:
    create(hub, "keep")
    create(hub, "m")
    hub.commit("models/alice/m", file("a.txt", b"a"))
    hub.post("/api/models/alice/m/branch/dev", json={})
    move(hub, "alice/m", "alice/n")
    assert delete(hub, "n").status_code == 200
    assert error(hub.get("/api/models/alice/n")) == (404, "RepoNotFound")
    assert error(hub.get("/api/models/alice/m")) == (404, "RepoNotFound")
    with hub.stores.database.reading() as db:
        kept = db.execute(select(func.count()).select_from(Content)).scalar_one()
        assert kept == 2
        for table in Table.metadata.sorted_tables:
            if "repo_id" in table.c:
                owners = set(db.execute(select(table.c.repo_id)).scalars())
                assert owners <= {1}, table.name
    assert hub.get("/alice/keep/resolve/main/.gitattributes").status_code == 200


def test_the_id_of_a_deleted_repository_never_comes_back(hub: Hub) -> None:
    first = create(hub, "m").json()["id"]
    delete(hub, "m")
    assert create(hub, "m").json()["id"] > first


def test_only_an_admin_deletes_and_only_by_the_present_name(hub: Hub) -> None:
    create(hub, "m")
    move(hub, "alice/m", "alice/n")
    before = hub.state()
    assert error(delete(hub, "m")) == (404, "RepoNotFound")
    assert error(delete(hub, "n", organization="alice", user="bob")) == (403, "Forbidden")
    assert error(delete(hub, "n", user="alice_read")) == (403, "Forbidden")
    assert error(delete(hub, "n", user=None)) == (401, "Unauthorized")
    assert error(delete(hub, "nope")) == (404, "RepoNotFound")
    assert hub.state() == before


def test_expand_gives_only_what_was_asked_for(hub: Hub) -> None:
    create(hub, "m")
    info = hub.get("/api/models/alice/m?expand=likes&expand[]=sha").json()
    assert set(info) == {"_id", "id", "likes", "sha"}
    wrong = hub.get("/api/models/alice/m?expand=nope")
    assert wrong.status_code == 400
    assert wrong.json()["error"].startswith('"expand" must be one of [author, ')


def test_info_at_a_revision_has_its_files(hub: Hub) -> None:
    create(hub, "m")
    old = hub.get("/api/models/alice/m").json()["sha"]
    hub.commit("models/alice/m", file("a.txt", b"a"))
    for revision, names in ((old, [".gitattributes"]), ("main", [".gitattributes", "a.txt"])):
        info = hub.get(f"/api/models/alice/m/revision/{revision}?blobs=true").json()
        assert [entry["rfilename"] for entry in info["siblings"]] == names
    assert info["siblings"][1] == {
        "rfilename": "a.txt",
        "size": 1,
        "blobId": "2e65efe2a145dda7ee51d1741299f848e5bf752e",
    }
    assert error(hub.get("/api/models/alice/m/revision/nope")) == (404, "RevisionNotFound")


@pytest.mark.parametrize(
    "path",
    [
        "/api/models/m",
        "/api/models/m/tree/main",
        "/api/datasets/m/revision/main",
        "/m/resolve/main/config.json",
        "/datasets/m/resolve/main/config.json",
    ],
)
def test_a_name_without_a_namespace_is_a_repository_that_does_not_exist(hub: Hub, path: str) -> None:
    assert error(hub.get(path)) == (404, "RepoNotFound")


def test_what_the_hub_does_not_do_is_not_called_a_missing_repository(hub: Hub) -> None:
    create(hub, "m")
    for path in ("/api/models/alice/m/likers", "/api/models/alice/m/discussions", "/api/nothing"):
        assert error(hub.get(path)) == (404, "NotFound")


def test_downloads_are_counted_by_the_file_that_is_read_first(hub: Hub) -> None:
    create(hub, "m")
    hub.commit("models/alice/m", file("config.json", b"{}"), file("a.txt", b"a"))
    for _ in range(3):
        hub.get("/alice/m/resolve/main/config.json")
    hub.get("/alice/m/resolve/main/a.txt")
    hub.request("HEAD", "/alice/m/resolve/main/config.json")
    assert list(hub.stores.downloads) == [1, 1, 1]
    app.record_use(hub.stores)
    assert hub.get("/api/models/alice/m").json()["downloads"] == 3
    app.record_use(hub.stores)
    assert hub.get("/api/models?expand=downloads").json()[0]["downloads"] == 3


def test_storage_is_listed_for_those_who_belong_to_the_namespace(hub: Hub) -> None:
    create(hub, "m", organization="lab", private=True)
    listed = hub.get("/api/organizations/lab/settings/repositories").json()
    assert [(entry["id"], entry["visibility"]) for entry in listed] == [("lab/m", "private")]
    assert listed[0]["storage"] > 0
    assert hub.get("/api/organizations/lab/settings/repositories", user="bob").status_code == 404
    assert hub.get("/api/settings/repositories").json() == []
