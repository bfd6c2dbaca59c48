"""Reading files: every header that clients read, ranges, conditions, and names of every kind."""

import hashlib
from urllib.parse import quote

import pytest
from hub_in_process import Hub, file, large
from uploading import upload

SMALL = b'{"a": 1}\n'
LARGE = hashlib.shake_256(b"weights").digest(5 << 20)
ODD_PATHS = [
    "a b.txt",
    "déjà vu/ünï.txt",
    "日本語.txt",
    "100% a+b&c=d.txt",
    'it\'s "quoted".txt',
    "hash#question?.txt",
    "%2F.txt",
    "semi;colon,comma.txt",
    "deep/er/and/deeper/x.txt",
    "resolve/main/x.txt",
    "[brackets]{braces}.txt",
    "emoji 🧠.txt",
]


def git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@pytest.fixture
def commit(hub: Hub) -> str:
    """`alice/m` with a small and a large file; the id of its commit."""
    repo = hub.new_repo("m")
    oid = upload(hub, repo, LARGE)
    made = hub.commit(
        "models/alice/m", file("config.json", SMALL), large("w/model.safetensors", oid, len(LARGE))
    )
    return made.json()["commitOid"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_small_file_has_its_git_id_as_etag(hub: Hub, commit: str, method: str) -> None:
    reply = hub.request(method, "/alice/m/resolve/main/config.json")
    assert reply.status_code == 200
    assert reply.content == (SMALL if method == "GET" else b"")
    assert reply.headers["etag"] == f'"{git_id(SMALL)}"'
    assert reply.headers["x-repo-commit"] == commit
    assert reply.headers["content-length"] == str(len(SMALL))
    assert reply.headers["accept-ranges"] == "bytes"
    assert "content-encoding" not in reply.headers
    assert "x-linked-etag" not in reply.headers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_large_file_has_its_sha256_as_etag(hub: Hub, commit: str, method: str) -> None:
    reply = hub.request(method, "/alice/m/resolve/main/w/model.safetensors")
    assert reply.status_code == 200
    assert reply.content == (LARGE if method == "GET" else b"")
    assert reply.headers["etag"] == f'"{hashlib.sha256(LARGE).hexdigest()}"'
    assert reply.headers["x-linked-etag"] == reply.headers["etag"]
    assert reply.headers["x-linked-size"] == str(len(LARGE))
    assert reply.headers["content-length"] == str(len(LARGE))
    assert reply.headers["x-repo-commit"] == commit
    # It came by Git LFS: nothing may say that Xet can read it.
    assert "x-xet-hash" not in reply.headers


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=1048570-1048590", 1048570, 1048591),
        ("bytes=5242000-", 5242000, 5242880),
        ("bytes=5242000-99999999", 5242000, 5242880),
        ("bytes=-10", 5242870, 5242880),
        ("bytes=-99999999", 0, 5242880),
    ],
)
def test_one_range_gives_just_its_bytes(hub: Hub, commit: str, header: str, start: int, end: int) -> None:
    assert commit
    reply = hub.get("/alice/m/resolve/main/w/model.safetensors", headers={"range": header})
    assert reply.status_code == 206
    assert reply.content == LARGE[start:end]
    assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/{len(LARGE)}"
    assert reply.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("header", ["bytes=5242880-", "bytes=99999999-99999999", "bytes=-0"])
def test_a_range_behind_the_end_is_416_with_the_size(hub: Hub, commit: str, header: str) -> None:
    assert commit
    reply = hub.get("/alice/m/resolve/main/w/model.safetensors", headers={"range": header})
    assert reply.status_code == 416
    assert reply.headers["content-range"] == f"bytes */{len(LARGE)}"


@pytest.mark.parametrize("header", ["bytes=0-1,3-4", "lines=1-2", "bytes=5-2", "bytes=a-b", "bytes=--1", "x"])
def test_a_range_that_is_none_gives_the_whole(hub: Hub, commit: str, header: str) -> None:
    assert commit
    reply = hub.get("/alice/m/resolve/main/config.json", headers={"range": header})
    assert (reply.status_code, reply.content) == (200, SMALL)


