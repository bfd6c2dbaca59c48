"""The real git is the judge of what the hub calls git objects."""

import hashlib
import subprocess
from pathlib import Path
from typing import Literal

import pytest
from hub_in_process import Hub, copy, file, gone, large
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from hub.commits import objects
from hub.commits import service as commits
from hub.commits.drafts import Draft
from hub.commits.export import export
from hub.commits.objects import Item
from hub.db import now
from hub.errors import Conflict, EntryNotFound, Invalid
from hub.repos.service import RepoRecord
from hub.tables import Repo

REPO = "models/alice/m"


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run git without the configuration of whoever runs the tests."""
    environment = {
        "PATH": "/usr/bin:/bin:/usr/local/bin",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "HOME": str(folder),
    }
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], input=stdin, capture_output=True, check=False, env=environment
    )
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("git")
    git(folder, "init", "-q")
    return folder


def exported(hub: Hub, repo: RepoRecord, folder: Path) -> Path:
    with hub.stores.database.reading() as db:
        export(db, hub.stores.blobs, repo, folder)
    return folder


def test_ids_are_those_of_hash_object_mktree_and_commit_tree(scratch: Path) -> None:
    data = b"line\n\0\xff"
    blob = git(scratch, "hash-object", "-w", "--stdin", stdin=data).decode().strip()
    assert objects.object_id(b"blob", data).hex() == blob
    empty = git(scratch, "mktree").decode().strip()
    assert objects.object_id(b"tree", objects.encode_tree({})).hex() == empty
    # git sorts a folder as if it ended in a slash: a.txt, a, a0.
    listing = f"100644 blob {blob}\ta.txt\n040000 tree {empty}\ta\n100644 blob {blob}\ta0\n"
    tree = git(scratch, "mktree", stdin=listing.encode()).decode().strip()
    file_item, folder_item = Item(False, bytes.fromhex(blob)), Item(True, bytes.fromhex(empty))
    encoded = objects.encode_tree({b"a0": file_item, b"a": folder_item, b"a.txt": file_item})
    assert objects.object_id(b"tree", encoded).hex() == tree
    assert list(objects.decode_tree(encoded)) == [b"a.txt", b"a", b"a0"]
    parent = git(scratch, *_commit("first"), tree).decode().strip()
    child = git(scratch, *_commit("tïtle\n\nand more"), tree, "-p", parent).decode().strip()
    moment = now().replace(microsecond=0)
    for title, description, above, expected in (
        ("first", "", None, parent),
        ("tïtle", "and more", bytes.fromhex(parent), child),
    ):
        seconds = git(scratch, "log", "-1", "--format=%at", expected).decode().strip()
        encoded = objects.encode_commit(
            tree=bytes.fromhex(tree),
            parent=above,
            author="alice",
            moment=moment.fromtimestamp(int(seconds), moment.tzinfo),
            title=title,
            description=description,
        )
        assert objects.object_id(b"commit", encoded).hex() == expected


def _commit(message: str) -> list[str]:
    identity = ["-c", "user.name=alice", "-c", "user.email=alice@users.noreply.voxhub"]
    return [*identity, "commit-tree", "-m", message]


def test_git_accepts_an_exported_repository_and_sees_the_same_history(hub: Hub, tmp_path: Path) -> None:
    repo = hub.new_repo("m")
    oid = hub.keep_large(repo, b"weights")
    hub.commit(
        REPO, file("a/b/c.txt", b"1"), file("a.txt", b"2"), file("ünï cödé/文.txt", b"3"), file("e", b"")
    )
    hub.commit(REPO, large("model.safetensors", oid), message="Weights\n\nTrained <well>.\nTwice.")
    hub.commit(REPO, gone("a/"), copy("a.txt", "x/y/z"))
    hub.post(f"/api/{REPO}/tag/main", json={"tag": "v1.0"})
    hub.post(f"/api/{REPO}/branch/dev%2Fx", json={"startingPoint": "main"})
    hub.commit(REPO, file("only-here", b"4"), revision="dev%2Fx")
    hub.commit(
        REPO, gone(".gitattributes"), gone("ünï cödé"), gone("model.safetensors"), gone("x"), gone("e")
    )
    hub.commit(REPO, gone("a.txt"), message="An empty tree")
    head = hub.commit(REPO, message="An empty commit").json()["commitOid"]

    folder = exported(hub, repo, tmp_path / "m.git")
    assert git(folder, "fsck", "--full", "--strict", "--no-dangling") == b""
    assert git(folder, "rev-parse", "HEAD").decode().strip() == head
    listed = hub.get(f"/api/{REPO}/commits/main").json()
    log = git(folder, "log", "--format=%H%x00%s%x00%an%x00%ae%x00%at").decode().splitlines()
    assert [line.split("\0")[:2] for line in log] == [[item["id"], item["title"]] for item in listed]
    assert {tuple(line.split("\0")[2:4]) for line in log} == {("alice", "alice@users.noreply.voxhub")}
    for item in listed:
        with hub.stores.database.reading() as db:
            record = commits.resolve(db, repo.id, item["id"])
            entries = commits.entries(db, repo.id, record.tree, recursive=True)
        ours = [(entry.path, entry.id.hex(), entry.kind) for entry in entries]
        lines = git(folder, "ls-tree", "-r", "-t", "-z", item["id"]).decode().split("\0")[:-1]
        theirs = [(line.split("\t")[1], line.split()[2], line.split()[1]) for line in lines]
        kinds = {"blob": "file", "tree": "directory"}
        assert ours == [(path, identity, kinds[kind]) for path, identity, kind in theirs]
    refs = git(folder, "for-each-ref", "--format=%(refname) %(objectname)").decode().splitlines()
    found = hub.get(f"/api/{REPO}/refs").json()
    assert sorted(refs) == sorted(
        f"{ref['ref']} {ref['targetCommit']}" for ref in found["branches"] + found["tags"]
    )
    assert git(folder, "show", "v1.0:model.safetensors").decode() == (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 7\n"
    )
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--branch", "dev/x", str(folder), str(clone))
    assert (clone / "only-here").read_bytes() == b"4"


def test_an_export_does_not_write_into_a_folder_with_files(hub: Hub, tmp_path: Path) -> None:
    repo = hub.new_repo("m")
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(Conflict, match="not empty"):
        exported(hub, repo, tmp_path)


names = st.sampled_from(["a", "a.txt", "a0", "b", "ä", "-", "a b"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
changes = st.one_of(
    st.tuples(st.just("put"), paths, st.binary(max_size=3)),
    st.tuples(st.just("delete"), paths, st.just(b"")),
)
Step = tuple[Literal["put", "delete"], str, bytes]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(st.lists(changes, max_size=6), max_size=4))
def test_any_sequence_of_changes_gives_the_tree_that_git_writes(
    hub: Hub, scratch: Path, rounds: list[list[Step]]
) -> None:
    git(scratch, "read-tree", "--empty")
    expected: dict[str, bytes] = {}
    repo_id = _any_repo(hub)
    tree: bytes | None = None
    with hub.stores.database.writing() as db:
        for steps in rounds:
            draft = Draft(db, repo_id, tree)
            for kind, path, data in steps:
                _apply(draft, expected, kind, path, data)
            actor = hub.actor(db)
            tree = commits.write_commit(
                db, repo_id, actor, draft, parent=None, title="x", description=""
            ).tree
    blobs = {
        data: git(scratch, "hash-object", "-w", "--stdin", stdin=data).strip() for data in expected.values()
    }
    listing = b"".join(b"100644 %s\t%s\0" % (blobs[data], path.encode()) for path, data in expected.items())
    git(scratch, "update-index", "-z", "--index-info", stdin=listing)
    written = git(scratch, "write-tree").decode().strip()
    assert (tree or objects.object_id(b"tree", b"")).hex() == written


def _any_repo(hub: Hub) -> int:
    with hub.stores.database.reading() as db:
        found = db.execute(select(Repo.id)).scalar()
    return found if found is not None else hub.new_repo("m").id


def _apply(draft: Draft, expected: dict[str, bytes], kind: str, path: str, data: bytes) -> None:
    """Do the same to the draft and to a dictionary of files, which says what must be refused."""
    below = [other for other in expected if other.startswith(f"{path}/")]
    above = [other for other in expected if path.startswith(f"{other}/")]
    if kind == "delete":
        if path not in expected and not below:
            with pytest.raises(EntryNotFound):
                draft.delete(path, folder=False)
            return
        draft.delete(path, folder=False)
        for other in [path, *below]:
            expected.pop(other, None)
        return
    item = Item(folder=False, id=hashlib.sha1(b"blob %d\0" % len(data) + data).digest())  # noqa: S324 - git's
    if below or above:
        with pytest.raises(Invalid):
            draft.put(path, item)
        return
    draft.put(path, item)
    expected[path] = data
