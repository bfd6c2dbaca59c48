"""Conditional requests (RFC 9110, section 13) over strong entity tags."""

from collections.abc import Mapping


def unchanged(headers: Mapping[str, str], etag: str) -> bool:
    """Whether `If-None-Match` names what the client has already: answer 304."""
    tags = [tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")]
    return "*" in tags or f'"{etag}"' in tags


def range_of(headers: Mapping[str, str], etag: str) -> str | None:
    """The `Range` that is asked for, unless `If-Range` names another version: then it is the whole."""
    condition = headers.get("if-range")
    if condition is not None and condition.strip() != f'"{etag}"':
        return None
    return headers.get("range")
