"""Committing over HTTP: what is written, and what a refused commit leaves."""

import errno
import hashlib
import os
import threading
from base64 import b64encode

import pytest
from hub_in_process import Hub, copy, file, gone, large, ndjson
from sqlalchemy import Connection, select

from hub.commits import service as commits
from hub.commits.records import Change, Delete, Entry
from hub.repos.service import RepoRecord
from hub.settings import Settings
from hub.tables import Repo

REPO = "models/alice/m"
HEADER = ("header", {"summary": "Change"})


def paths(hub: Hub, repo: RepoRecord, revision: str = "main") -> dict[str, Entry]:
    with hub.stores.database.reading() as db:
        tree = commits.resolve(db, repo.id, revision).tree
        found = commits.entries(db, repo.id, tree, recursive=True)
    return {entry.path: entry for entry in found if entry.kind == "file"}


def content(hub: Hub, repo: RepoRecord, path: str, revision: str = "main") -> bytes | None:
    with hub.stores.database.reading() as db:
        tree = commits.resolve(db, repo.id, revision).tree
        return commits.read(db, hub.stores.blobs, repo.id, tree, path)


def test_a_file_is_written_and_the_reply_names_the_commit(hub: Hub) -> None:
    repo = hub.new_repo("m")
    reply = hub.commit(REPO, file("a/b.txt", b"hello"), message="Add a file\n\nIt says hello.")
    assert reply.status_code == 200
    oid = reply.json()["commitOid"]
    assert reply.json() == {
        "success": True,
        "commitOid": oid,
        "commitUrl": f"http://testserver.local/alice/m/commit/{oid}",
        "hookOutput": "",
    }
    assert content(hub, repo, "a/b.txt") == b"hello"
    with hub.stores.database.reading() as db:
        record = commits.resolve(db, repo.id, "main")
    assert (record.id.hex(), record.title, record.message) == (oid, "Add a file", "It says hello.")
    assert record.depth == 1


def test_empty_files_and_empty_commits_are_commits(hub: Hub) -> None:
    repo = hub.new_repo("m")
    assert hub.commit(REPO, file("empty", b"")).status_code == 200
    before = paths(hub, repo)
    assert hub.commit(REPO, message="nothing").status_code == 200
    assert paths(hub, repo) == before
    assert hub.get(f"/api/{REPO}/commits/main").headers["x-total-count"] == "3"


def test_files_folders_and_copies_are_deleted_and_made_in_order(hub: Hub) -> None:
    repo = hub.new_repo("m")
    hub.commit(REPO, file("d/one", b"1"), file("d/e/two", b"2"), file("three", b"3"))
    reply = hub.commit(
        REPO,
        copy("d/one", "x/uno"),
        gone("d/e/"),
        gone("three"),
        file("three/now", b"4"),
        file("d/one", b"5"),
    )
    assert reply.status_code == 200, reply.text
    found = paths(hub, repo)
    assert set(found) == {".gitattributes", "d/one", "x/uno", "three/now"}
    assert content(hub, repo, "x/uno") == b"1"
    assert content(hub, repo, "d/one") == b"5"


def test_a_folder_may_be_deleted_as_a_file(hub: Hub) -> None:
    repo = hub.new_repo("m")
    hub.commit(REPO, file("d/one", b"1"), file("d/e/two", b"2"))
    assert hub.commit(REPO, gone("d")).status_code == 200
    assert set(paths(hub, repo)) == {".gitattributes"}


def test_a_copy_may_come_from_an_older_revision(hub: Hub) -> None:
    repo = hub.new_repo("m")
    old = hub.commit(REPO, file("a", b"old")).json()["commitOid"]
    hub.commit(REPO, file("a", b"new"))
    assert hub.commit(REPO, copy("a", "b", old)).status_code == 200
    assert content(hub, repo, "b") == b"old"


def test_of_two_operations_for_one_path_the_later_wins(hub: Hub) -> None:
    repo = hub.new_repo("m")
    assert hub.commit(REPO, file("a", b"first"), file("a", b"second")).status_code == 200
    assert content(hub, repo, "a") == b"second"


