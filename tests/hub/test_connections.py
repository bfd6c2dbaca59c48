"""Connections of clients that send too much, or fall silent, over real sockets."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from hub_process import HubServer
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from hub import connections


class Hasty(connections.Connection):
    """The hub's connection with other times."""

    head_time = 0.5
    pause = 0.7
    step = 0.05


async def answer(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Read the body, then send as many bytes as the path says, after as many seconds as the query says."""
    assert scope["type"] == "http"
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        if not message["more_body"]:
            break
    await asyncio.sleep(float(scope["query_string"] or b"0"))
    await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": False})
    for _ in range(int(scope["path"].strip("/") or "0") // 65536):
        await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
    await send({"type": "http.response.body", "body": b"done", "more_body": False})


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """A server with the hub's connections; its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        answer, http=Hasty, lifespan="off", ws="none", log_config=None, timeout_keep_alive=5
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: running.run(sockets=[listener]))
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    running.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def client(server: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server), timeout=20) as connected:
        yield connected


def everything(client: socket.socket) -> bytes:
    """What comes until the server closes."""
    received = b""
    try:
        while piece := client.recv(1 << 20):
            received += piece
    except ConnectionError:
        pass
    return received


def taken(client: socket.socket, pieces: list[bytes], pause: float = 0) -> bool:
    """Whether the server lets a client send all of this."""
    try:
        for piece in pieces:
            client.sendall(piece)
            time.sleep(pause)
    except ConnectionError:
        return False
    return True


HEAD = b"POST /0 HTTP/1.1\r\nhost: a\r\n"
ENDLESS = {
    "a header": HEAD + b"x: ",
    "a path": b"GET /",
    "trailers": HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: ",
    "the size of a chunk": HEAD + b"transfer-encoding: chunked\r\n\r\n1;",
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_does_not_end_is_cut_off(client: socket.socket, what: str) -> None:
    client.sendall(ENDLESS[what])
    assert not taken(client, [b"a" * 65536] * 128)


def test_many_small_headers_are_cut_off(client: socket.socket) -> None:
    client.sendall(HEAD)
    assert not taken(client, [b"x: y\r\n" * 1000] * 200)


def test_a_head_within_the_limit_is_answered(client: socket.socket) -> None:
    client.sendall(HEAD + b"connection: close\r\nx: " + b"a" * 50_000 + b"\r\n\r\n")
    assert everything(client).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "start", [b"", b"GET / HT", HEAD, HEAD + b"content-length: 9\r\n\r\n1234"], ids=["", "G", "head", "body"]
)
def test_silence_in_the_middle_of_a_request_ends_the_connection(client: socket.socket, start: bytes) -> None:
    started = time.monotonic()
    client.sendall(start)
    assert everything(client) == b""
    assert 0.4 < time.monotonic() - started < 4


def test_a_head_that_comes_byte_by_byte_runs_out_of_time(client: socket.socket) -> None:
    client.sendall(HEAD)
    assert not taken(client, [b"a"] * 300, pause=0.01)


def test_a_client_that_does_not_read_is_left(client: socket.socket) -> None:
    client.sendall(b"GET /67108864 HTTP/1.1\r\nhost: a\r\n\r\n")
    time.sleep(2)
    assert len(everything(client)) < 67108864


def test_a_client_that_reads_slowly_gets_everything(client: socket.socket) -> None:
    client.sendall(b"GET /16777216 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    received = 0
    for _ in range(6):
        received += len(client.recv(1 << 20))
        time.sleep(0.25)
    assert received + len(everything(client)) > 16777216


def test_a_body_that_comes_slowly_and_a_slow_answer_are_waited_for(client: socket.socket) -> None:
    client.sendall(b"POST /0?1.5 HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 8\r\n\r\n")
    for _ in range(8):
        time.sleep(0.15)
        client.sendall(b"a")
    assert everything(client).endswith(b"done\r\n0\r\n\r\n")


def test_a_second_request_may_come_later(client: socket.socket) -> None:
    for _ in range(2):
        client.sendall(b"GET /0 HTTP/1.1\r\nhost: a\r\n\r\n")
        received = b""
        while not received.endswith(b"done\r\n0\r\n\r\n"):
            received += client.recv(65536)
        time.sleep(1.2)


def test_the_hub_serves_with_these_limits(hub_server: HubServer) -> None:
    port = int(hub_server.endpoint.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(HEAD + b"x: ")
        assert not taken(client, [b"a" * 65536] * 128)
    limits = Path(f"/proc/{hub_server.process.pid}/limits")
    if limits.exists():
        soft, hard = next(
            line.split()[3:5] for line in limits.read_text().splitlines() if line.startswith("Max open")
        )
        assert soft == hard
