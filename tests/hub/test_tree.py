"""What stands in a revision: folders, pages, paths."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hub_in_process import Hub, file, large

FILES = {
    "a.txt": b"a",
    "a/b.txt": b"b",
    "a/c/d.txt": b"d",
    "a0.txt": b"0",
    "z.txt": b"z",
}
ORDER = [".gitattributes", "a.txt", "a", "a/b.txt", "a/c", "a/c/d.txt", "a0.txt", "z.txt"]


@pytest.fixture
def repo(hub: Hub) -> str:
    """A model with files and folders whose names tempt a sort to go wrong; the path of its API."""
    hub.new_repo("m")
    hub.commit("models/alice/m", *(file(path, content) for path, content in FILES.items()))
    return "/api/models/alice/m"


def paths(reply: Any) -> list[str]:
    assert reply.status_code == 200, reply.text
    return [entry["path"] for entry in reply.json()]


def pages(hub: Hub, path: str) -> list[list[str]]:
    found: list[list[str]] = []
    while path:
        reply = hub.get(path)
        found.append(paths(reply))
        link = reply.headers.get("link", "")
        address = urlsplit(link.partition(">")[0].removeprefix("<"))
        path = f"{address.path}?{address.query}" if link else ""
    return found


def test_a_folder_is_listed_in_the_order_of_git(hub: Hub, repo: str) -> None:
    assert paths(hub.get(f"{repo}/tree/main")) == [".gitattributes", "a.txt", "a", "a0.txt", "z.txt"]
    assert paths(hub.get(f"{repo}/tree/main/a")) == ["a/b.txt", "a/c"]
    assert paths(hub.get(f"{repo}/tree/main/a/")) == ["a/b.txt", "a/c"]
    assert paths(hub.get(f"{repo}/tree/main?recursive=true")) == ORDER
    assert paths(hub.get(f"{repo}/tree/main/a?recursive=True")) == ["a/b.txt", "a/c", "a/c/d.txt"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 9])
def test_pages_hold_each_entry_once(hub: Hub, repo: str, limit: int) -> None:
    found = pages(hub, f"{repo}/tree/main?recursive=true&limit={limit}")
    assert [path for page in found for path in page] == ORDER
    assert all(len(page) == limit for page in found[:-1])
    assert found[-1]
    inside = pages(hub, f"{repo}/tree/main/a?recursive=true&limit={limit}&expand=true")
    assert [path for page in inside for path in page] == ["a/b.txt", "a/c", "a/c/d.txt"]


def test_pages_go_on_over_a_quoted_revision(hub: Hub, repo: str) -> None:
    hub.post(f"{repo}/branch/dev%2Fx%20y".replace("%20", "+"), json={})
    found = pages(hub, f"{repo}/tree/dev%2Fx+y?recursive=true&limit=3")
    assert [path for page in found for path in page] == ORDER


def test_entries_have_the_ids_of_git(hub: Hub, repo: str, tmp_path: Path) -> None:
    content = bytes(100_000)
    oid = hub.keep_large(hub_repo(hub), content)
    hub.commit("models/alice/m", large("w.bin", oid, len(content)))
    told = {entry["path"]: entry for entry in hub.get(f"{repo}/tree/main").json()}
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"
    assert told["w.bin"] == {
        "type": "file",
        "oid": git("hash-object", "--stdin", stdin=pointer, folder=tmp_path),
        "size": len(content),
        "path": "w.bin",
        "lfs": {
            "oid": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "pointerSize": len(pointer),
        },
    }
    assert told["z.txt"] == {
        "type": "file",
        "oid": git("hash-object", "--stdin", stdin="z", folder=tmp_path),
        "size": 1,
        "path": "z.txt",
    }
    git("init", "-q", folder=tmp_path)
    names = {"b.txt": "b", "c/d.txt": "d"}
    for name, text in names.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    git("add", *names, folder=tmp_path)
    assert told["a"]["type"] == "directory"
    assert told["a"]["oid"] == git("write-tree", folder=tmp_path)


def test_expand_names_the_commit_that_changed_each_last(hub: Hub, repo: str) -> None:
    hub.commit("models/alice/m", file("a/c/d.txt", b"new"), message="Deep")
    hub.commit("models/alice/m", file("z.txt", b"new"), message="Last")
    told = {entry["path"]: entry for entry in hub.get(f"{repo}/tree/main?recursive=1&expand=1").json()}
    titles = {path: entry["lastCommit"]["title"] for path, entry in told.items()}
    assert titles == {
        ".gitattributes": "initial commit",
        "a.txt": "Change",
        "a": "Deep",
        "a/b.txt": "Change",
        "a/c": "Deep",
        "a/c/d.txt": "Deep",
        "a0.txt": "Change",
        "z.txt": "Last",
    }
    assert told["a"]["lastCommit"]["date"].endswith("Z")
    assert told["z.txt"]["securityFileStatus"] is None


def test_paths_are_told_from_a_form_and_from_json(hub: Hub, repo: str) -> None:
    address = f"{repo}/paths-info/main"
    asked = ["z.txt", "nope", "a", "a/c/d.txt", "", "/", "a/"]
    for reply in (
        hub.post(address, data={"paths": asked, "expand": "false"}),
        hub.post(address, json={"paths": asked}),
    ):
        assert paths(reply) == ["z.txt", "a", "a/c/d.txt"]
        assert "lastCommit" not in reply.json()[0]
    for reply in (
        hub.post(address, data={"paths": ["a"], "expand": "true"}),
        hub.post(address, json={"paths": ["a"], "expand": True}),
    ):
        assert reply.json()[0]["lastCommit"]["title"] == "Change"
    assert paths(hub.post(address, data={"paths": []})) == []


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"json": {"paths": "a"}}, 400),
        ({"json": [1]}, 400),
        ({"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 400),
        ({"content": b"paths=\xff"}, 400),
        ({"json": {"paths": [str(number) for number in range(1001)]}}, 422),
        ({"content": "&".join(f"paths={number}" for number in range(1001)).encode()}, 422),
        ({"content": b"paths=a&" * 100_000}, 400),
    ],
)
def test_a_bad_question_for_paths_is_refused(
    hub: Hub, repo: str, options: dict[str, Any], status: int
) -> None:
    assert hub.post(f"{repo}/paths-info/main", **options).status_code == status


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("tree/main/nope", "EntryNotFound"),
        ("tree/main/z.txt", "EntryNotFound"),
        ("tree/main/a/%2e%2e/a", "EntryNotFound"),
        ("tree/nope", "RevisionNotFound"),
        ("tree/nope/a", "RevisionNotFound"),
        ("tree/main?cursor=x", "BadRequest"),
        ("tree/main?cursor=WzFd", "BadRequest"),
        ("tree/main?limit=x", "BadRequest"),
    ],
)
def test_what_is_missing_says_what(hub: Hub, repo: str, path: str, code: str) -> None:
    assert hub.get(f"{repo}/{path}").headers["x-error-code"] == code


def hub_repo(hub: Hub) -> Any:
    from hub.repos import service as repos

    with hub.stores.database.reading() as db:
        return repos.get(db, hub.actor(db), "model", "alice", "m")


def git(*arguments: str, folder: Path, stdin: str | None = None) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, input=stdin, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
