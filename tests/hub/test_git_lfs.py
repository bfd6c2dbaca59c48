"""The real git-lfs, and large files that move between repositories without being sent."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hub_in_process import Hub
from hub_process import HubServer
from uploading import batch, sha256, state, upload

CONTENT = random.Random(7).randbytes(3_000_000)


def git(folder: Path, *arguments: str) -> str:
    # Checking out leaves pointers; `git lfs pull` is what fetches.
    environment = {**os.environ, "GIT_LFS_SKIP_SMUDGE": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
@pytest.mark.parametrize("private", [False, True])
def test_git_lfs_pushes_and_pulls(hub_server: HubServer, tmp_path: Path, private: bool) -> None:  # noqa: FBT001
    from huggingface_hub import HfApi

    name, token = hub_server.new_user()
    HfApi(hub_server.endpoint, token=token).create_repo(f"{name}/unet", private=private)
    address = hub_server.endpoint.replace("http://", f"http://{name}:{token}@")
    bare, work, clone = tmp_path / "bare.git", tmp_path / "work", tmp_path / "clone"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(bare))
    git(tmp_path, "clone", "-q", str(bare), str(work))
    for setting in (
        ("lfs.url", f"{address}/{name}/unet.git/info/lfs"),
        ("user.name", "x"),
        ("user.email", "x@x"),
    ):
        git(work, "config", *setting)
    git(work, "lfs", "install", "--local")
    git(work, "lfs", "track", "*.safetensors")
    (work / "model.safetensors").write_bytes(CONTENT)
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "weights")

    git(work, "push", "-q", "origin", "HEAD:main")
    git(tmp_path, "clone", "-q", str(bare), str(clone))
    pointer = (clone / "model.safetensors").read_text()
    git(clone, "config", "lfs.url", f"{address}/{name}/unet.git/info/lfs")
    git(clone, "lfs", "install", "--local")
    git(clone, "lfs", "pull")

    assert sha256(CONTENT) in pointer
    assert (clone / "model.safetensors").read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["secret", "absent"])
def test_nobody_is_asked_to_sign_in_whether_there_is_a_repository_or_not(hub: Hub, name: str) -> None:
    hub.new_repo("secret", private=True)

    reply = hub.client.post(
        f"/alice/{name}.git/info/lfs/objects/batch", content=b'{"operation":"download","objects":[]}'
    )

    assert (reply.status_code, reply.headers["lfs-authenticate"]) == (401, 'Basic realm="Voxhub"')
    assert "www-authenticate" not in reply.headers


@pytest.mark.parametrize(
    "credentials", ["Basic !!!", "Basic bm9ib2R5", "Basic YWxpY2U6d3Jvbmc=", "Digest x", "Basic"]
)
def test_wrong_credentials_of_any_scheme_are_a_401(hub: Hub, credentials: str) -> None:
    reply = hub.client.get("/api/whoami-v2", headers={"authorization": credentials})

    assert reply.status_code == 401


def test_a_large_file_is_copied_to_another_repository_without_being_sent(hub: Hub) -> None:
    source, target = hub.new_repo("source", private=True), hub.new_repo("target")
    upload(hub, source, CONTENT)
    before = state(hub)
    body = {
        "target": {"type": "model", "name": target.path},
        "files": [
            {"xetHash": "0" * 64, "sha256": sha256(CONTENT), "filename": "a"},
            {"xetHash": "0" * 64, "sha256": sha256(b"absent"), "filename": "b"},
        ],
    }

    reply = hub.post(f"/api/models/{source.path}/lfs-files/duplicate", json=body)

    assert [each["sha256"] for each in reply.json()["failed"]] == [sha256(b"absent")]
    assert {key for key, value in state(hub).items() if before.get(key) != value} == {"upload"}
    [known] = batch(hub, target, (sha256(CONTENT), len(CONTENT))).json()["objects"]
    assert "actions" not in known


def test_copying_needs_to_read_the_one_and_to_write_the_other(hub: Hub) -> None:
    secret, mine = hub.new_repo("secret", private=True), hub.new_repo("mine", namespace="bob", user="bob")
    upload(hub, secret, CONTENT)
    files = [{"sha256": sha256(CONTENT)}]
    before = state(hub)

    unread = hub.post(
        f"/api/models/{secret.path}/lfs-files/duplicate",
        json={"target": {"type": "model", "name": mine.path}, "files": files},
        user="bob",
    )
    unwritten = hub.post(
        f"/api/models/{secret.path}/lfs-files/duplicate",
        json={"target": {"type": "model", "name": mine.path}, "files": files},
    )

    assert (unread.status_code, unwritten.status_code, state(hub)) == (404, 403, before)