def test_names_with_spaces_and_any_script_and_two_cases_are_kept(hub: Hub) -> None:
    repo = hub.new_repo("m")
    names = [
        "mit Leerzeichen/Ünïcode ✓.txt",
        "日本語/头.txt",
        "README.md",
        "Readme.md",
        "a" * 255,
        "-x",
        "aux",
    ]
    assert hub.commit(REPO, *(file(name, name.encode()) for name in names)).status_code == 200
    assert set(paths(hub, repo)) == {*names, ".gitattributes"}


def test_a_large_file_is_a_pointer(hub: Hub) -> None:
    repo = hub.new_repo("m")
    oid = hub.keep_large(repo, b"weights")
    assert hub.commit(REPO, large("model.safetensors", oid, 7)).status_code == 200
    entry = paths(hub, repo)["model.safetensors"]
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 7\n".encode()
    assert entry.id == hashlib.sha1(b"blob %d\0" % len(pointer) + pointer).digest()  # noqa: S324 - git's
    assert (entry.size, entry.large_size, entry.pointer_size) == (7, 7, len(pointer))
    # As the client copies: the oid again, without its size.
    assert hub.commit(REPO, large("copy.safetensors", oid)).status_code == 200
    assert paths(hub, repo)["copy.safetensors"].id == entry.id


def test_a_pointer_sent_as_text_is_the_large_file_and_needs_its_bytes(hub: Hub) -> None:
    repo = hub.new_repo("m")
    other = hub.new_repo("other")
    oid = hub.keep_large(other, b"weights")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 7\n".encode()
    before = hub.state()
    refused = hub.commit(REPO, file("a.bin", pointer))
    assert (refused.status_code, hub.state()) == (422, before)
    hub.keep_large(repo, b"weights")
    assert hub.commit(REPO, file("a.bin", pointer)).status_code == 200
    assert paths(hub, repo)["a.bin"].large_size == 7


def test_a_stale_parent_is_412_and_names_the_head(hub: Hub) -> None:
    hub.new_repo("m")
    first = hub.commit(REPO, file("a", b"1")).json()["commitOid"]
    second = hub.commit(REPO, file("a", b"2"), parent=first).json()["commitOid"]
    before = hub.state()
    refused = hub.commit(REPO, file("a", b"3"), parent=first)
    assert refused.status_code == 412
    sentence = "The branch was updated since you opened this page. Please refresh and try again."
    assert refused.json()["error"].startswith(sentence)
    assert second in refused.json()["error"]
    assert hub.state() == before


def test_commits_go_to_branches_only(hub: Hub) -> None:
    hub.new_repo("m")
    oid = hub.commit(REPO, file("a", b"1")).json()["commitOid"]
    hub.post(f"/api/{REPO}/tag/main", json={"tag": "v1"})
    hub.post(f"/api/{REPO}/branch/dev%2Fx", json={})
    before = hub.state()
    for revision, status in (
        ("nope", 404),
        ("v1", 400),
        ("refs%2Ftags%2Fv1", 400),
        (oid, 400),
        ("refs%2Fpr%2F1", 404),
    ):
        assert hub.commit(REPO, file("a", b"2"), revision=revision).status_code == status, revision
    assert hub.state() == before
    assert hub.commit(REPO, file("a", b"2"), revision="dev%2Fx").status_code == 200
    assert hub.commit(REPO, file("a", b"3"), revision="refs%2Fheads%2Fdev%2Fx").status_code == 200
    assert hub.commit(REPO, file("a", b"2"), params={"create_pr": "1"}).status_code == 501


def test_strangers_and_read_tokens_cannot_commit(hub: Hub) -> None:
    hub.new_repo("m")
    hub.new_repo("secret", private=True)
    before = hub.state()
    assert hub.commit(REPO, file("a", b"1"), user="bob").status_code == 403
    assert hub.commit(REPO, file("a", b"1"), user="alice_read").status_code == 403
    assert hub.commit(REPO, file("a", b"1"), user=None).status_code == 401
    assert hub.commit(REPO, file("a", b"1"), user="nobody").status_code == 401
    hidden = hub.commit("models/alice/secret", file("a", b"1"), user="bob")
    assert (hidden.status_code, hidden.headers["x-error-code"]) == (404, "RepoNotFound")
    assert hub.state() == before


