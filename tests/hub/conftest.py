"""A hub in process, with people in it."""

import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import Connection, insert, select

from hub import app
from hub.asgi import Requests
from hub.auth import service as auth
from hub.auth.service import Actor
from hub.call import Stores
from hub.commits import service as commits
from hub.db import now
from hub.repos import service as repos
from hub.repos.service import RepoRecord
from hub.settings import Settings
from hub.tables import Account, Membership, Repo, Table, Token


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


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """What the hub of a test is set to; a test module may define its own."""
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def hub(settings: Settings) -> Iterator[Hub]:
    """The hub in this process, over a new database and a new store."""
    litestar: Litestar = app.create_litestar(settings)
    stores: Stores = litestar.state.stores
    Table.metadata.create_all(stores.database.engine)
    with stores.database.writing() as db:
        fill(db)
    with warnings.catch_warnings():
        # Ours is raised where it happens; anyio's own are about the portal of the test client.
        warnings.simplefilter("default", ResourceWarning)
        with TestClient(Requests(litestar), base_url="http://testserver.local") as client:
            yield Hub(client, stores)
