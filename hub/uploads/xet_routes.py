"""The Xet protocol over HTTP: tokens, then everything below a namespace's `casUrl`.

    /api/{kind}s/{ns}/{name}/xet-{read|write}-token/{rev}
    /cas/{store}/v1/xorbs/{prefix}/{hash}         POST
    /cas/{store}/v1|v2/shards                     POST
    /cas/{store}/v1/chunks/{prefix}/{chunk}       GET
    /cas/{store}/v1|v2/reconstructions/{file}     GET
    /cas/{store}/bytes/{xorb}?signature=…         GET: no token, the URL is signed

Clients try more than this (xorb grants, telemetry) and go on without when they get exactly 404. Up to
hf_xet 1.4 they leave the version out.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog
from litestar import HttpMethod, Request, Response, Router, get, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from hub.blobs import xorb_key
from hub.call import Call
from hub.errors import Forbidden, HubError
from hub.repos.service import RepoRecord
from hub.uploads import access, chunks, reconstruction, shards, xorbs
from hub.uploads.access import XetAccess, XorbRead
from hub.uploads.bodies import file_sink, proving, receive, verifying
from hub.uploads.schemas import (
    Committing,
    Refused,
    Registered,
    ShardEvent,
    ShardStored,
    Validating,
    XetConnection,
    XorbStored,
)
from hub.uploads.sending import send
from hub.xet.plans import Reconstruction, ReconstructionV1, ReconstructionV2
from hub.xet.shards import MAX_SHARD_SIZE, Shard
from hub.xet.xorbs import MAX_BODY_SIZE

log: structlog.stdlib.BoundLogger = structlog.get_logger("hub.uploads")

STORE = "/cas/{store:str}"
TAGS = ["Xet"]
# The client gives up a connection that is silent for long; the protocol's own server speaks every 20 s.
HEARTBEAT_S = 5
# A shard that is verified within this gets a plain answer, and a real status when it is refused.
PATIENCE_S = 1


@get("/{namespace:str}/{name:str}/xet-read-token/{revision:str}", sync_to_thread=True, tags=TAGS)
def read_token(
    call: NamedDependency[Call],
) -> Response[XetConnection]:
    """Give a token for reading the repository's files by Xet; without signing in for public ones."""
    return _token(call, write=False)


@get("/{namespace:str}/{name:str}/xet-write-token/{revision:str}", sync_to_thread=True, tags=TAGS)
def write_token(
    call: NamedDependency[Call],
) -> Response[XetConnection]:
    """Give a token for sending files to the repository by Xet. It may read, too."""
    return _token(call, write=True)


def _token(call: Call, *, write: bool) -> Response[XetConnection]:
    with call.reading() as db:
        repo = call.repo(db, need="write" if write else "read")
        actor = call.actor(db)
    made = access.grant(call, repo, None if actor is None else actor.token_id, write=write)
    return Response(
        XetConnection(made.url, made.ends, made.token),
        headers={**made.headers(), "Cache-Control": "no-store"},
    )


@post(
    "/xorbs/{prefix:str}/{xorb:str}",
    status_code=200,
    request_max_body_size=None,
    tags=TAGS,
)
async def put_xorb(
    call: NamedDependency[Call],
    request: Request[Any, Any, Any],
    store: FromPath[str],
    xorb: FromPath[str],
) -> XorbStored:
    """Send a xorb. Every chunk is decompressed and hashed before it is kept."""
    digest = xorbs.read_hash(xorb, "xorb")
    _, claims = await asyncio.to_thread(_enter, call, store, write=True)

    def keep(staged: Path) -> bool:
        record = xorbs.check(staged, digest)
        xorbs.store(call.stores, staged, record)
        with call.writing() as db:
            repo = access.confirm(call, db, claims, store, write=True)
            return xorbs.own(db, repo.owner_id, record)

    with call.staging.file() as (path, file):
        await receive(request, file_sink(file), what=f"xorb `{xorb}`", limit=MAX_BODY_SIZE)
        return XorbStored(await verifying(lambda: keep(path)))


@route("/xorbs/{prefix:str}/{xorb:str}", http_method=[HttpMethod.HEAD], sync_to_thread=True, tags=TAGS)
def head_xorb(call: NamedDependency[Call], store: FromPath[str], xorb: FromPath[str]) -> Response[Any]:
    """Say whether the namespace has a xorb, and how many bytes it takes."""
    digest = xorbs.read_hash(xorb, "xorb")
    with call.reading() as db:
        repo, _ = access.enter(call, db, store, write=True)
        size = xorbs.size(db, repo.owner_id, digest)
    return Response(b"", headers={"Content-Length": str(size)}, media_type="application/octet-stream")


@post("/shards", status_code=200, request_max_body_size=None, tags=TAGS)
async def put_shard(
    call: NamedDependency[Call], request: Request[Any, Any, Any], store: FromPath[str]
) -> ShardStored:
    """Register the files that a shard describes, once all of it is proved. Answers when that is done."""
    registering = await _receive_shard(call, request, store)
    return ShardStored(1 if await asyncio.wrap_future(proving(registering.run)) else 0)


@post("/shards", status_code=200, request_max_body_size=None, tags=TAGS)
async def put_shard_v2(
    call: NamedDependency[Call], request: Request[Any, Any, Any], store: FromPath[str]
) -> Response[Any]:
    """Register the files that a shard describes. Answers with events, one JSON object on each line.

    What is refused within a second gets the status that says so, later it can only be an event.
    """
    registering = await _receive_shard(call, request, store)
    # It goes on when the client leaves, which then finds its files registered when it comes back.
    running = asyncio.wrap_future(proving(registering.run))
    await asyncio.wait([running], timeout=PATIENCE_S)
    if running.done():
        running.result()
    return Stream(_events(registering, running), media_type="application/x-ndjson", status_code=200)


