"""What must happen before Litestar's router sees a request: repair revisions, name the request, log it.

Clients quote a revision whole (`resolve/refs%2Fpr%2F1/a.txt`), the server decodes `%2F`, and the router
would then read the revision as `refs`. So the revision is found in the raw path and stays quoted in the
routed one; `hub.call.Call.revision` unquotes it.
"""

import re
import secrets
import time
from urllib.parse import quote, unquote

import structlog
from litestar.types import ASGIApp, HTTPReceiveMessage, Message, Receive, Scope, Send, WebSocketReceiveMessage

from hub.metrics import BODY_BYTES, REQUEST_SECONDS

log: structlog.stdlib.BoundLogger = structlog.get_logger("hub.request")

_SEGMENT = r"[^/]+"
# Group 1 ends before the revision, group 2 is the revision, group 3 is what follows. The JavaScript client
# does not quote revisions in tree URLs, so `refs/<kind>/<name>` is taken as one revision too.
_REVISION = rf"(refs/{_SEGMENT}/{_SEGMENT}|{_SEGMENT})"
_WITH_REVISION = re.compile(
    rf"(/api/(?:models|datasets)/{_SEGMENT}/{_SEGMENT}/"
    r"(?:revision|tree|paths-info|preupload|commit|commits|compare|xet-read-token|xet-write-token)/"
    rf"|/(?:datasets/)?{_SEGMENT}/{_SEGMENT}/(?:resolve|raw)/)"
    rf"{_REVISION}(/.*)?"
)
# Names of branches and tags: everything to the end is one name.
_WITH_NAME = re.compile(
    rf"(/api/(?:models|datasets)/{_SEGMENT}/{_SEGMENT}/(?:branch|tag|super-squash)/)(.+?)(/?)"
)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_BYTES_IN = BODY_BYTES.labels("in")
_BYTES_OUT = BODY_BYTES.labels("out")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


def routed_path(raw_path: str) -> str:
    """Decode a raw path for the router, leaving its revision quoted as one segment."""
    match = _WITH_REVISION.fullmatch(raw_path) or _WITH_NAME.fullmatch(raw_path)
    if match is None:
        return unquote(raw_path)
    before, revision, after = match.groups()
    return f"{unquote(before)}{quote(unquote(revision), safe='')}{unquote(after or '')}"


class Requests:
    """The outermost ASGI application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        raw_path = scope.get("raw_path", b"").partition(b"?")[0]
        if raw_path:
            scope["path"] = routed_path(raw_path.decode("latin-1"))
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(12)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        status = 500
        received = sent = 0

        async def receive_counted() -> HTTPReceiveMessage | WebSocketReceiveMessage:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
            return message

        async def send_named(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive_counted, send_named)
        finally:
            seconds = time.perf_counter() - started
            # A stranger may invent methods; each label that is seen stays in memory.
            method = scope["method"] if scope["method"] in _METHODS else "other"
            # The route as it is declared, not the path: there are as many paths as files.
            route = scope.get("path_template") or "none"
            REQUEST_SECONDS.labels(method, route, str(status)).observe(seconds)
            _BYTES_IN.inc(received)
            _BYTES_OUT.inc(sent)
            # The path without its query: signed URLs carry their right to read in it.
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                received=received,
                sent=sent,
                ms=round(seconds * 1000, 1),
            )
