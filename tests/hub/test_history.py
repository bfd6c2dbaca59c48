"""The log, revisions, comparisons, squashing, and what they cost."""

import itertools
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from hub_in_process import Hub, copy, file, gone, large
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import event

from hub.commits import service as commits
from hub.commits import trees
from hub.errors import EntryNotFound, RevisionNotFound
from hub.wire import cursor

REPO = "models/alice/m"


@contextmanager
def statements(hub: Hub) -> Generator[list[str]]:
    """Collect the SQL that runs inside the block."""
    seen: list[str] = []

    def collect(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    engine = hub.stores.database.engine
    event.listen(engine, "before_cursor_execute", collect)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", collect)


def test_the_log_is_newest_first_and_paged_by_link(hub: Hub) -> None:
    hub.new_repo("m")
    for number in range(6):
        hub.commit(REPO, file("a", b"%d" % number), message=f"Change {number}")
    expected = [*(f"Change {number}" for number in reversed(range(6))), "initial commit"]
    address = f"/api/{REPO}/commits/main?limit=3"
    titles: list[str] = []
    for page in itertools.count():
        reply = hub.get(address)
        assert reply.headers["x-total-count"] == "7"
        titles += [item["title"] for item in reply.json()]
        link = reply.headers.get("link")
        if link is None:
            break
        match = re.fullmatch(r'<(http://testserver\.local/[^>]+)>; rel="next"', link)
        assert match is not None
        address = match[1]
        if page == 0:
            # A commit in between must not shift the pages that follow.
            hub.commit(REPO, file("b", b""))
            hub.post(f"/api/{REPO}/super-squash/main", json={"message": "Squashed"})
            assert hub.get(f"/api/{REPO}/commits/main").headers["x-total-count"] == "1"
            hub.post(
                f"/api/{REPO}/branch/main", json={"overwrite": True, "startingPoint": reply.json()[0]["id"]}
            )
    assert titles == expected


def test_the_log_is_paged_by_number_too(hub: Hub) -> None:
    hub.new_repo("m")
    for number in range(4):
        hub.commit(REPO, message=f"Change {number}")
    titles = [
        [item["title"] for item in hub.get(f"/api/{REPO}/commits/main?limit=2&p={page}").json()]
        for page in range(4)
    ]
    assert titles == [["Change 3", "Change 2"], ["Change 1", "Change 0"], ["initial commit"], []]


def test_a_commit_is_described_as_clients_read_it(hub: Hub) -> None:
    hub.new_repo("m")
    hub.commit(REPO, message="<b>Title</b>\n\nMore & more")
    plain = hub.get(f"/api/{REPO}/commits/main").json()[0]
    assert re.fullmatch(r"[0-9a-f]{40}", plain.pop("id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", plain.pop("date"))
    assert plain == {"title": "<b>Title</b>", "message": "More & more", "authors": [{"user": "alice"}]}
    formatted = hub.get(f"/api/{REPO}/commits/main", params={"expand[]": "formatted"}).json()[0]["formatted"]
    assert formatted == {"title": "&lt;b&gt;Title&lt;/b&gt;", "message": "More &amp; more"}


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "p=-1", "cursor=%21", "cursor=Ing", "limit=x"])
def test_a_bad_page_is_400(hub: Hub, query: str) -> None:
    hub.new_repo("m")
    assert hub.get(f"/api/{REPO}/commits/main?{query}").status_code == 400


def test_a_revision_is_a_ref_or_an_id_or_a_unique_start_of_one(hub: Hub) -> None:
    repo = hub.new_repo("m")
    oid = hub.commit(REPO, file("a", b"1")).json()["commitOid"]
    hub.post(f"/api/{REPO}/tag/main", json={"tag": "v1"})
    with hub.stores.database.reading() as db:
        for revision in ("main", "HEAD", "refs/heads/main", "v1", "refs/tags/v1", oid, oid[:7], oid[:39]):
            assert commits.resolve(db, repo.id, revision).id.hex() == oid
        for revision in (
            "",
            oid[:6],
            oid.upper(),
            "f" * 40,
            "refs/heads/v1",
            "refs/tags/main",
            "refs/",
            "v1/",
            "\0",
        ):
            with pytest.raises(RevisionNotFound):
                commits.resolve(db, repo.id, revision)


def test_the_commits_of_another_repository_are_not_found(hub: Hub) -> None:
    hub.new_repo("m")
    hub.new_repo("secret", private=True)
    oid = hub.commit("models/alice/secret", file("a", b"1")).json()["commitOid"]
    assert hub.get(f"/api/{REPO}/commits/{oid}").headers["x-error-code"] == "RevisionNotFound"
    assert hub.get(f"/api/{REPO}/commits/main", params={"cursor": cursor(oid)}).json() == []


