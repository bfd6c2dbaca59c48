"""The routes of files: resolve and raw give bytes, tree and paths-info tell of them."""

import asyncio
from collections.abc import Iterator
from itertools import chain
from typing import Any
from urllib.parse import parse_qs, quote

import msgspec
from litestar import Controller, HttpMethod, Response, get, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, RawBody
from litestar.response import Stream
from litestar.status_codes import HTTP_200_OK, HTTP_206_PARTIAL_CONTENT, HTTP_304_NOT_MODIFIED

from hub import contents, ranges, wire
from hub.call import Call, short_read
from hub.commits import objects
from hub.commits import service as commits
from hub.errors import BadRequest, Invalid
from hub.files import conditions, headers
from hub.files import service as files
from hub.files.schemas import Paths, TreeEntry

MOST_ENTRIES = 1000
# The last commit of each is looked for in the history.
MOST_EXPANDED = 100
MOST_PATHS = 1000
# Bytes that are read together with what the database says of them.
_AT_ONCE = 64 * 1024
# A download is counted by the one file that whoever uses a repository reads first.
_COUNTED = {"model": "config.json", "dataset": "README.md"}
_READ = [HttpMethod.GET, HttpMethod.HEAD]


@route("/{namespace:str}/{name:str}/resolve/{revision:str}/{path:path}", http_method=_READ, tags=["Files"])
async def resolve(
    call: NamedDependency[Call],
    path: FromPath[str],
) -> Response[Any]:
    """Give a file of a branch, tag or commit: all of it, or one range.

    `ETag` is the SHA-256 of a large file and the git id of any other; `X-Repo-Commit` the commit that the
    revision stands for. `If-None-Match` and `If-Range` are honoured.
    """
    found = await _resolved(call, path.lstrip("/"))
    # The store may take its time for the first bytes: not in one of the few threads of short reads.
    return await asyncio.to_thread(_sent, call, found) if isinstance(found, _Download) else found


class _Download(msgspec.Struct):
    """Bytes `start` to `end` (exclusive) of a file, to be sent with the headers that tell of it."""

    file: files.File
    told: dict[str, str]
    reader: contents.ContentReader
    start: int
    end: int
    partial: bool


@short_read
def _resolved(call: Call, path: str) -> Response[Any] | _Download:
    request = call.request
    with call.reading() as db:
        file = files.find(db, call.repo(db), call.revision, path)
        told = headers.resolved(file, call.revision, call.endpoint)
        if conditions.unchanged(request.headers, file.etag):
            return Response(None, status_code=HTTP_304_NOT_MODIFIED, headers=told)
        size = file.content.size
        if request.method == "HEAD":
            return _head(told, size, file.entry.path)
        span = ranges.parse(conditions.range_of(request.headers, file.etag), size)
        start, end = span or (0, size)
        reader = contents.reader(db, file.content, start, end)
    told["Content-Length"] = str(end - start)
    if span is not None:
        told["Content-Range"] = ranges.content_range(start, end, size)
    found = _Download(file, told, reader, start, end, span is not None)
    return _sent(call, found) if end - start <= _AT_ONCE else found


def _sent(call: Call, found: _Download) -> Response[Any]:
    if found.start == 0 and found.file.entry.path == _COUNTED[found.file.repo.kind]:
        call.stores.downloads.append(found.file.repo.id)
    pieces = found.reader.stream(call.blobs, found.start, found.end)
    status = HTTP_206_PARTIAL_CONTENT if found.partial else HTTP_200_OK
    media_type = headers.media_type(found.file.entry.path)
    if found.end - found.start <= _AT_ONCE:
        # A stream would take a thread for each of its steps.
        return Response(b"".join(pieces), status_code=status, headers=found.told, media_type=media_type)
    return Stream(_started(pieces), status_code=status, headers=found.told, media_type=media_type)


@route(
    "/{namespace:str}/{name:str}/raw/{revision:str}/{path:path}",
    http_method=_READ,
    sync_to_thread=True,
    tags=["Files"],
)
def raw(
    call: NamedDependency[Call],
    path: FromPath[str],
) -> Response[Any]:
    """Give a file as git holds it: for a large one, its pointer."""
    request = call.request
    with call.reading() as db:
        file = files.find(db, call.repo(db), call.revision, path.lstrip("/"))
        told = {
            **headers.SAFE,
            "ETag": f'"{file.entry.id.hex()}"',
            "X-Repo-Commit": file.commit.id.hex(),
            "Cache-Control": headers.cache_control(file, call.revision),
        }
        if conditions.unchanged(request.headers, file.entry.id.hex()):
            return Response(None, status_code=HTTP_304_NOT_MODIFIED, headers=told)
        pointer = objects.pointer(file.content.sha256, file.content.size) if file.large else None
        size = file.content.size if pointer is None else len(pointer)
        reader = contents.reader(db, file.content)
    if request.method == "HEAD":
        return _head(told, size, file.entry.path)
    body = iter([pointer]) if pointer is not None else _started(reader.stream(call.blobs, 0, size))
    told["Content-Length"] = str(size)
    return Stream(body, headers=told, media_type=headers.media_type(file.entry.path))


