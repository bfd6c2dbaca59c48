"""What was acknowledged survives: many writers on one branch, and a hub that is killed again and again."""

import base64
import hashlib
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from hub_process import HubServer, start_hub
from xet_builder import build_upload

WRITER = """
import json, sys
from huggingface_hub import CommitOperationAdd, HfApi
endpoint, token, repo, name, count = sys.argv[1:]
api = HfApi(endpoint=endpoint, token=token)
for i in range(int(count)):
    done = api.create_commit(repo, [CommitOperationAdd(f"{name}/{i}.txt", f"{name} {i}".encode())],
                             commit_message=f"{name} {i}")
    print(done.oid, flush=True)
"""


def history(client: httpx.Client, repo: str) -> list[str]:
    """Every commit id of main, oldest first."""
    url: str | None = f"/api/models/{repo}/commits/main"
    ids: list[str] = []
    while url:
        reply = client.get(url)
        reply.raise_for_status()
        ids += [commit["id"] for commit in reply.json()]
        url = reply.links.get("next", {}).get("url")
    return ids[::-1]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_200_commits_from_8_clients_are_all_in_the_history_in_order(tmp_path: Path, workers: int) -> None:
    server = start_hub(tmp_path / "data", options=("--workers", str(workers)))
    try:
        with httpx.Client(
            base_url=server.endpoint, headers={"authorization": f"Bearer {server.admin_token}"}, timeout=60
        ) as client:
            created = client.post("/api/repos/create", json={"name": "race"})
            created.raise_for_status()
            command = [sys.executable, "-c", WRITER, server.endpoint, server.admin_token, "admin/race"]
            writers = [
                subprocess.Popen([*command, f"writer-{n}", "25"], stdout=subprocess.PIPE, text=True)
                for n in range(8)
            ]
            acknowledged = [writer.communicate(timeout=300)[0].split() for writer in writers]
            assert [writer.returncode for writer in writers] == [0] * 8
            place = {commit: n for n, commit in enumerate(history(client, "admin/race"))}
            assert len(place) == 201  # and the initial commit
            for commits in acknowledged:
                places = [place[commit] for commit in commits]
                assert len(places) == 25
                assert places == sorted(places)
            tree = client.get("/api/models/admin/race/tree/main", params={"recursive": "true", "limit": 1000})
            names = {entry["path"] for entry in tree.json() if entry["type"] == "file"}
            assert names == {f"writer-{n}/{i}.txt" for n in range(8) for i in range(25)} | {".gitattributes"}
    finally:
        server.process.terminate()
        server.process.wait(timeout=20)


class Acknowledged(msgspec.Struct):
    """A commit that the hub answered with 200, and the files it must hold from then on."""

    id: str
    files: dict[str, str]  # path -> SHA-256


