"""Bytes out of the store: whole, a range, or only the headers."""

from collections.abc import Callable, Iterator
from typing import Any

from litestar import Request, Response
from litestar.response import Stream

from hub import ranges


def send(
    request: Request[Any, Any, Any],
    read: Callable[[int, int], Iterator[bytes]],
    *,
    size: int,
    etag: str,
    span: tuple[int, int] | None,
) -> Response[Any]:
    """Answer with the bytes of `span`, or all of them; `read(start, end)` yields them without a database."""
    start, end = span or (0, size)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(end - start),
        "ETag": f'"{etag}"',
        # A signed URL is one reader's, and what it names never changes.
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    if span is not None:
        headers["Content-Range"] = ranges.content_range(start, end, size)
    status = 200 if span is None else 206
    media = "application/octet-stream"
    if request.method == "HEAD":
        return Response(b"", status_code=status, headers=headers, media_type=media)
    return Stream(read(start, end), status_code=status, headers=headers, media_type=media)