def test_last_commits_are_those_that_changed_a_path(hub: Hub) -> None:
    repo = hub.new_repo("m")
    hub.commit(REPO, file("d/a", b"1"), file("d/b", b"1"), file("c", b"1"), message="all")
    hub.commit(REPO, file("d/a", b"2"), message="a")
    hub.commit(REPO, message="nothing")
    hub.commit(REPO, file("c", b"2"), message="c")
    hub.commit(REPO, file("c", b"1"), message="c back")
    hub.commit(REPO, file("d/x/y", b"1"), gone("d/b"), message="without b")
    with hub.stores.database.reading() as db:
        newest = commits.resolve(db, repo.id, "main")
        found = commits.last_commits(
            db, repo.id, newest, [".gitattributes", "c", "d", "d/a", "d/b", "d/x", "d/x/y", "nope", "nope/x"]
        )
    assert {path: record.title for path, record in found.items()} == {
        ".gitattributes": "initial commit",
        "c": "c back",
        "d": "without b",
        "d/a": "a",
        "d/x": "without b",
        "d/x/y": "without b",
    }


def test_a_comparison_names_what_was_added_modified_deleted_and_renamed(hub: Hub) -> None:
    repo = hub.new_repo("m")
    oid = hub.keep_large(repo, b"weights")
    hub.commit(
        REPO, file("same/x", b"0"), file("m.txt", b"one\ntwo\n"), file("gone", b"g"), file("old", b"r")
    )
    hub.post(f"/api/{REPO}/tag/main", json={"tag": "v1"})
    hub.commit(
        REPO,
        file("m.txt", b"one\n2\n"),
        gone("gone"),
        gone("old"),
        copy("old", "new/name"),
        large("w.safetensors", oid),
    )
    found = hub.get(f"/api/{REPO}/compare/v1..main?diff=true").json()
    files = {(item["status"], item.get("new", item.get("old"))["path"]): item for item in found["files"]}
    assert set(files) == {
        ("modified", "m.txt"), ("deleted", "gone"), ("renamed", "new/name"), ("added", "w.safetensors")
    }  # fmt: skip
    assert files["renamed", "new/name"]["old"]["path"] == "old"
    assert files["modified", "m.txt"]["patch"].split("\n") == [
        "--- a/m.txt", "+++ b/m.txt", "@@ -1,3 +1,3 @@", " one", "-two", "+2", " "
    ]  # fmt: skip
    assert files["added", "w.safetensors"]["new"]["lfs"]["oid"] == oid
    assert "patch" not in files["added", "w.safetensors"]
    assert found["truncated"] is False
    assert hub.get(f"/api/{REPO}/compare/main..main").json()["files"] == []
    back = hub.get(f"/api/{REPO}/compare/main..v1").json()["files"]
    assert {item["status"] for item in back} == {"added", "modified", "deleted", "renamed"}
    assert hub.get(f"/api/{REPO}/compare/main").status_code == 400
    assert hub.get(f"/api/{REPO}/compare/main..nope").headers["x-error-code"] == "RevisionNotFound"


def test_a_squashed_branch_is_one_commit_with_the_same_files(hub: Hub) -> None:
    hub.new_repo("m")
    old = [hub.commit(REPO, file("a", b"%d" % number)).json()["commitOid"] for number in range(3)]
    hub.post(f"/api/{REPO}/branch/dev", json={})
    squashed = hub.post(f"/api/{REPO}/super-squash/main", json={"message": "All in one\n\nReally"})
    assert squashed.status_code == 200
    listed = hub.get(f"/api/{REPO}/commits/main").json()
    assert [(item["title"], item["message"]) for item in listed] == [("All in one", "Really")]
    assert hub.get(f"/api/{REPO}/compare/{old[-1]}..main").json()["files"] == []
    assert hub.get(f"/api/{REPO}/commits/dev").headers["x-total-count"] == "4"
    # Whoever pinned an old commit keeps it.
    assert hub.get(f"/api/{REPO}/commits/{old[1]}").status_code == 200
    assert hub.commit(REPO, file("a", b"x"), parent=old[-1]).status_code == 412