def test_an_empty_file_is_whole_and_has_no_range(hub: Hub) -> None:
    hub.new_repo("m")
    hub.commit("models/alice/m", file("empty.txt", b""))
    reply = hub.get("/alice/m/resolve/main/empty.txt")
    assert (reply.status_code, reply.content, reply.headers["content-length"]) == (200, b"", "0")
    assert hub.get("/alice/m/resolve/main/empty.txt", headers={"range": "bytes=0-"}).status_code == 416


def test_what_the_client_has_already_is_not_sent_again(hub: Hub, commit: str) -> None:
    path = "/alice/m/resolve/main/config.json"
    etag = hub.get(path).headers["etag"]
    for value in (etag, f'"other", W/{etag}', "*"):
        for method in ("GET", "HEAD"):
            reply = hub.request(method, path, headers={"if-none-match": value})
            assert (reply.status_code, reply.content) == (304, b"")
            assert reply.headers["etag"] == etag
            assert reply.headers["x-repo-commit"] == commit
    assert hub.get(path, headers={"if-none-match": '"other"'}).status_code == 200
    hub.commit("models/alice/m", file("config.json", b"{}"))
    assert hub.get(path, headers={"if-none-match": etag}).content == b"{}"


def test_if_range_gives_the_whole_of_another_version(hub: Hub, commit: str) -> None:
    path = "/alice/m/resolve/main/config.json"
    etag = hub.get(path).headers["etag"]
    assert commit
    for value, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200), ("Thu, 01 Jan 1970", 200)):
        reply = hub.get(path, headers={"range": "bytes=0-1", "if-range": value})
        assert reply.status_code == status, value


@pytest.mark.parametrize("path", ODD_PATHS)
def test_files_of_every_name_are_found_and_named(hub: Hub, path: str) -> None:
    hub.new_repo("m")
    made = hub.commit("models/alice/m", file(path, path.encode()))
    assert made.status_code == 200, made.text
    for revision in ("main", made.json()["commitOid"]):
        reply = hub.get(f"/alice/m/resolve/{revision}/{quote(path)}")
        assert (reply.status_code, reply.text) == (200, path)
    name = path.rpartition("/")[2]
    disposition = reply.headers["content-disposition"]
    assert disposition.startswith('inline; filename="')
    assert disposition.endswith(f"; filename*=UTF-8''{quote(name, safe='')}")
    assert disposition.count('"') == 2
    tree = hub.get("/api/models/alice/m/tree/main?recursive=true").json()
    assert path in [entry["path"] for entry in tree]
    asked = hub.post("/api/models/alice/m/paths-info/main", data={"paths": [path], "expand": "true"})
    assert [entry["path"] for entry in asked.json()] == [path]
    folder = path.rpartition("/")[0]
    if folder:
        inside = hub.get(f"/api/models/alice/m/tree/main/{quote(folder)}").json()
        assert [entry["path"] for entry in inside] == [path]


@pytest.mark.parametrize("name", ["dev/x", "v1.0", "a+b", "100%", "ünï", "feature/a/b", "it's"])
def test_revisions_of_every_name_are_found(hub: Hub, name: str) -> None:
    hub.new_repo("m")
    made = hub.post(f"/api/models/alice/m/branch/{quote(name, safe='')}", json={})
    assert made.status_code == 200, made.text
    hub.commit("models/alice/m", file("d/x.txt", b"there"), revision=quote(name, safe=""))
    for revision in (name, f"refs/heads/{name}"):
        quoted = quote(revision, safe="")
        assert hub.get(f"/alice/m/resolve/{quoted}/d/x.txt").content == b"there"
        inside = hub.get(f"/api/models/alice/m/tree/{quoted}/d").json()
        assert [entry["path"] for entry in inside] == ["d/x.txt"]
        info = hub.get(f"/api/models/alice/m/revision/{quoted}").json()
        assert len(info["siblings"]) == 2
    assert hub.get("/alice/m/resolve/main/d/x.txt").status_code == 404


def test_old_revisions_keep_their_bytes(hub: Hub, commit: str) -> None:
    hub.commit("models/alice/m", file("config.json", b"{}"))
    assert hub.get("/alice/m/resolve/main/config.json").content == b"{}"
    for revision in (commit, commit[:7], commit.upper()[:0] or commit[:12]):
        assert hub.get(f"/alice/m/resolve/{revision}/config.json").content == SMALL


