"""Upload and download of a large file: stock clients against nginx moving the same bytes.

    python benchmarks/bench_transfer.py [--size-mib 1024]

Prints wall seconds, processor seconds of the server, its peak memory, and the ratio to nginx (1.0 is as
fast; 0.5 takes twice as long). Then version 2 of the file with 5 % of it changed: its share of the bytes.
"""

import argparse
import json
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
from peers import GIB, Server, client, hub, nginx, workspace
from safetensors.numpy import save_file

RAW = """
import sys, time, http.client, urllib.parse
method, url, path = sys.argv[1:]
where = urllib.parse.urlsplit(url)
started = time.perf_counter()
connection = http.client.HTTPConnection(where.netloc, blocksize=1 << 20)
if method == "PUT":
    with open(path, "rb") as file:
        connection.request("PUT", where.path, body=file)
        reply = connection.getresponse(); reply.read()
else:
    connection.request("GET", where.path)
    reply = connection.getresponse()
    with open(path, "wb") as file:
        while piece := reply.read(1 << 20):
            file.write(piece)
assert reply.status in (200, 201, 204), reply.status
print(time.perf_counter() - started)
"""
UPLOAD = """
import sys, time
from huggingface_hub import HfApi
endpoint, token, repo, path = sys.argv[1:]
api = HfApi(endpoint=endpoint, token=token)
started = time.perf_counter()
api.upload_file(path_or_fileobj=path, path_in_repo="model.safetensors", repo_id=repo)
print(time.perf_counter() - started)
"""
DOWNLOAD = """
import sys, time
from huggingface_hub import hf_hub_download
endpoint, token, repo = sys.argv[1:]
started = time.perf_counter()
hf_hub_download(repo, "model.safetensors", endpoint=endpoint, token=token)
print(time.perf_counter() - started)
"""


def write_model(path: Path, size: int, *, changed: float = 0.0) -> None:
    """Write float32 weights; the same ones every time, but for the last part that is `changed`."""
    count = 64
    elements = size // (4 * count)
    random = np.random.default_rng(7)
    other = np.random.default_rng(8)
    tensors: dict[str, np.ndarray] = {}
    for n in range(count):
        layer = random.standard_normal(elements, dtype=np.float32)
        start = max(0, round(elements * (1 - changed * count + (count - 1 - n))))
        if start < elements:
            layer[start:] = other.standard_normal(elements - start, dtype=np.float32)
        tensors[f"layer{n:02d}"] = layer
    save_file(tensors, path)


def measure(label: str, server: Server, work: Callable[[], str], peer_s: float | None = None) -> float:
    """Run `work`, print its row, return its wall seconds (measured inside the client)."""
    server.reset_peak()
    before = server.processor_s()
    seconds = float(work())
    ratio = "" if peer_s is None else f"{peer_s / seconds:>8.2f}"
    used = server.processor_s() - before
    print(f"{label:<34}{seconds:>8.2f}{used:>10.2f}{server.resident() / 2**20:>10.0f}{ratio}", flush=True)
    return seconds


def received(server: Server) -> float:
    """Bytes of request bodies that the hub has taken so far."""
    with urllib.request.urlopen(f"{server.endpoint}/api/metrics") as reply:
        found = re.search(
            r'^voxhub_body_bytes_total\{direction="in"\} (\S+)', reply.read().decode(), re.MULTILINE
        )
    return float(found[1]) if found else 0.0


def create(server: Server, name: str) -> str:
    """Create a repository of the admin and return its id."""
    body = json.dumps({"name": name}).encode()
    headers = {"authorization": f"Bearer {server.token}", "content-type": "application/json"}
    urllib.request.urlopen(
        urllib.request.Request(f"{server.endpoint}/api/repos/create", body, headers)
    ).close()
    return f"admin/{name}"


def main() -> None:
    """Run every transfer once, in one run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size-mib", type=int, default=1024)
    size = parser.parse_args().size_mib * GIB // 1024
    with workspace() as folder, nginx(folder / "nginx") as plain, hub(folder / "hub") as ours:
        first, second = folder / "v1.safetensors", folder / "v2.safetensors"
        write_model(first, size)
        write_model(second, size, changed=0.05)
        home = folder / "home"
        print(f"{size / GIB:.2f} GiB of float32 weights\n")
        print(f"{'':<34}{'wall s':>8}{'server s':>10}{'peak MiB':>10}{'ratio':>8}")
        url = f"{plain.endpoint}/model"
        put = measure("PUT to nginx", plain, lambda: client(RAW, "PUT", url, str(first), folder=home))
        lfs, xet = create(ours, "lfs"), create(ours, "xet")
        address = (ours.endpoint, ours.token)
        plain_http = {"HF_HUB_DISABLE_XET": "1"}
        measure(
            "upload, Git LFS",
            ours,
            lambda: client(UPLOAD, *address, lfs, str(first), folder=home, **plain_http),
            put,
        )
        start = received(ours)
        measure(
            "upload, Xet (the default)",
            ours,
            lambda: client(UPLOAD, *address, xet, str(first), folder=home),
            put,
        )
        sent_first = received(ours) - start
        start = received(ours)
        measure(
            "upload of version 2, Xet",
            ours,
            lambda: client(UPLOAD, *address, xet, str(second), folder=home),
            put,
        )
        sent_second = received(ours) - start
        # Raw downloads are thrown away: the disk that a client writes to is not what is compared.
        target = "/dev/null"
        get = measure("GET from nginx", plain, lambda: client(RAW, "GET", url, target, folder=home))
        for label, repo in (("whole file", lfs), ("from xorbs", xet)):
            link = f"{ours.endpoint}/{repo}/resolve/main/model.safetensors"
            measure(
                f"GET from the hub, {label}",
                ours,
                lambda u=link: client(RAW, "GET", u, target, folder=home),
                get,
            )
        measure(
            "hf_hub_download, plain HTTP",
            ours,
            lambda: client(DOWNLOAD, *address, lfs, folder=folder / "home1", **plain_http),
            get,
        )
        measure(
            "hf_hub_download, Xet",
            ours,
            lambda: client(DOWNLOAD, *address, xet, folder=folder / "home2"),
            get,
        )
        print(
            f"\nbytes on the wire: version 1 {sent_first / first.stat().st_size:.1%} of the file, "
            f"version 2 (5 % changed) {sent_second / second.stat().st_size:.1%}"
        )


if __name__ == "__main__":
    main()
