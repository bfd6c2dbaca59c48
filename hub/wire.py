"""Small shapes that every part of the protocol shares: moments and links to the next page."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from hub.errors import BadRequest

T = TypeVar("T")


def stamp(moment: datetime) -> str:
    """`2026-01-31T12:00:00.000Z`: milliseconds and `Z`, or huggingface_hub's `parse_datetime` refuses it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def cursor(value: object) -> str:
    """A place in a list, opaque to clients."""
    return urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()


def read_cursor(text: str, kind: type[T]) -> T:
    """Return the place that `cursor` wrote; raise BadRequest for any other text."""
    try:
        return msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=kind)
    except ValueError:
        raise BadRequest("This `cursor` is not one of ours. Start again without it.") from None


def next_link(address: str, query: Iterable[tuple[str, str]], place: str) -> dict[str, str]:
    """The `Link` header to the page after this one.

    The address is absolute and `; rel` has its space: the JavaScript client reads no other form.
    """
    pairs = [(key, value) for key, value in query if key != "cursor"]
    return {"Link": f'<{address}?{urlencode([*pairs, ("cursor", place)])}>; rel="next"'}
