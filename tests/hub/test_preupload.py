"""What the hub tells a client before it uploads."""

import hashlib
import time
from typing import Any

import pytest
from hub_in_process import Hub, file, large

REPO = "models/alice/m"
MIB = 1024 * 1024


def ask(
    hub: Hub, *files: tuple[str, int], revision: str = "main", **options: Any
) -> dict[str, dict[str, Any]]:
    extra = options.pop("extra", {})
    body = {"files": [{"path": path, "size": size, "sample": "AAECAw=="} for path, size in files], **extra}
    reply = hub.post(f"/api/{REPO}/preupload/{revision}", json=body, **options)
    assert reply.status_code == 200, reply.text
    answers = reply.json()["files"]
    assert [answer["path"] for answer in answers] == [path for path, _ in files]
    return {answer["path"]: answer for answer in answers}


def modes(answers: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {path: answer["uploadMode"] for path, answer in answers.items()}


def test_gitattributes_and_size_decide_what_is_large(hub: Hub) -> None:
    hub.new_repo("m")
    assert modes(
        ask(
            hub,
            ("config.json", 100),
            ("lfs.bin", 7),
            ("deep/down/model.safetensors", 1),
            ("big.text", 9 * MIB),
            ("edge.text", 10 * MIB),
            ("huge.text", 10 * MIB + 1),
            ("empty.bin", 0),
            ("scan.nii.gz", 5),
            ("saved_model/a/b", 5),
            ("events.tfevents.1", 5),
            ("ünï cödé.onnx", 5),
            ("bin", 5),
        )
    ) == {
        "config.json": "regular",
        "lfs.bin": "lfs",
        "deep/down/model.safetensors": "lfs",
        "big.text": "regular",
        "edge.text": "regular",
        "huge.text": "lfs",
        "empty.bin": "regular",
        "scan.nii.gz": "lfs",
        "saved_model/a/b": "lfs",
        "events.tfevents.1": "lfs",
        "ünï cödé.onnx": "lfs",
        "bin": "regular",
    }


def test_a_changed_gitattributes_counts_from_the_next_question_on(hub: Hub) -> None:
    hub.new_repo("m")
    hub.post(f"/api/{REPO}/branch/old", json={})
    assert modes(ask(hub, ("a.png", 5))) == {"a.png": "regular"}
    hub.commit(REPO, file(".gitattributes", b"*.png filter=lfs diff=lfs merge=lfs -text\nx/*.png -filter\n"))
    assert modes(ask(hub, ("a.png", 5), ("x/a.png", 5), ("a.bin", 5))) == {
        "a.png": "lfs", "x/a.png": "regular", "a.bin": "regular"
    }  # fmt: skip
    assert modes(ask(hub, ("a.png", 5), revision="old")) == {"a.png": "regular"}
    hub.commit(REPO, file("y/.gitattributes", b"*.csv filter=lfs\n*.png !filter\n"))
    assert modes(ask(hub, ("y/a.csv", 5), ("a.csv", 5), ("y/z/a.png", 5))) == {
        "y/a.csv": "lfs", "a.csv": "regular", "y/z/a.png": "regular"
    }  # fmt: skip
    given = {"gitAttributes": "*.csv filter=lfs\n"}
    assert modes(ask(hub, ("a.csv", 5), extra=given)) == {"a.csv": "lfs"}


def test_gitignore_says_what_to_leave_out(hub: Hub) -> None:
    hub.new_repo("m")
    files = [("a.log", 1), ("keep.log", 1), ("build/x/y", 1), ("src/build", 1), ("b.txt", 1)]

    def ignored(**options: Any) -> set[str]:
        return {path for path, answer in ask(hub, *files, **options).items() if answer["shouldIgnore"]}

    assert ignored() == set()
    given = {"gitIgnore": "*.log\n!keep.log\nbuild/\n# nothing\n"}
    assert ignored(extra=given) == {"a.log", "build/x/y"}
    hub.commit(REPO, file(".gitignore", b"*.txt\n"))
    assert ignored() == {"b.txt"}
    assert ignored(extra=given) == {"a.log", "build/x/y"}


def test_the_oid_is_that_of_the_file_that_is_there(hub: Hub) -> None:
    repo = hub.new_repo("m")
    oid = hub.keep_large(repo, b"weights")
    hub.commit(REPO, file("a/b.txt", b"hello"), large("w.bin", oid), file("empty", b""))
    answers = ask(hub, ("a/b.txt", 5), ("w.bin", 7), ("new", 1), ("a", 1), ("empty", 0))
    assert {path: answer["oid"] for path, answer in answers.items()} == {
        "a/b.txt": hashlib.sha1(b"blob 5\0hello").hexdigest(),  # noqa: S324 - git's
        "w.bin": oid,
        "new": None,
        "a": None,
        "empty": hashlib.sha1(b"blob 0\0").hexdigest(),  # noqa: S324 - git's
    }


def test_an_unknown_revision_is_404_but_for_a_pull_request(hub: Hub) -> None:
    hub.new_repo("m")
    refused = hub.post(f"/api/{REPO}/preupload/nope", json={"files": []})
    assert (refused.status_code, refused.headers["x-error-code"]) == (404, "RevisionNotFound")
    assert ask(hub, ("a.bin", 1), revision="nope", params={"create_pr": "1"}, user="bob")["a.bin"]
    anonymous = hub.post(f"/api/{REPO}/preupload/main?create_pr=1", json={"files": []}, user=None)
    assert anonymous.status_code == 401


def test_strangers_are_refused(hub: Hub) -> None:
    hub.new_repo("m")
    hub.new_repo("secret", private=True)
    for repo, user, status in (
        (REPO, "bob", 403),
        (REPO, None, 401),
        (REPO, "alice_read", 403),
        ("models/alice/secret", "bob", 404),
    ):
        assert hub.post(f"/api/{repo}/preupload/main", json={"files": []}, user=user).status_code == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"files": [{"path": "../a", "size": 1}]}, 422),
        ({"files": [{"path": "..\\ddd", "size": 1}]}, 422),
        ({"files": [{"path": "a", "size": -1}]}, 400),
        ({"files": [{"path": "a"}]}, 400),
        ({}, 400),
        ({"files": [{"path": "a", "size": 1}], "gitIgnore": "*a*a*a*a*a*a*a*b"}, 422),
        ({"files": [{"path": "a", "size": 1}], "gitIgnore": "*a*b*\n" * 101}, 422),
        ({"files": [{"path": "a", "size": 1}], "gitIgnore": "a\n" * 10_001}, 422),
        ({"files": [{"path": "a", "size": 1}], "gitAttributes": "*a*a*a*a*a*a*a*b filter=lfs"}, 422),
    ],
    ids=lambda value: str(value)[:60],
)
def test_bad_questions_are_refused(hub: Hub, body: dict[str, Any], status: int) -> None:
    hub.new_repo("m")
    assert hub.post(f"/api/{REPO}/preupload/main", json=body).status_code == status


def test_malformed_patterns_match_nothing(hub: Hub) -> None:
    hub.new_repo("m")
    answers = ask(
        hub,
        ("a.txt", 1),
        extra={"gitIgnore": "[\n\\\n[a-\n/\n", "gitAttributes": "[ filter=lfs\n\xff x\n=\n"},
    )
    assert (answers["a.txt"]["uploadMode"], answers["a.txt"]["shouldIgnore"]) == ("regular", False)


def test_costly_patterns_end_in_an_answer(hub: Hub) -> None:
    hub.new_repo("m")
    files = [{"path": f"{'a' * 250}{number}", "size": 1} for number in range(100)]
    patterns = "\n".join(f"*a*a*b{number}" for number in range(100))
    started = time.monotonic()
    refused = hub.post(f"/api/{REPO}/preupload/main", json={"files": files, "gitIgnore": patterns})
    assert refused.status_code == 422
    assert "too long" in refused.json()["error"]
    assert time.monotonic() - started < 60
