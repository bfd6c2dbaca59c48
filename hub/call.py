"""What a route knows of the request it answers: who asks, for which repository, with which stores.

Handlers are synchronous and run whole in one thread of the pool, reads of a moment in one of the few
threads of `short_read`:

    with call.reading() as db:
        repo = call.repo(db)        # 404 when it is hidden
        ...

A Litestar generator dependency would be shorter, but it opens its transaction on the event loop, where
waiting for SQLite's write lock stops every other request, and it is left open when a dependency beside it
raises. Handlers that stream a body are async and take their transactions in threads of their own.
"""

import asyncio
import contextvars
import functools
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, Literal, ParamSpec, TypeVar
from urllib.parse import unquote

from litestar import Request
from litestar.datastructures import State
from sqlalchemy import Connection

from hub.accounts.attempts import Attempts
from hub.auth import service as auth
from hub.auth.service import Actor
from hub.auth.signatures import Signer
from hub.blobs import Blobs, Staging
from hub.db import Database
from hub.repos import service as repos
from hub.repos.service import Kind, Need, RepoRecord
from hub.settings import Settings

# Each statement of SQLite hands the interpreter's lock over several times: sixteen `resolve` at once took
# 1.2 to 1.9 times the processor time in forty threads. Two did as well; four leave room for a slow one.
READERS = 4
P = ParamSpec("P")
T = TypeVar("T")
_readers = ThreadPoolExecutor(READERS, thread_name_prefix="hub-read")


def short_read(handler: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Run a function in one of a few threads: for bounded reads that wait for no lock, client or store."""

    @functools.wraps(handler)
    async def in_thread(*args: P.args, **kwargs: P.kwargs) -> T:
        context = contextvars.copy_context()
        work = functools.partial(context.run, handler, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(_readers, work)

    return in_thread


class Stores:
    """The parts that every request shares, built once by `hub.app`."""

    def __init__(
        self, settings: Settings, *, database: Database, blobs: Blobs, staging: Staging, signer: Signer
    ) -> None:
        self.settings = settings
        self.database = database
        self.blobs = blobs
        self.staging = staging
        self.signer = signer
        # Tokens seen since they were last written down.
        self.used_tokens: set[int] = set()
        # How often strangers tried to sign in, in this process.
        self.attempts = Attempts()
        # Repositories that were downloaded since, once for each time; threads append while others take away.
        self.downloads: deque[int] = deque()


class Call:
    """One request."""

    def __init__(self, request: Request[Any, Any, Any], stores: Stores) -> None:
        self.request = request
        self.stores = stores
        self.settings = stores.settings
        self.blobs = stores.blobs
        self.staging = stores.staging
        self.signer = stores.signer

    def reading(self) -> AbstractContextManager[Connection]:
        """One consistent snapshot."""
        return self.stores.database.reading()

    def writing(self) -> AbstractContextManager[Connection]:
        """One transaction: durable when the block has ended, gone if it raised."""
        return self.stores.database.writing()

    def actor(self, db: Connection) -> Actor | None:
        """Who asks: None without a token; a bad token raises Unauthorized."""
        actor = auth.identify(db, self.request.headers.get("authorization"))
        if actor is not None and actor.stale:
            self.stores.used_tokens.add(actor.token_id)
        return actor

    def repo(self, db: Connection, *, need: Need = "read") -> RepoRecord:
        """The repository of the path, if the asker has the right that is needed."""
        parameters = self.request.path_params
        name = parameters["name"].removesuffix(".git")
        return repos.get(db, self.actor(db), self.kind, parameters["namespace"], name, need=need)

    @property
    def kind(self) -> Kind:
        """What the routes of the path are about; `hub.app` mounts them once for each kind."""
        kind: Literal["model", "dataset"] = self.request.route_handler.opt["kind"]
        return kind

    @property
    def revision(self) -> str:
        """The revision of the path, unquoted (see `hub.asgi`)."""
        return unquote(self.request.path_params["revision"])

    @property
    def endpoint(self) -> str:
        """The address that the client used, without a slash at the end: absolute URLs must stand on it."""
        if self.settings.public_url:
            return self.settings.public_url.rstrip("/")
        return f"{self.request.url.scheme}://{self.request.headers.get('host', self.request.url.netloc)}"


def provide_call(request: Request[Any, Any, Any], state: State) -> Call:
    """Give a handler its `call`."""
    return Call(request, state.stores)