def test_what_is_missing_says_what(hub: Hub, commit: str) -> None:
    def code(path: str) -> tuple[int, str]:
        reply = hub.get(path)
        return reply.status_code, reply.headers["x-error-code"]

    assert code("/alice/m/resolve/main/nope.txt") == (404, "EntryNotFound")
    assert code("/alice/m/resolve/main/w") == (404, "EntryNotFound")
    assert code("/alice/m/resolve/main/config.json/x") == (404, "EntryNotFound")
    assert code("/alice/m/resolve/main/../../m/config.json") != (200, "")
    assert code("/alice/m/resolve/main/%2e%2e/%2e%2e/voxhub.sqlite3") == (404, "EntryNotFound")
    assert code("/alice/m/resolve/main/a%00b") == (404, "EntryNotFound")
    assert code("/alice/m/resolve/main/%ff%fe") == (404, "EntryNotFound")
    assert code("/alice/m/resolve/nope/config.json") == (404, "RevisionNotFound")
    assert code(f"/alice/m/resolve/{'0' * 40}/config.json") == (404, "RevisionNotFound")
    assert code("/alice/n/resolve/main/config.json") == (404, "RepoNotFound")
    assert code("/datasets/alice/m/resolve/main/config.json") == (404, "RepoNotFound")
    # Clients remember for each commit what is not there.
    assert hub.request("HEAD", "/alice/m/resolve/main/nope.txt").headers["x-repo-commit"] == commit


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.html", "text/plain"),
        ("x.svg", "text/plain"),
        ("x.js", "text/plain"),
        ("x.xhtml", "application/octet-stream"),
        ("x.pdf", "application/octet-stream"),
        ("x", "application/octet-stream"),
        ("README.md", "text/plain"),
        ("x.png", "image/png"),
        (".gitignore", "text/plain"),
    ],
)
@pytest.mark.parametrize("route", ["resolve", "raw"])
def test_no_file_is_run_by_a_browser(hub: Hub, name: str, kind: str, route: str) -> None:
    hub.new_repo("m")
    hub.commit("models/alice/m", file(name, b"<script>alert(1)</script>"))
    reply = hub.get(f"/alice/m/{route}/main/{name}")
    assert reply.headers["content-type"].partition(";")[0] == kind
    assert reply.headers["content-type"].count("charset") <= 1
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in reply.headers["content-security-policy"]


def test_only_public_commits_are_cached_for_good(hub: Hub, commit: str) -> None:
    def cached(revision: str, user: str | None = "alice") -> str:
        return hub.get(f"/alice/m/resolve/{revision}/config.json", user=user).headers["cache-control"]

    assert cached(commit, None) == "public, max-age=31536000, immutable"
    assert cached("main", None) == "no-cache"
    assert cached(commit[:12], None) == "no-cache"
    hub.request("PUT", "/api/models/alice/m/settings", json={"private": True})
    assert cached(commit) == "private, no-cache"


def test_raw_gives_what_git_holds(hub: Hub, commit: str) -> None:
    pointer = (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(LARGE).hexdigest()}\n"
        f"size {len(LARGE)}\n"
    ).encode()
    for path, content in (("config.json", SMALL), ("w/model.safetensors", pointer)):
        reply = hub.get(f"/alice/m/raw/main/{path}")
        assert reply.content == content
        assert reply.headers["etag"] == f'"{git_id(content)}"'
        assert reply.headers["x-repo-commit"] == commit
        head = hub.request("HEAD", f"/alice/m/raw/main/{path}")
        assert head.headers["content-length"] == str(len(content))
        again = hub.get(f"/alice/m/raw/main/{path}", headers={"if-none-match": reply.headers["etag"]})
        assert again.status_code == 304


def test_a_lost_blob_is_never_called_missing(hub: Hub, commit: str) -> None:
    assert commit
    for path in (hub.stores.settings.data_dir / "blobs" / "content").rglob("*"):
        if path.is_file() and path.stat().st_size == len(SMALL):
            path.unlink()
    assert hub.request("HEAD", "/alice/m/resolve/main/config.json").status_code == 200
    reply = hub.get("/alice/m/resolve/main/config.json")
    assert (reply.status_code, reply.headers["x-error-code"]) == (503, "Unavailable")