class _Registering:
    """One shard on its way into the database, and how far it is."""

    def __init__(self, call: Call, store: str, repo: RepoRecord, claims: XetAccess, shard: Shard) -> None:
        self.call = call
        self.store = store
        self.repo = repo
        self.claims = claims
        self.shard = shard
        self.event: ShardEvent = Validating(0, 0)

    def run(self) -> bool:
        """Prove, then register; say whether anything was new."""
        proved = shards.prove(self.call.stores, self.repo.owner_id, self.shard, self._progress)
        self.event = Committing()
        with self.call.writing() as db:
            repo = access.confirm(self.call, db, self.claims, self.store, write=True)
            return shards.register(db, repo, proved)

    def _progress(self, done: int, total: int) -> None:
        self.event = Validating(done, total)


async def _receive_shard(call: Call, request: Request[Any, Any, Any], store: str) -> _Registering:
    repo, claims = await asyncio.to_thread(_enter, call, store, write=True)
    with call.staging.file() as (path, file):
        await receive(request, file_sink(file), what="the shard", limit=MAX_SHARD_SIZE)
        shard = await verifying(lambda: shards.read(path))
    return _Registering(call, store, repo, claims, shard)


async def _events(registering: _Registering, running: asyncio.Future[bool]) -> AsyncIterator[bytes]:
    """Yield how far it is every second: that is news, or else a sign of life."""
    while not running.done():
        yield _line(registering.event)
        await asyncio.wait([running], timeout=HEARTBEAT_S)
    match running.exception():
        case None:
            yield _line(Registered())
        case HubError() as error:
            yield _line(Refused(error.message, retryable=error.status >= 500))
        case error:
            log.error("unexpected error", exc_info=error)
            yield _line(
                Refused("The hub failed to register the shard. Its log has the details.", retryable=True)
            )


def _line(event: ShardEvent) -> bytes:
    return msgspec.json.encode(event) + b"\n"


@get(
    "/chunks/{prefix:str}/{chunk:str}",
    sync_to_thread=True,
    tags=TAGS,
)
def find_chunk(call: NamedDependency[Call], store: FromPath[str], chunk: FromPath[str]) -> Response[bytes]:
    """Answer a chunk query with a shard of xorbs that need not be sent again; 404 when there are none."""
    digest = xorbs.read_hash(chunk, "chunk")
    with call.reading() as db:
        repo, claims = access.enter(call, db, store, write=True)
        shard = chunks.answer(db, repo.owner_id, repo.id, claims.session, digest)
    return Response(shard, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})


@get(
    "/reconstructions/{file:str}",
    sync_to_thread=True,
    tags=TAGS,
)
def reconstruct_v1(
    call: NamedDependency[Call], request: Request[Any, Any, Any], store: FromPath[str], file: FromPath[str]
) -> ReconstructionV1:
    """Say which ranges of which xorbs make a file, or the bytes of a `Range` header: a URL for each."""
    plan, url = _plan(call, request, store, file)
    return plan.v1(url)


@get("/reconstructions/{file:str}", sync_to_thread=True, tags=TAGS)
def reconstruct_v2(
    call: NamedDependency[Call], request: Request[Any, Any, Any], store: FromPath[str], file: FromPath[str]
) -> ReconstructionV2:
    """Say which ranges of which xorbs make a file, or the bytes of a `Range` header: a URL for each xorb."""
    plan, url = _plan(call, request, store, file)
    return plan.v2(url)


def _plan(
    call: Call, request: Request[Any, Any, Any], store: str, file: str
) -> tuple[Reconstruction, Callable[[bytes], str]]:
    digest = xorbs.read_hash(file, "file")
    with call.reading() as db:
        repo, claims = access.enter(call, db, store, write=False)
        plan = reconstruction.plan(db, repo.id, digest, request.headers.get("range"))
    return plan, reconstruction.signed_urls(call.signer, f"{call.endpoint}/cas/{store}", claims, digest)


@route(
    "/bytes/{xorb:str}",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    sync_to_thread=True,
    tags=TAGS,
)
def get_xorb(
    call: NamedDependency[Call],
    request: Request[Any, Any, Any],
    xorb: FromPath[str],
    signature: FromQuery[str],
) -> Response[Any]:
    """Read a range of a xorb from the URL of a reconstruction, which is signed for just these bytes."""
    claims = call.signer.read(signature, XorbRead)
    if claims.xorb != xorb:
        raise Forbidden("This URL was signed for another xorb. Ask for a new reconstruction.")
    header = request.headers.get("range")
    with call.reading() as db:
        start, end, size = reconstruction.readable(db, claims, header)
    span = (start, end) if header is not None else None
    return send(
        request,
        lambda first, last: call.blobs.stream(xorb_key(xorb), first, last),
        size=size,
        etag=xorb,
        span=span,
    )


def _enter(call: Call, store: str, *, write: bool) -> tuple[RepoRecord, XetAccess]:
    with call.reading() as db:
        return access.enter(call, db, store, write=write)


REPO_API: list[ControllerRouterHandler] = [read_token, write_token]
_V1: list[ControllerRouterHandler] = [put_xorb, head_xorb, put_shard, find_chunk, reconstruct_v1]
ROUTES: list[ControllerRouterHandler] = [
    Router(path=f"{STORE}/v1", route_handlers=_V1),
    Router(path=f"{STORE}/v2", route_handlers=[put_shard_v2, reconstruct_v2]),
    Router(path=STORE, route_handlers=[*_V1, get_xorb]),
]
