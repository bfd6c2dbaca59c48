"""One gigabyte of weights, there and back: by the current client and the oldest, by Xet and by plain HTTP."""

import json
import re
import shutil
import urllib.request
from pathlib import Path

import msgspec
import numpy as np
import pytest
from client import Client
from hub_process import HubServer
from other_clients import OLDEST, oldest_client
from safetensors.numpy import save_file

GIB = 1024**3
LAYERS = 64
# Two versions, the hub's copies of both, and what two downloads leave in a cache.
NEEDED = 9 * GIB

UPLOAD = """
name, path = sys.argv[1:]
api.create_repo(name, exist_ok=True)
print(api.upload_file(path_or_fileobj=path, path_in_repo="model.safetensors", repo_id=name).oid)
"""
DOWNLOAD = """
with open(hf_hub_download(sys.argv[1], "model.safetensors"), "rb") as file:
    print(hashlib.file_digest(file, "sha256").hexdigest())
"""


class Versions(msgspec.Struct, frozen=True):
    """Two files of 1 GiB; the second differs from the first in 5 % of its bytes, at the end."""

    first: Path
    second: Path


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    folder = tmp_path_factory.mktemp("gigabyte")
    if shutil.disk_usage(folder).free < NEEDED:
        pytest.skip(f"{NEEDED / GIB:.0f} GiB of free disk are needed to move 1 GiB files")
    random = np.random.default_rng(1)
    size = GIB // 4 // LAYERS
    layers = {f"layer{n:02d}": random.standard_normal(size, dtype=np.float32) for n in range(LAYERS)}
    save_file(layers, folder / "v1.safetensors")
    # Layers 61 to 63, and the last fifth of layer 60: 5 % in one piece.
    start = size - size // 5
    layers["layer60"][start:] = random.standard_normal(size - start, dtype=np.float32)
    for n in range(61, LAYERS):
        layers[f"layer{n}"] = random.standard_normal(size, dtype=np.float32)
    save_file(layers, folder / "v2.safetensors")
    return Versions(folder / "v1.safetensors", folder / "v2.safetensors")


def received(server: HubServer) -> float:
    """Bytes of request bodies that the hub has taken so far."""
    with urllib.request.urlopen(f"{server.endpoint}/api/metrics") as reply:
        text = reply.read().decode()
    found = re.search(r'^voxhub_body_bytes_total\{direction="in"\} (\S+)', text, re.MULTILINE)
    assert found is not None
    return float(found[1])


@pytest.mark.slow
@pytest.mark.timeout(1800)
# With the tour of the oldest client: it is installed by one worker.
@pytest.mark.xdist_group("oldest-tour")
@pytest.mark.parametrize("xet", [True, False], ids=["xet", "http"])
@pytest.mark.parametrize("release", ["installed", OLDEST])
def test_a_gigabyte_arrives_and_returns_whole(
    hub_server: HubServer, versions: Versions, tmp_path: Path, release: str, *, xet: bool
) -> None:
    user, token = hub_server.new_user()
    client = Client(hub_server.endpoint, token, tmp_path / "home", timeout_s=600)
    more = {} if xet else {"HF_HUB_DISABLE_XET": "1"}
    if release != "installed":
        more["PYTHONPATH"] = str(oldest_client())
    repo = f"{user}/gigabyte"
    shares: list[float] = []
    for version in (versions.first, versions.second):
        before = received(hub_server)
        client.run(UPLOAD, repo, str(version), **more)
        shares.append((received(hub_server) - before) / version.stat().st_size)
        expected = client.run(
            "with open(sys.argv[1], 'rb') as file: print(hashlib.file_digest(file, 'sha256').hexdigest())",
            str(version),
        )
        assert client.run(DOWNLOAD, repo, **more) == expected
        info = urllib.request.Request(
            f"{hub_server.endpoint}/api/models/{repo}/tree/main", headers={"authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(info) as reply:
            (entry,) = (e for e in json.load(reply) if e["path"] == "model.safetensors")
        assert entry["lfs"]["oid"] == expected
    assert shares[1] <= (0.06 if xet else 1.01)