def test_entries_are_paged_in_the_order_of_git(hub: Hub) -> None:
    repo = hub.new_repo("m")
    names = ["a/x", "a/y/z", "a.txt", "a0", "b/c/d/e", "ä", "z"]
    hub.commit(REPO, *(file(name, b"") for name in names), gone(".gitattributes"))
    expected = ["a.txt", "a", "a/x", "a/y", "a/y/z", "a0", "b", "b/c", "b/c/d", "b/c/d/e", "z", "ä"]
    with hub.stores.database.reading() as db:
        tree = commits.resolve(db, repo.id, "main").tree
        whole = commits.entries(db, repo.id, tree, recursive=True)
        assert [entry.path for entry in whole] == expected
        for limit in range(1, 6):
            for place in ("path", "key"):
                walked: list[str] = []
                after: str | None = None
                while page := commits.entries(db, repo.id, tree, recursive=True, after=after, limit=limit):
                    walked += [entry.path for entry in page]
                    after = getattr(page[-1], place)
                assert walked == expected
        top = commits.entries(db, repo.id, tree)
        assert [entry.path for entry in top] == ["a.txt", "a", "a0", "b", "z", "ä"]
        below = commits.entries(db, repo.id, tree, "a/")
        assert [entry.path for entry in below] == ["a/x", "a/y"]
        for missing in ("nope", "a.txt", "a/x/y"):
            with pytest.raises(EntryNotFound):
                commits.entries(db, repo.id, tree, missing)
        assert commits.find_entry(db, repo.id, tree, "a/y/z") is not None
        assert commits.find_entry(db, repo.id, tree, "a//y") is None


def test_a_commit_to_ten_thousand_files_touches_only_its_path(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.new_repo("m")
    every = [file(f"d{number % 100}/f{number}", b"%d" % (number % 7)) for number in range(10_000)]
    assert hub.commit(REPO, *every).status_code == 200
    hub.commit(REPO, file("d7/f7", b"warm"))
    monkeypatch.setattr(trees, "_cache", trees.TreeCache(trees.CACHE_BYTES))
    before = hub.state()
    with statements(hub) as seen:
        assert hub.commit(REPO, file("d50/new", b"0")).status_code == 200
    after = hub.state()
    assert after["tree"] - before["tree"] == 2  # the root and d50
    reads = [statement for statement in seen if "FROM tree" in statement]
    assert len(reads) == 3  # the old root and d50, and the new root to see whether the card changed
    assert len(seen) < 50


def test_last_commits_do_not_open_folders_that_stayed_the_same(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = hub.new_repo("m")
    hub.commit(REPO, *(file(f"quiet/{number}", b"") for number in range(50)), file("busy/a", b""))
    for number in range(40):
        hub.commit(REPO, file("busy/a", b"%d" % number))
    monkeypatch.setattr(trees, "_cache", trees.TreeCache(trees.CACHE_BYTES))
    with hub.stores.database.reading() as db:
        newest = commits.resolve(db, repo.id, "main")
        wanted = [f"quiet/{number}" for number in range(50)]
        with statements(hub) as seen:
            found = commits.last_commits(db, repo.id, newest, wanted)
    assert {record.depth for record in found.values()} == {1}
    # Each root once, and of the quiet folder its one version.
    assert len([statement for statement in seen if "FROM tree" in statement]) == 42 + 1


def test_the_cache_of_trees_is_bounded() -> None:
    cache = trees.TreeCache(100)
    for number in range(10):
        cache.keep((1, bytes([number])), 30, {})
        cache.find((1, b"\0"))
    held = [number for number in range(10) if cache.find((1, bytes([number]))) is not None]
    assert held == [0, 8, 9]
    cache.keep((1, b"huge"), 101, {})
    assert cache.find((1, b"huge")) is None
    assert cache.find((2, b"\0")) is None


@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rounds=st.lists(st.sets(st.sampled_from(["a", "d/b", "d/c", "e/f/g"])), max_size=6))
def test_last_commits_agree_with_a_walk_over_every_file(hub: Hub, rounds: list[set[str]]) -> None:
    name = f"h{next(_numbers)}"
    repo = hub.new_repo(name)
    expected: dict[str, int] = {}
    for depth, paths in enumerate(rounds, 1):
        operations = [file(path, b"%d" % depth) for path in sorted(paths)]
        assert hub.commit(f"models/alice/{name}", *operations).status_code == 200
        expected.update(dict.fromkeys(paths, depth))
    with hub.stores.database.reading() as db:
        newest = commits.resolve(db, repo.id, "main")
        found = commits.last_commits(db, repo.id, newest, ["a", "d/b", "d/c", "e/f/g"])
    assert {path: record.depth for path, record in found.items()} == expected


_numbers = itertools.count()
