"""What a connection may do until its request is complete: uvicorn limits neither the bytes nor the time.

Without this a stranger who sends one endless header keeps the event loop busy joining its pieces, and one who
opens connections and falls silent takes file descriptors until nobody else gets one.
"""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

_TOO_MUCH = STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n"


class Connection(HttpToolsProtocol):
    """One client's connection. Times are seconds."""

    # More than any client sends; what arrives at once and is complete may be a little longer.
    most_head: ClassVar[int] = 64 * 1024
    head_time: ClassVar[float] = 30
    # A client that sends a body, or takes an answer, may pause that long.
    pause: ClassVar[float] = 180
    step: ClassVar[float] = 10

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to watch the connection."""
        super().connection_made(transport)
        self._in_head = True
        self._served = False
        # Bytes since the parser last told of something: a head, trailers or the size of a chunk.
        self._untold = 0
        self._head_since = self._moved = self.loop.time()
        self._buffered = 0
        self._watch = self.loop.call_later(self.step, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what arrived; refuse a head that does not end."""
        self._moved = self.loop.time()
        if self._in_head and not self._untold:
            self._head_since = self._moved
        self._untold += len(data)
        super().data_received(data)
        if self._untold > self.most_head and not self.transport.is_closing():
            self.transport.write(_TOO_MUCH)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Go on to the body."""
        self._in_head = False
        self._served = True
        self._untold = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Note that the body goes on."""
        self._untold = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the next request."""
        self._in_head = True
        self._untold = 0
        super().on_message_complete()

    def _look(self) -> None:
        """Close the connection if it has kept us waiting for too long."""
        moment = self.loop.time()
        buffered = self.transport.get_write_buffer_size()
        # While the hub itself is busy, the client waits for us.
        if buffered != self._buffered or self.flow.read_paused:
            self._moved = moment
        self._buffered = buffered
        answering = self._served and not self.cycle.response_complete
        if self._in_head and not answering:
            # Between two requests uvicorn's own clock runs (`timeout_keep_alive`).
            late = (self._untold or not self._served) and moment - self._head_since > self.head_time
        else:
            waiting = not self._in_head or buffered
            late = waiting and moment - self._moved > self.pause
        if late:
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(self.step, self._look)
