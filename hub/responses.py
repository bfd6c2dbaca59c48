"""Failures as HTTP: one place, one contract, for our own errors and for the framework's."""

import errno
import re
from typing import Any
from urllib.parse import quote

import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException
from sqlalchemy.exc import DBAPIError

from hub.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    HubError,
    NotFound,
    RepoNotFound,
    StorageFull,
    TooLarge,
    Unauthorized,
    Unavailable,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger("hub.errors")

type_of_status = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
}
# Addresses of a repository whose name lacks its namespace.
_NAMELESS = re.compile(
    r"/api/(models|datasets)/[^/]+"
    r"(/(revision|tree|paths-info|preupload|commit|commits|compare|branch|tag|super-squash|auth-check|refs"
    r"|settings|xet-read-token|xet-write-token)(/.*)?)?"
    r"|/(datasets/)?[^/]+/(resolve|raw)/.*"
)
_NOT_A_HEADER = re.compile(r"[\x00-\x1f\x7f]+")


def hub_error(_: Request[Any, Any, Any], error: HubError) -> Response[dict[str, object]]:
    """One of ours."""
    return _response(error.status, error.code, error.message, {**error.headers}, error.extra)


def framework_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, object]]:
    """One of Litestar's: a route that does not exist, a body that does not parse."""
    if error.status_code == 404 and _NAMELESS.fullmatch(request.scope["path"]):
        # Clients ask in this way whether a repository of this name exists.
        return hub_error(
            request,
            RepoNotFound("There is no such repository. Give its whole name, as in `lab/t1-tissue`."),
        )
    kind = type_of_status.get(error.status_code)
    code = kind.code if kind else "BadRequest" if error.status_code < 500 else "InternalError"
    message = error.detail
    extra = error.extra
    if isinstance(extra, list) and extra:
        message = (
            "; ".join(
                f"`{item.get('key', 'body')}`: {item.get('message')}"
                for item in extra
                if isinstance(item, dict)
            )
            or message
        )
    return _response(error.status_code, code, message, dict(error.headers or {}), {})


def database_error(request: Request[Any, Any, Any], error: DBAPIError) -> Response[dict[str, object]]:
    """The database is full, locked or away. Never "not found"."""
    if "disk is full" in str(error.orig) or "No space left" in str(error.orig):
        return hub_error(
            request,
            StorageFull(),
        )
    log.error("database error", exc_info=error)
    return hub_error(
        request, Unavailable("The database does not answer; nothing was changed. Try again in a moment.")
    )


def unexpected_error(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, object]]:
    """A defect, or a disk that filled up where nobody looked for it."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return hub_error(
            request,
            StorageFull(),
        )
    if isinstance(error, RecursionError):
        # What msgspec raises for JSON that nests deeper than any of ours.
        return hub_error(request, BadRequest("The body nests too deeply. Send what the documentation shows."))
    log.error("unexpected error", exc_info=error)
    return _response(
        500,
        "InternalError",
        "The hub failed to answer. Its log has the details under this request id.",
        {},
        {},
    )


def _response(
    status: int, code: str, message: str, headers: dict[str, str], extra: dict[str, object]
) -> Response[dict[str, object]]:
    # A header is latin-1 and one line; the body has the message as it is.
    readable = _NOT_A_HEADER.sub(" ", message)
    in_header = readable if readable.isascii() else quote(readable, safe=" `'\"!#$&()*+,/:;=?@[]^_{|}~<>.-")
    return Response(
        {"error": message, **extra},
        status_code=status,
        media_type=MediaType.JSON,
        headers={**headers, "X-Error-Code": code, "X-Error-Message": in_header[:2000]},
    )