class TreeController(Controller):
    """What stands in a revision."""

    path = "/{namespace:str}/{name:str}"
    tags = ("Files",)

    # Not a short read: expanding walks the history.
    @get("/tree/{revision:str}", sync_to_thread=True)
    def root(
        self,
        *,
        call: NamedDependency[Call],
        recursive: FromQuery[bool] = False,
        expand: FromQuery[bool] = False,
        limit: FromQuery[int | None] = None,
        cursor: FromQuery[str | None] = None,
    ) -> Response[list[TreeEntry]]:
        """List the files and folders at the top of a revision; `recursive` also what its folders hold.

        `expand` adds the last commit of each. `Link: <…>; rel="next"` leads to the next page.
        """
        return _listed(call, "", recursive=recursive, expand=expand, limit=limit, cursor=cursor)

    # Litestar wraps a synchronous handler once for each path, and then cannot call it: hence two.
    @get("/tree/{revision:str}/{path:path}", sync_to_thread=True)
    def folder(
        self,
        *,
        call: NamedDependency[Call],
        path: FromPath[str],
        recursive: FromQuery[bool] = False,
        expand: FromQuery[bool] = False,
        limit: FromQuery[int | None] = None,
        cursor: FromQuery[str | None] = None,
    ) -> Response[list[TreeEntry]]:
        """List a folder of a revision, in the same way."""
        return _listed(call, path.strip("/"), recursive=recursive, expand=expand, limit=limit, cursor=cursor)

    @post("/paths-info/{revision:str}", status_code=200, sync_to_thread=True)
    def paths_info(
        self,
        call: NamedDependency[Call],
        body: RawBody,
    ) -> list[TreeEntry]:
        """Tell of the files and folders at some paths, and nothing of those that do not exist.

        The body is a form (`paths=a&paths=b&expand=true`) or JSON (`{"paths": ["a", "b"], "expand": true}`).
        """
        asked = _asked(call.request.headers.get("content-type", ""), body)
        with call.reading() as db:
            repo = call.repo(db)
            commit = commits.resolve(db, repo.id, call.revision)
            return files.at(db, repo, commit, asked.paths, expand=asked.expand)


def _listed(
    call: Call, path: str, *, recursive: bool, expand: bool, limit: int | None, cursor: str | None
) -> Response[list[TreeEntry]]:
    most = MOST_EXPANDED if expand else MOST_ENTRIES
    with call.reading() as db:
        repo = call.repo(db)
        commit = commits.resolve(db, repo.id, call.revision)
        page, place = files.folder(
            db,
            repo,
            commit,
            path,
            recursive=recursive,
            expand=expand,
            after=None if cursor is None else wire.read_cursor(cursor, str),
            limit=most if limit is None else max(1, min(limit, most)),
        )
    told = {"X-Repo-Commit": commit.id.hex()}
    if place is not None:
        address = f"{call.endpoint}/api/{repo.kind}s/{repo.path}/tree/{quote(call.revision, safe='')}"
        address = f"{address}/{quote(path)}" if path else address
        told |= wire.next_link(address, call.request.query_params.multi_items(), wire.cursor(place))
    return Response(page, headers=told)


def _started(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces, the first of them read already: bytes that are lost are an error, not a broken answer."""
    return chain([next(pieces, b"")], pieces)


def _head(told: dict[str, str], size: int, path: str) -> Response[Any]:
    told["Content-Length"] = str(size)
    return Response(b"", headers=told, media_type=headers.media_type(path))


def _asked(content_type: str, body: bytes) -> Paths:
    if content_type.partition(";")[0].strip().lower() == "application/json":
        try:
            asked = msgspec.json.decode(body, type=Paths)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadRequest(f"The body cannot be read: {error}") from None
    else:
        try:
            form = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=4 * MOST_PATHS)
        except ValueError as error:
            raise BadRequest(f"The form cannot be read: {error}") from None
        expand = form.get("expand", ["false"])[0].lower() in {"true", "1"}
        asked = Paths([*form.get("paths", []), *form.get("paths[]", [])], expand)
    if len(asked.paths) > MOST_PATHS:
        raise Invalid(f"{len(asked.paths)} paths were asked for; ask for at most {MOST_PATHS} at once.")
    return asked
