"""A Xet store on loopback for the real client: it keeps what `hf_xet` uploads and serves it by our plans.

It has no accounts and no disk; it exists so that the formats meet their real author.
"""

import importlib
import io
import json
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

from hub.xet import plans, shards, xorbs
from hub.xet.errors import RangeError
from hub.xet.hashes import from_wire, to_wire
from hub.xet.plans import Term
from hub.xet.xorbs import XorbRecord

# Imported by name because its stubs leave out what we use.
hf_xet = importlib.import_module("hf_xet")


class Store:
    """What was uploaded, and what was asked for."""

    def __init__(self) -> None:
        self.xorbs: dict[str, bytes] = {}
        self.records: dict[bytes, XorbRecord] = {}
        self.shards: list[bytes] = []
        self.files: dict[str, list[Term]] = {}
        self.requests: list[str] = []
        self.versions: frozenset[str] = frozenset({"v1", "v2"})
        self.dedup_key: bytes | None = None
        self.url = ""

    @property
    def uploaded_size(self) -> int:
        return sum(len(xorb) for xorb in self.xorbs.values())

    def read(self, xorb: bytes, start: int, end: int) -> bytes:
        return self.xorbs[to_wire(xorb)][start:end]

    def add_xorb(self, name: str, body: bytes) -> bytes:
        record = xorbs.inspect(io.BytesIO(body))
        assert to_wire(record.hash) == name
        self.xorbs[name], self.records[record.hash] = body[: record.size], record
        return b'{"was_inserted":true}'

    def add_shard(self, body: bytes) -> bytes:
        for file in shards.Shard(body).files():
            self.files[to_wire(file.hash)] = plans.unpack_terms(file.terms)
        self.shards.append(body)
        return b'{"result":1}'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: Store

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the base class names it so
        self.store.requests.append(format % args)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if found := re.search(r"/v1/xorbs/default/([0-9a-f]{64})$", self.path):
            self._reply(200, self.store.add_xorb(found[1], body))
        elif self.path.endswith("/v1/shards"):
            self._reply(200, self.store.add_shard(body))
        else:
            self._reply(404)

    def do_GET(self) -> None:
        if found := re.search(r"/(v[12])/reconstructions/([0-9a-f]{64})$", self.path):
            self._reconstruct(found[1], found[2])
        elif found := re.search(r"/stored/([0-9a-f]{64})$", self.path):
            span = self._range()
            assert span is not None
            self._reply(206, self.store.xorbs[found[1]][span[0] : span[1]])
        elif self.store.dedup_key is not None and re.search(r"/v1/chunks/default", self.path):
            self._reply(
                200, shards.build_dedup_shard(self.store.records.values(), self.store.dedup_key, 1 << 40)
            )
        else:
            self._reply(404)

    def _range(self) -> tuple[int, int] | None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        return (int(found[1]), int(found[2]) + 1) if found else None

    def _reconstruct(self, version: str, name: str) -> None:
        if version not in self.store.versions or name not in self.store.files:
            return self._reply(404)
        try:
            plan = plans.reconstruction(self.store.files[name], self.store.records, self._range())
        except RangeError:
            return self._reply(416)

        def url(xorb: bytes) -> str:
            return f"{self.store.url}/stored/{to_wire(xorb)}"

        return self._reply(200, msgspec.json.encode(plan.v1(url) if version == "v1" else plan.v2(url)))

    def _reply(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serve() -> Generator[Store]:
    """Run an empty store on a free port of loopback."""
    store = Store()
    handler = type("Handler", (_Handler,), {"store": store})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    store.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def upload(store: Store, content: bytes, prefix: str = "") -> str:
    """Upload with the real client and return the file hash; another prefix is a client without cache."""
    session = hf_xet.XetSession()
    with session.new_upload_commit(
        endpoint=store.url + prefix, token="token", token_expiry_unix_secs=1 << 40
    ) as commit:
        file = commit.start_upload_bytes(content)
    return str(file.result().xet_info.hash)


def download(store: Store, name: str, size: int, start: int | None = None, end: int | None = None) -> bytes:
    """Download with the real client."""
    session = hf_xet.XetSession()
    group = session.new_download_stream_group(
        endpoint=store.url, token="token", token_expiry_unix_secs=1 << 40
    )
    info = hf_xet.XetFileInfo(name, size)
    return b"".join(group.download_stream(info, start=start, end=end))


def record_of(store: Store, name: str) -> XorbRecord:
    """Return the record of a stored xorb by its wire hash."""
    return store.records[from_wire(name)]


def log_of(store: Store) -> str:
    """Return the requests that the client made, for a failing test's message."""
    return json.dumps(store.requests, indent=1)