class Uploader(threading.Thread):
    """Commits without pause a small file and a large one, by LFS or Xet, and notes what was acknowledged."""

    def __init__(self, server: HubServer, name: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.client = httpx.Client(
            base_url=server.endpoint, headers={"authorization": f"Bearer {server.admin_token}"}, timeout=30
        )
        self.name_in_paths = name
        self.random = random.Random(seed)
        self.acknowledged: list[Acknowledged] = []
        self.refused: list[str] = []

    def run(self) -> None:
        with self.client:
            for n in range(1_000_000):
                try:
                    self._commit(n)
                except httpx.TransportError:
                    return  # the hub was killed

    def _commit(self, n: int) -> None:
        small = self.random.randbytes(200)
        large = self.random.randbytes(self.random.randint(1, 3_000_000))
        oid = hashlib.sha256(large).hexdigest()
        if n % 2:
            self._send_by_xet(large)
        else:
            self._send_by_lfs(large, oid)
        path = f"{self.name_in_paths}/{n % 7}"
        lines = [
            {"key": "header", "value": {"summary": f"{path} {n}", "description": ""}},
            {
                "key": "file",
                "value": {
                    "path": f"{path}.txt",
                    "encoding": "base64",
                    "content": base64.b64encode(small).decode(),
                },
            },
            {
                "key": "lfsFile",
                "value": {"path": f"{path}.bin", "algo": "sha256", "oid": oid, "size": len(large)},
            },
        ]
        reply = self.client.post(
            "/api/models/admin/crash/commit/main",
            content="\n".join(json.dumps(line) for line in lines),
            headers={"content-type": "application/x-ndjson"},
        )
        if reply.status_code != 200:
            self.refused.append(reply.text)
            return
        files = {f"{path}.txt": hashlib.sha256(small).hexdigest(), f"{path}.bin": oid}
        self.acknowledged.append(Acknowledged(reply.json()["commitOid"], files))

    def _send_by_lfs(self, large: bytes, oid: str) -> None:
        batch = self.client.post(
            "/admin/crash.git/info/lfs/objects/batch",
            json={
                "operation": "upload",
                "transfers": ["basic"],
                "objects": [{"oid": oid, "size": len(large)}],
            },
        )
        upload = batch.json()["objects"][0]["actions"]["upload"]
        httpx.put(
            upload["href"], content=large, headers=upload.get("header", {}), timeout=30
        ).raise_for_status()

    def _send_by_xet(self, large: bytes) -> None:
        grant = self.client.get("/api/models/admin/crash/xet-write-token/main").json()
        headers = {"authorization": f"Bearer {grant['accessToken']}"}
        built = build_upload(large)
        for name, xorb in built.xorbs.items():
            url = f"{grant['casUrl']}/v1/xorbs/default/{name}"
            self.client.post(url, content=xorb, headers=headers).raise_for_status()
        shard = f"{grant['casUrl']}/v1/shards"
        self.client.post(shard, content=built.shard, headers=headers).raise_for_status()


@pytest.fixture
def crashing(tmp_path: Path) -> Iterator[list[HubServer]]:
    servers = [start_hub(tmp_path / "data")]
    with httpx.Client(headers={"authorization": f"Bearer {servers[0].admin_token}"}) as client:
        client.post(f"{servers[0].endpoint}/api/repos/create", json={"name": "crash"}).raise_for_status()
    yield servers
    for server in servers:
        server.process.kill()
        server.process.wait()


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_nothing_acknowledged_is_lost_by_50_kills(tmp_path: Path, crashing: list[HubServer]) -> None:
    chance = random.Random(50)
    acknowledged: list[Acknowledged] = []
    for turn in range(50):
        server = crashing[-1]
        uploaders = [Uploader(server, f"uploader-{k}", seed=100 * turn + k) for k in range(3)]
        for uploader in uploaders:
            uploader.start()
        time.sleep(chance.uniform(0.05, 1.2))
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        for uploader in uploaders:
            uploader.join(timeout=40)
            assert not uploader.refused
            acknowledged += uploader.acknowledged
        crashing.append(start_hub(tmp_path / "data"))
        check(crashing[-1], acknowledged[-40:])
    assert len(acknowledged) > 100
    check(crashing[-1], acknowledged)


def check(server: HubServer, acknowledged: list[Acknowledged]) -> None:
    """Every acknowledged commit is in the history, and its files have the bytes that were sent."""
    headers = {"authorization": f"Bearer {server.admin_token}"}
    with httpx.Client(base_url=server.endpoint, headers=headers, timeout=60) as client:
        known = set(history(client, "admin/crash"))
        for commit in acknowledged:
            assert commit.id in known
            for path, sha256 in commit.files.items():
                reply = client.get(f"/admin/crash/resolve/{commit.id}/{path}")
                assert reply.status_code == 200, reply.text
                assert hashlib.sha256(reply.content).hexdigest() == sha256
        # What main shows now is whole, acknowledged or not: a commit is there with its bytes, or not.
        tree = client.get("/api/models/admin/crash/tree/main", params={"recursive": "true"}).json()
        for entry in tree:
            if entry["type"] == "file":
                assert client.get(f"/admin/crash/resolve/main/{entry['path']}").status_code == 200
