"""A hub in this process, with people in it: what the fixture `hub` gives."""

import hashlib
from base64 import b64encode
from typing import Any, Literal

import httpx
import msgspec
from litestar.testing import TestClient
from sqlalchemy import Connection, func, insert, select

from hub import contents
from hub.auth import service as auth
from hub.auth.service import Actor
from hub.call import Stores
from hub.commits import service as commits
from hub.db import now
from hub.repos import service as repos
from hub.repos.service import RepoRecord
from hub.tables import Account, Membership, Ref, Repo, Table, Token

Operation = tuple[str, dict[str, Any]]


def ndjson(*lines: Operation) -> bytes:
    """The body of a commit."""
    return b"".join(msgspec.json.encode({"key": key, "value": value}) + b"\n" for key, value in lines)


def file(path: str, data: bytes) -> Operation:
    return "file", {"path": path, "content": b64encode(data).decode(), "encoding": "base64"}


def large(path: str, oid: str, size: int | None = None) -> Operation:
    return "lfsFile", {"path": path, "algo": "sha256", "oid": oid, **({} if size is None else {"size": size})}


def gone(path: str) -> Operation:
    return "deletedFolder" if path.endswith("/") else "deletedFile", {"path": path}


def copy(source: str, path: str, revision: str | None = None) -> Operation:
    return "copyFile", {"path": path, "srcPath": source, **({"srcRevision": revision} if revision else {})}


class Hub(msgspec.Struct):
    """Users `alice`, `bob` and `admin`; the organisation `lab`, where alice has the role `write`.

    Tokens are `hf_alice`, `hf_alice_read`, `hf_bob`, `hf_admin`.
    """

    client: "TestClient[Any]"
    stores: Stores

    def request(
        self, method: str, path: str, *, user: str | None = "alice", **options: Any
    ) -> httpx.Response:
        """Send a request as a user; `None` is nobody."""
        headers = {**({"authorization": f"Bearer hf_{user}"} if user else {}), **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.request("DELETE", path, **options)

    def commit(
        self,
        repo: str,
        *operations: Operation,
        parent: str | None = None,
        message: str = "Change",
        revision: str = "main",
        **options: Any,
    ) -> httpx.Response:
        """Send a commit to `models/alice/m`; operations are those of `file`, `large` and their like."""
        header: dict[str, Any] = {"summary": message, "description": ""}
        if parent is not None:
            header["parentCommit"] = parent
        body = ndjson(("header", header), *operations)
        return self.post(f"/api/{repo}/commit/{revision}", content=body, **options)

    def keep_large(self, repo: RepoRecord, data: bytes) -> str:
        """Store a large file as if it had been uploaded to a repository; return its oid."""
        digest = hashlib.sha256(data).digest()
        with self.stores.staging.file() as (path, staged), self.stores.database.writing() as db:
            staged.write(data)
            contents.keep(db, self.stores.blobs, path, digest, len(data))
            contents.allow(db, repo.id, digest)
        return digest.hex()

    def state(self) -> dict[str, Any]:
        """Everything that a refused request must leave as it was."""
        found: dict[str, Any] = {}
        with self.stores.database.reading() as db:
            for name, table in Table.metadata.tables.items():
                found[name] = db.execute(select(func.count()).select_from(table)).scalar_one()
            refs = db.execute(select(Ref.repo_id, Ref.name, Ref.target).order_by(Ref.repo_id, Ref.name))
            found["refs"] = [tuple(row) for row in refs]
        data_dir = self.stores.settings.data_dir
        found["files"] = sorted(
            str(path)
            for folder in ("blobs", "staging")
            for path in (data_dir / folder).rglob("*")
            if path.is_file()
        )
        return found

    def actor(self, db: Connection, user: str = "alice") -> Actor:
        actor = auth.identify(db, f"Bearer hf_{user}")
        assert actor is not None
        return actor

    def new_repo(
        self,
        name: str,
        *,
        namespace: str = "alice",
        kind: Literal["model", "dataset"] = "model",
        private: bool = False,
        user: str = "alice",
    ) -> RepoRecord:
        """Make a repository with its first commit, without its HTTP route."""
        with self.stores.database.writing() as db:
            actor = self.actor(db, user)
            owner = db.execute(select(Account.id).where(Account.name == namespace)).scalar_one()
            moment = now()
            db.execute(
                insert(Repo).values(
                    kind=kind,
                    owner_id=owner,
                    name=name,
                    name_key=name.lower(),
                    private=private,
                    created_by=actor.id,
                    created_at=moment,
                    updated_at=moment,
                    downloads=0,
                    likes=0,
                )
            )
            repo = repos.get(db, actor, kind, namespace, name)
            commits.start(db, self.stores.blobs, self.stores.staging, repo, actor)
            return repo


def add_account(db: Connection, name: str, *, kind: str = "user", admin: bool = False) -> int:
    """Insert an account; return its id."""
    row = {"kind": kind, "name": name, "name_key": name.lower(), "fullname": name.title(), "admin": admin}
    return db.execute(insert(Account).values(**row, created_at=now()).returning(Account.id)).scalar_one()


def add_token(db: Connection, account: int, value: str, role: str) -> None:
    digest = hashlib.sha256(value.encode()).digest()
    row = {"account_id": account, "name": "test", "digest": digest, "hint": value[-4:], "role": role}
    db.execute(insert(Token).values(**row, created_at=now()))


def fill(db: Connection) -> None:
    """Add the people that `Hub` describes."""
    alice, bob = add_account(db, "alice"), add_account(db, "bob")
    admin = add_account(db, "admin", admin=True)
    lab = add_account(db, "lab", kind="org")
    db.execute(insert(Membership).values(org_id=lab, user_id=alice, role="write"))
    add_token(db, alice, "hf_alice", "write")
    add_token(db, alice, "hf_alice_read", "read")
    add_token(db, bob, "hf_bob", "write")
    add_token(db, admin, "hf_admin", "write")