BAD_PATHS = [
    "",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    "/a",
    "a/",
    "a//b",
    "..\\ddd",
    "a\\b",
    "a\0b",
    "a\nb",
    "a\x7fb",
    ".git",
    ".GIT/config",
    "x/.Git/hooks/a",
    "git~1/a",
    ".git ",
    ".git.",
    ".git::$INDEX_ALLOCATION/a",
    ".g\u200cit/a",
    ".gitmodules",
    "x/.GITMODULES",
    "gitmod~1",
    "a" * 256,
    "/".join(["a" * 200] * 6),
    "/".join("a" * 101),
]


@pytest.mark.parametrize("path", BAD_PATHS, ids=lambda path: ascii(path)[:30])
def test_a_bad_path_is_422_in_every_operation(hub: Hub, path: str) -> None:
    hub.new_repo("m")
    before = hub.state()
    for operation in (file(path, b"x"), large(path, "0" * 64, 1), copy(".gitattributes", path)):
        refused = hub.commit(REPO, operation)
        assert refused.status_code == 422
        assert refused.json()["error"].startswith("Invalid path")
    if not path.endswith("/"):
        assert hub.commit(REPO, gone(path)).status_code == 422
    assert hub.state() == before


@pytest.mark.parametrize(
    ("operation", "status", "said"),
    [
        (large("a.bin", "0" * 64, 1), 422, f"`a.bin` points to `{'0' * 64}`, which was never uploaded"),
        (large("a.bin", "0" * 63, 1), 422, "no SHA-256"),
        (large("a.bin", "../" * 20, 1), 422, "no SHA-256"),
        (large(".gitattributes", "0" * 64, 1), 422, "regular file"),
        (gone("nope"), 404, "A file with this name doesn't exist"),
        (gone("nope/"), 404, "A file with this name doesn't exist"),
        (gone("here/"), 404, "A file with this name doesn't exist"),
        (gone("here/below"), 404, "A file with this name doesn't exist"),
        (copy("nope", "b"), 404, "cannot be copied"),
        (copy("folder", "b"), 422, "is a folder"),
        (copy("here", "b", "nope"), 404, "Invalid rev id"),
        (copy("here", ".gitattributes"), 422, "cannot be a copy"),
        (file("here/below", b"x"), 422, "`here` is a file"),
        (file("folder", b"x"), 422, "it is a folder"),
        (file(".gitattributes", b"x" * 2048), 422, "2047"),
        (("file", {"path": "a", "content": "?", "encoding": "base64"}), 400, "`a` (line 2)"),
        (("file", {"path": "a", "content": "YQ", "encoding": "base64"}), 400, "`a` (line 2)"),
        (("file", {"path": "a", "content": "", "encoding": "rot13"}), 400, "Line 2"),
        (("file", {"path": "a"}), 400, "Line 2"),
        (("file", {"path": 1, "content": ""}), 400, "Line 2"),
        (("lfsFile", {"path": "a", "oid": "0" * 64, "algo": "md5"}), 400, "Line 2"),
        (("surprise", {"path": "a"}), 400, "Line 2"),
        (HEADER, 400, "second header"),
    ],
    ids=str,
)
def test_a_bad_operation_is_refused_and_changes_nothing(
    hub: Hub, operation: tuple[str, dict[str, object]], status: int, said: str
) -> None:
    hub.new_repo("m")
    hub.commit(REPO, file("here", b"x"), file("folder/a", b"x"))
    before = hub.state()
    refused = hub.commit(REPO, operation, file("good", b"never seen before"))
    assert refused.status_code == status, refused.text
    assert said in refused.json()["error"]
    assert hub.state() == before


def test_a_wrong_size_is_refused(hub: Hub) -> None:
    repo = hub.new_repo("m")
    oid = hub.keep_large(repo, b"weights")
    before = hub.state()
    refused = hub.commit(REPO, large("a.bin", oid, 8))
    assert refused.status_code == 422
    assert "with 8 bytes, but it has 7" in refused.json()["error"]
    assert hub.state() == before


