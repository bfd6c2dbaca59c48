"""What the tests of uploads share: a picture of everything a hub keeps, and short ways to send files."""

import hashlib
from typing import Any, Literal

import httpx
import msgspec
from hub_in_process import Hub
from sqlalchemy import func, select
from xet_builder import BuiltUpload

from hub.repos.service import RepoRecord
from hub.tables import Table


def state(hub: Hub) -> dict[str, object]:
    """How many rows each table has, and every file of the store and of staging."""
    with hub.stores.database.reading() as db:
        rows: dict[str, object] = {
            table.name: db.execute(select(func.count()).select_from(table)).scalar_one()
            for table in Table.metadata.sorted_tables
        }
    folder = hub.stores.settings.data_dir
    files = {
        str(path.relative_to(folder)): path.stat().st_size
        for name in ("blobs", "staging")
        for path in (folder / name).rglob("*")
        if path.is_file()
    }
    return {**rows, **files}


def staged(hub: Hub) -> list[str]:
    """What lies in staging."""
    return [path.name for path in hub.stores.staging.root.rglob("*") if path.is_file()]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def batch(
    hub: Hub,
    repo: RepoRecord,
    *objects: tuple[str, int],
    operation: Literal["upload", "download"] = "upload",
    user: str | None = "alice",
    **more: object,
) -> httpx.Response:
    body = {"operation": operation, "objects": [{"oid": oid, "size": size} for oid, size in objects], **more}
    return hub.post(
        f"{repo.url_path}.git/info/lfs/objects/batch",
        user=user,
        content=msgspec.json.encode(body),
        headers={"content-type": "application/vnd.git-lfs+json"},
    )


def upload_action(hub: Hub, repo: RepoRecord, content: bytes, **more: Any) -> dict[str, Any]:
    """The `upload` action for these bytes."""
    reply = batch(hub, repo, (sha256(content), len(content)), **more)
    assert reply.status_code == 200, reply.text
    return reply.json()["objects"][0]["actions"]["upload"]


def upload(hub: Hub, repo: RepoRecord, content: bytes, *, user: str = "alice") -> str:
    """Send bytes by Git LFS; return their SHA-256."""
    action = upload_action(hub, repo, content, user=user)
    reply = hub.request("PUT", action["href"], user=None, content=content)
    assert reply.status_code == 200, reply.text
    return sha256(content)


class XetStore(msgspec.Struct):
    """A hub's chunk store as one Xet token opens it."""

    hub: Hub
    url: str
    token: str

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return self.hub.client.request(method, f"{self.url}{path}", headers=headers, **options)

    def put_xorb(self, name: str, content: bytes) -> httpx.Response:
        return self.request("POST", f"/v1/xorbs/default/{name}", content=content)

    def put_shard(self, shard: bytes, version: int = 1) -> httpx.Response:
        return self.request("POST", f"/v{version}/shards", content=shard)

    def put(self, built: BuiltUpload) -> None:
        """Send a whole upload."""
        for name, content in built.xorbs.items():
            reply = self.put_xorb(name, content)
            assert reply.status_code == 200, reply.text
        reply = self.put_shard(built.shard)
        assert reply.status_code == 200, reply.text

    def read(self, file: str, headers: dict[str, str] | None = None, version: int = 2) -> httpx.Response:
        return self.request("GET", f"/v{version}/reconstructions/{file}", headers=headers or {})


def xet_store(
    hub: Hub, repo: RepoRecord, scope: Literal["read", "write"] = "write", *, user: str | None = "alice"
) -> XetStore:
    """Ask for a Xet token of a repository."""
    reply = hub.get(f"/api/{repo.kind}s/{repo.path}/xet-{scope}-token/main", user=user)
    assert reply.status_code == 200, reply.text
    content = reply.json()
    return XetStore(hub, content["casUrl"], content["accessToken"])
