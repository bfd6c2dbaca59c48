"""Git LFS over HTTP: the batch API, and the signed URLs that its actions lead to."""

import asyncio
import hashlib
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from litestar import HttpMethod, Request, Response, post, put, route
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, RawBody
from sqlalchemy import Connection

from hub import contents, ranges
from hub.call import Call
from hub.errors import BadRequest, Forbidden, NotFound, RepoNotFound, Unauthorized, Unsupported
from hub.repos.service import Need, RepoRecord
from hub.uploads import access, lfs, parts
from hub.uploads.access import LfsDownload, LfsUpload
from hub.uploads.bodies import file_sink, proving, receive
from hub.uploads.schemas import BatchRequest, Completion, LfsAction, LfsObject
from hub.uploads.sending import send

LFS_JSON = "application/vnd.git-lfs+json"
SIGNED = "/api/lfs/{oid:str}"
T = TypeVar("T")


@post(
    "/{namespace:str}/{name:str}/info/lfs/objects/batch",
    status_code=200,
    sync_to_thread=True,
    tags=["Git LFS"],
    media_type=LFS_JSON,
)
def batch(
    call: NamedDependency[Call],
    body: RawBody,
) -> Response[bytes]:
    """Say for each object where to send it, or where to get it; nothing for those that are there already.

    The transfers are `basic`, `multipart` for large objects, and `xet` for clients that offer it.
    """
    request = _decode(body, BatchRequest)
    writing = request.operation == "upload"
    with call.reading() as db:
        repo = _repo(call, db, need="write" if writing else "read")
        actor = call.actor(db)
        token = None if actor is None else actor.token_id
        door = lfs.Door(repo, token, call.endpoint, call.signer, call.settings)

        def xet() -> LfsAction:
            revision = request.ref.name.removeprefix("refs/heads/") if request.ref else "main"
            route = f"{call.endpoint}/api/{repo.kind}s/{repo.path}/xet-write-token/{quote(revision, safe='')}"
            made = access.grant(call, repo, token, write=True)
            header = {**made.headers(), "X-Xet-Session-Id": made.session}
            return LfsAction(route, header, call.settings.xet_token_age_s)

        reply = lfs.batch(db, door, request, xet if writing else None)
    return Response(msgspec.json.encode(reply), media_type=LFS_JSON, status_code=200)


@post(
    "/{namespace:str}/{name:str}/info/lfs/locks/verify",
    status_code=200,
    sync_to_thread=False,
    tags=["Git LFS"],
)
def locks() -> None:
    """Answer 501: there are no locks, and git-lfs goes on without them."""
    message = "This hub has no file locks; branches move by compare-and-swap instead."
    raise Unsupported(message, extra={"message": message})


@put(SIGNED, status_code=200, request_max_body_size=None, tags=["Git LFS"])
async def put_object(
    call: NamedDependency[Call],
    request: Request[Any, Any, Any],
    oid: FromPath[str],
    signature: FromQuery[str],
) -> None:
    """Send an object whole, to the URL of its `upload` action. Its SHA-256 and size are checked."""
    claims = _upload(call, signature, oid)
    if claims.upload:
        raise BadRequest("This upload is in parts: send them to the URLs in the action's `header`.")
    await asyncio.to_thread(lfs.admit, call.stores, claims)
    digest = hashlib.sha256()
    with call.staging.file() as (path, file):
        await receive(request, file_sink(file, digest), what=f"object `{oid}`", limit=claims.size, exact=True)
        await asyncio.to_thread(lfs.store, call.stores, claims, path, digest.digest())


@put(SIGNED + "/parts/{number:int}", status_code=200, request_max_body_size=None, tags=["Git LFS"])
async def put_part(
    call: NamedDependency[Call],
    request: Request[Any, Any, Any],
    oid: FromPath[str],
    number: FromPath[int],
    signature: FromQuery[str],
) -> Response[None]:
    """Send one part. The client gives its `ETag` back when it completes the upload."""
    claims = _upload(call, signature, oid)
    offset, size = parts.part_span(claims, number)
    await asyncio.to_thread(lfs.admit, call.stores, claims)
    with parts.writing(call.staging, claims, offset) as write:
        await receive(request, write, what=f"part {number} of `{oid}`", limit=size, exact=True)
    # The SHA-256 of the whole is what proves the parts; their tags only tell them apart.
    return Response(None, headers={"ETag": f'"{number}-{size}"'}, status_code=200)