def test_bytes_of_another_repository_cannot_be_pointed_to(hub: Hub) -> None:
    hub.new_repo("m")
    secret = hub.new_repo("secret", private=True)
    oid = hub.keep_large(secret, b"weights")
    before = hub.state()
    refused = hub.commit(REPO, large("a.bin", oid, 7))
    # The same words as for bytes that nobody has: the answer must not tell that they exist.
    assert refused.status_code == 422
    assert "never uploaded to this repository" in refused.json()["error"]
    assert hub.state() == before


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (ndjson(file("a", b"x")), "must be the header"),
        (ndjson(HEADER) + b'{"key":"file","value":{"path":"a","cont', "Line 2"),
        (ndjson(HEADER) + b"{}", "Line 2"),
        (ndjson(HEADER) + b"[" * 100_000 + b"]" * 100_000, "Line 2"),
        (ndjson(HEADER)[:-2] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "Line 1"),
        (ndjson(HEADER) + b'{"key":"file","value":{"path":"\\ud800","content":""}}', "Line 2"),
        (ndjson(HEADER) + b'{"key":"file","value":{"path":"\xff","content":""}}', "Line 2"),
        (
            ndjson(HEADER) + b'{"key":"deletedFile","value":{"path":"a","pad":"' + b"x" * 2**20 + b'"}}',
            "1048",
        ),
        (b"\x1f\x8b\x08\x00", "Line 1"),
        (b"\0" * 5000, "Line 1"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_body_that_is_no_commit_is_400(hub: Hub, body: bytes, said: str) -> None:
    hub.new_repo("m")
    before = hub.state()
    refused = hub.post(f"/api/{REPO}/commit/main", content=body)
    assert refused.status_code == 400
    assert said in refused.json()["error"]
    assert hub.state() == before


@pytest.mark.parametrize(
    "header",
    [
        {"summary": ""},
        {"summary": " \n "},
        {"summary": "x" * 1001},
        {"summary": "x", "description": "y" * 70_000},
        {"summary": "x", "parentCommit": "main"},
        {"summary": "x", "parentCommit": "abc1234"},
    ],
    ids=str,
)
def test_a_bad_header_is_422(hub: Hub, header: dict[str, str]) -> None:
    hub.new_repo("m")
    before = hub.state()
    assert hub.post(f"/api/{REPO}/commit/main", content=ndjson(("header", header))).status_code == 422
    assert hub.state() == before


def test_a_body_may_be_as_long_as_the_client_makes_it(hub: Hub) -> None:
    repo = hub.new_repo("m")
    files = [bytes([number]) * (9 * 1024 * 1024) for number in range(3)]
    reply = hub.commit(REPO, *(file(f"{number}.text", data) for number, data in enumerate(files)))
    assert reply.status_code == 200, reply.text
    found = paths(hub, repo)
    for number, data in enumerate(files):
        assert found[f"{number}.text"].sha256 == hashlib.sha256(data).digest()
        assert found[f"{number}.text"].large_size is None


def test_a_regular_file_over_32_mib_is_413(hub: Hub) -> None:
    hub.new_repo("m")
    before = hub.state()
    for size in (32 * 1024 * 1024 + 1, 40 * 1024 * 1024):
        refused = hub.commit(REPO, file("a", bytes(size)))
        assert refused.status_code == 413
        assert "Git LFS" in refused.json()["error"]
    assert hub.state() == before


class TestLimits:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return Settings(data_dir=settings.data_dir, max_commit_size=10_000, max_commit_operations=5)

    def test_a_body_over_the_limit_is_413(self, hub: Hub) -> None:
        hub.new_repo("m")
        before = hub.state()
        announced = hub.commit(REPO, file("a", bytes(20_000)))
        body = ndjson(HEADER, file("a", bytes(20_000)))
        streamed = hub.post(
            f"/api/{REPO}/commit/main", content=(body[at : at + 999] for at in range(0, len(body), 999))
        )
        assert (announced.status_code, streamed.status_code) == (413, 413)
        assert hub.state() == before

    def test_too_many_operations_are_413(self, hub: Hub) -> None:
        hub.new_repo("m")
        before = hub.state()
        assert hub.commit(REPO, *(file(f"{n}", b"") for n in range(6))).status_code == 413
        assert hub.state() == before
        assert hub.commit(REPO, *(file(f"{n}", b"") for n in range(5))).status_code == 200


def test_two_writers_lose_no_commit(hub: Hub) -> None:
    repo = hub.new_repo("m")
    acknowledged: list[str] = []

    def write(writer: int) -> None:
        for number in range(15):
            reply = hub.commit(REPO, file(f"{writer}/{number}", b"%d" % number))
            assert reply.status_code == 200
            acknowledged.append(reply.json()["commitOid"])

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listed = hub.get(f"/api/{REPO}/commits/main?limit=1000").json()
    assert len(acknowledged) == 30
    assert {commit["id"] for commit in listed[:-1]} == set(acknowledged)
    assert len(paths(hub, repo)) == 31


def test_a_lost_race_is_applied_to_the_new_head(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """What PostgreSQL allows and SQLite's write lock does not: the branch moves while a commit is written."""
    repo = hub.new_repo("m")
    move_ref = commits.move_ref
    others = [Change("Theirs", "", None, [Delete(".gitattributes", folder=False)])]

    def move_ref_later(db: Connection, repo_id: int, name: str, old: bytes, new: bytes) -> bool:
        if others:
            commits.commit(db, hub.stores.blobs, repo, hub.actor(db), "main", others.pop())
        return move_ref(db, repo_id, name, old, new)

    monkeypatch.setattr(commits, "move_ref", move_ref_later)
    assert hub.commit(REPO, file("mine", b"2")).status_code == 200
    assert set(paths(hub, repo)) == {"mine"}
    titles = [commit["title"] for commit in hub.get(f"/api/{REPO}/commits/main").json()]
    assert titles == ["Change", "Theirs", "initial commit"]


def test_the_card_and_the_manifest_of_main_are_indexed(hub: Hub) -> None:
    repo = hub.new_repo("m")
    hub.post(f"/api/{REPO}/branch/dev", json={})
    card = b"---\npipeline_tag: image-segmentation\nlicense: mit\n---\n# Hello\n"
    hub.commit(REPO, file("README.md", card), revision="dev")

    def indexed() -> str | None:
        with hub.stores.database.reading() as db:
            return db.execute(select(Repo.pipeline_tag).where(Repo.id == repo.id)).scalar_one()

    assert indexed() is None
    hub.commit(REPO, file("README.md", card))
    assert indexed() == "image-segmentation"
    hub.commit(REPO, file("other", b""))
    assert indexed() == "image-segmentation"
    hub.commit(REPO, gone("README.md"))
    assert indexed() is None


def test_text_may_be_sent_as_it_is(hub: Hub) -> None:
    repo = hub.new_repo("m")
    assert (
        hub.commit(REPO, ("file", {"path": "a", "content": "grün", "encoding": "utf-8"})).status_code == 200
    )
    assert content(hub, repo, "a") == "grün".encode()


def test_the_order_of_keys_in_a_line_does_not_matter(hub: Hub) -> None:
    repo = hub.new_repo("m")
    body = ndjson(HEADER) + b'{"value":{"content":"%s","path":"a"},"key":"file"}' % b64encode(
        b"x" * 2_000_000
    )
    assert hub.post(f"/api/{REPO}/commit/main", content=body).status_code == 200
    assert paths(hub, repo)["a"].size == 2_000_000


def test_a_full_disk_is_507_and_changes_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.new_repo("m")
    before = hub.state()

    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fsync)
        refused = hub.commit(REPO, file("a", b"new"), file("b", b"x" * 1_000_000))
    assert (refused.status_code, refused.headers["x-error-code"]) == (507, "StorageFull")
    assert hub.state() == before
    assert hub.commit(REPO, file("a", b"new")).status_code == 200
