"""One byte range of an HTTP request (RFC 9110, section 14)."""

import re

from hub.errors import RangeUnsatisfiable

_ONE_RANGE = re.compile(r"bytes=\s*(?:(\d{1,18})-(\d{1,18})?|-(\d{1,18}))\s*")


def parse(header: str | None, size: int) -> tuple[int, int] | None:
    """Return (start, end) of the range that a `Range` header asks for, the end exclusive and within `size`.

    None without a header, and for one that is malformed or asks for several ranges: the standard lets a
    server send the whole then. Raise RangeUnsatisfiable for a range that begins behind the end.
    """
    match = _ONE_RANGE.fullmatch(header or "")
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(size - int(suffix), 0), size
        empty = int(suffix) == 0 or size == 0
    else:
        start, end = int(first), min(int(last) + 1, size) if last is not None else size
        if last is not None and int(last) < start:
            return None
        empty = start >= size
    if empty:
        raise RangeUnsatisfiable(
            f"The range `{header}` begins behind the end: there are {size} bytes.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return start, end


def content_range(start: int, end: int, size: int) -> str:
    """The `Content-Range` of the bytes `start` to `end` (exclusive)."""
    return f"bytes {start}-{end - 1}/{size}"