@post(SIGNED + "/verify", status_code=200, sync_to_thread=True, tags=["Git LFS"])
def verify(call: NamedDependency[Call], body: RawBody, oid: FromPath[str], signature: FromQuery[str]) -> None:
    """Answer 200 when the object has arrived, at the URL of its `verify` action."""
    claims = _upload(call, signature, oid)
    wanted = _decode(body, LfsObject)
    _same_object(wanted.oid, oid)
    with call.reading() as db:
        lfs.verify(db, access.authorize(db, claims.repo, claims.token, need="write"), wanted)


@post(SIGNED, status_code=200, tags=["Git LFS"])
async def complete(
    call: NamedDependency[Call], body: RawBody, oid: FromPath[str], signature: FromQuery[str]
) -> dict[str, str]:
    """End an upload in parts: they are put together, and their SHA-256 and size are checked."""
    claims = _upload(call, signature, oid)
    completion = _decode(body, Completion)
    if not claims.upload:
        raise BadRequest("This upload is not in parts: PUT the object to this URL.")
    await asyncio.wrap_future(proving(lambda: _complete(call, claims, completion)))
    return {"oid": oid}


def _complete(call: Call, claims: LfsUpload, completion: Completion) -> None:
    # A client that lost our answer asks again.
    if not lfs.admit(call.stores, claims):
        with parts.completed(call.staging, claims, completion) as (path, sha256):
            lfs.store(call.stores, claims, path, sha256)


@route(SIGNED, http_method=[HttpMethod.GET, HttpMethod.HEAD], sync_to_thread=True, tags=["Git LFS"])
def get_object(
    call: NamedDependency[Call],
    request: Request[Any, Any, Any],
    oid: FromPath[str],
    signature: FromQuery[str],
) -> Response[Any]:
    """Read an object, or a range of it, from the URL of its `download` action."""
    claims = call.signer.read(signature, LfsDownload)
    _same_object(claims.oid, oid)
    with call.reading() as db:
        access.authorize(db, claims.repo, claims.token, need="read")
        record = contents.find(db, bytes.fromhex(oid))
        if record is None or not contents.allowed(db, claims.repo, record.sha256):
            raise NotFound(f"The repository has no object `{oid}`.")
        span = ranges.parse(request.headers.get("range"), record.size)
        reader = contents.reader(db, record, *(span or (0, None)))
    return send(
        request,
        lambda start, end: reader.stream(call.blobs, start, end),
        size=record.size,
        etag=oid,
        span=span,
    )


def _repo(call: Call, db: Connection, *, need: Need) -> RepoRecord:
    """The repository of the path; whoever sent no token is told to, also where there is none."""
    try:
        return call.repo(db, need=need)
    except (RepoNotFound, Unauthorized) as error:
        if "authorization" in call.request.headers:
            raise
        # git-lfs asks for a password only after this answer, with this header: browsers do not know it.
        message = f"{error.message} Sign in: any user name, and a token as the password."
        raise Unauthorized(message, headers={"LFS-Authenticate": 'Basic realm="Voxhub"'}) from None


def _upload(call: Call, signature: str, oid: str) -> LfsUpload:
    claims = call.signer.read(signature, LfsUpload)
    _same_object(claims.oid, oid)
    return claims


def _same_object(signed: str, asked: str) -> None:
    if signed != asked:
        raise Forbidden("This URL was signed for another object. Ask the hub for a new one.")


def _decode(body: bytes, kind: type[T]) -> T:
    """Read JSON whatever its media type is called: clients send `application/vnd.git-lfs+json` and others."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"The body is not what this route reads: {error}.") from None


REPO_FILES = [batch, locks]
ROUTES = [put_object, verify, put_part, complete, get_object]
