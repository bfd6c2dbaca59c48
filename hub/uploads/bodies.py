"""A request's body on its way to the disk: in batches, in a thread, never whole in memory."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO, Protocol, TypeVar

from litestar import Request

from hub.errors import BadRequest, Invalid, TooLarge

T = TypeVar("T")
# A hop into a thread for every 64 KiB that arrives costs more than hashing them; one body holds two batches.
BATCH = 2 * 1024 * 1024
# Apart from the event loop's own few threads: those also finish uploads, which waits for the disk.
_WRITERS = ThreadPoolExecutor(16, "body")
# What must not keep the others waiting: a xorb takes a second, a shard of many gigabytes minutes.
_VERIFIERS = ThreadPoolExecutor(max(2, os.cpu_count() or 2), "verify")
_PROVERS = ThreadPoolExecutor(max(2, os.cpu_count() or 2), "prove")


class Hash(Protocol):
    """A running hash."""

    def update(self, piece: bytes, /) -> None: ...


def file_sink(file: BinaryIO, digest: Hash | None = None) -> Callable[[bytes], None]:
    """Return what writes a batch to an unbuffered file, and hashes it on the way."""

    def write(batch: bytes) -> None:
        if digest is not None:
            digest.update(batch)
        view = memoryview(batch)
        while view:
            view = view[file.write(view) :]

    return write


async def receive(
    request: Request[Any, Any, Any],
    write: Callable[[bytes], None],
    *,
    what: str,
    limit: int,
    exact: bool = False,
) -> int:
    """Pass the body to `write`, batch by batch in a thread, while the next batch arrives; return its size.

    `what` names the body in messages. Raise TooLarge as soon as it passes `limit`, or Invalid where the size
    must be `exact`ly that; BadRequest when the client is gone. No write is under way afterwards.
    """
    _check_announced(request, what, limit, exact=exact)
    size = held = 0
    batch: list[bytes] = []
    writing: Future[None] | None = None
    try:
        async for piece in _pieces(request):
            size += len(piece)
            if size > limit:
                raise _too_large(what, limit, exact=exact)
            batch.append(piece)
            held += len(piece)
            if held >= BATCH:
                if writing is not None:
                    await asyncio.wrap_future(writing)
                writing = _WRITERS.submit(write, b"".join(batch))
                batch, held = [], 0
        if writing is not None:
            await asyncio.wrap_future(writing)
        if batch:
            writing = _WRITERS.submit(write, b"".join(batch))
            await asyncio.wrap_future(writing)
    except ConnectionError:
        raise BadRequest(f"The client went away in the middle of {what}; nothing was kept.") from None
    finally:
        # The caller closes and removes the file next, also when this task was cancelled.
        if writing is not None and not writing.done():
            await asyncio.shield(asyncio.wait([asyncio.wrap_future(writing)]))
    if exact and size != limit:
        raise Invalid(f"{what} was announced with {limit} bytes, {size} came. Upload it again.")
    return size


async def _pieces(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    # Not Litestar's `stream`: it tells a client that went away from a defect by its message only.
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        if message["type"] == "http.request":
            if message["body"]:
                yield message["body"]
            if not message["more_body"]:
                return


async def verifying(work: Callable[[], T]) -> T:
    """Run what takes a processor for a moment, a few at a time."""
    return await asyncio.wrap_future(_VERIFIERS.submit(work))


def proving(work: Callable[[], T]) -> Future[T]:
    """Start what may take a processor for minutes, without waiting for it."""
    return _PROVERS.submit(work)


def _check_announced(request: Request[Any, Any, Any], what: str, limit: int, *, exact: bool) -> None:
    announced = request.headers.get("content-length", "")
    if not announced.isdecimal():
        return
    if int(announced) > limit:
        raise _too_large(what, limit, exact=exact)
    if exact and int(announced) != limit:
        raise Invalid(f"{what} was announced with {limit} bytes, this request has {announced}.")


def _too_large(what: str, limit: int, *, exact: bool) -> Invalid | TooLarge:
    # Without the header the server would go on reading, and throwing away, what no limit has stopped.
    headers = {"Connection": "close"}
    if exact:
        return Invalid(
            f"{what} was announced with {limit} bytes, more came; nothing was kept.", headers=headers
        )
    return TooLarge(f"{what} may have at most {limit} bytes; nothing was kept.", headers=headers)
