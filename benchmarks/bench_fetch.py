"""Warm `fetch_pretrained` of a 350 MB model against mapping the same file and assigning its tensors.

    python benchmarks/bench_fetch.py [--repeat 5]

The reference builds the same network with initialisers that do nothing, then loads and assigns; what
`fetch_pretrained` adds is finding the revision, reading the manifest and checking sizes.

Each measurement is a fresh process with torch, MONAI and huggingface_hub already imported (they cost seconds,
and the network needs them in every way), so that it counts loading alone:
processor and wall milliseconds, and by how much resident memory grew.
"""

import argparse
import json
import statistics

from peers import client, hub, workspace

COMMON = """
import gc, json, resource, sys, time
import torch, monai.networks.nets
from huggingface_hub import HfApi, snapshot_download
import registry_client as vox
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
"""
REGISTER = (
    COMMON
    + """
endpoint, token = sys.argv[1:]
vox.login(endpoint, token)
model = vox.fetch_architecture("vit", dim=3)((96, 96, 96, 1), number_of_outputs=2)
print(vox.register_pretrained(model, "admin/vit", version="1.0.0", task="classification").revision)
print(sum(p.numel() * p.element_size() for p in model.parameters()))
"""
)
FETCH = (
    COMMON
    + """
endpoint, token = sys.argv[1:]
before = resident(); wall = time.perf_counter(); used = time.process_time()
model = vox.fetch_pretrained("admin/vit@1.0.0", local_files_only=True)
print(json.dumps([time.process_time() - used, time.perf_counter() - wall, resident() - before]))
"""
)
ASSIGN = (
    COMMON
    + """
from safetensors.torch import load_file
endpoint, token, path = sys.argv[1:]
for name in ("kaiming_uniform_", "uniform_", "trunc_normal_", "normal_", "constant_", "zeros_", "ones_"):
    setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)
before = resident(); wall = time.perf_counter(); used = time.process_time()
model = vox.fetch_architecture("vit", dim=3)((96, 96, 96, 1), number_of_outputs=2)
model.load_state_dict(load_file(path), assign=True, strict=True)
print(json.dumps([time.process_time() - used, time.perf_counter() - wall, resident() - before]))
"""
)
NAIVE = (
    COMMON
    + """
from safetensors.torch import load_file
endpoint, token, path = sys.argv[1:]
before = resident(); wall = time.perf_counter(); used = time.process_time()
model = vox.fetch_architecture("vit", dim=3)((96, 96, 96, 1), number_of_outputs=2)
model.load_state_dict(load_file(path), strict=True)
print(json.dumps([time.process_time() - used, time.perf_counter() - wall, resident() - before]))
"""
)


def main() -> None:
    """Register one model, fetch it once to fill the cache, then load it in every way in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    with workspace() as folder, hub(folder / "hub") as ours:
        caches = {"VOXHUB_CACHE": str(folder / "cache"), "VOXHUB_CONFIG": str(folder / "config")}
        address = (ours.endpoint, ours.token)
        size = int(client(REGISTER, *address, folder=folder / "home", **caches).split()[-1])
        warm = FETCH.replace(", local_files_only=True", "")
        client(warm, *address, folder=folder / "home", **caches)
        weights = str(next((folder / "cache").rglob("model.safetensors")))
        ways = {
            "mmap + assign": (ASSIGN, weights),
            "fetch_pretrained, warm": (FETCH,),
            "random init + copy": (NAIVE, weights),
        }
        rows: dict[str, list[list[float]]] = {label: [] for label in ways}
        for _ in range(repeat):
            for label, (script, *more) in ways.items():
                rows[label].append(
                    json.loads(client(script, *address, *more, folder=folder / "home", **caches))
                )
        print_rows(rows, size)


def print_rows(rows: dict[str, list[list[float]]], size: int) -> None:
    """Print medians and their ratios to the first way."""
    print(f"{size / 1e6:.0f} MB of weights, medians of {len(next(iter(rows.values())))}\n")
    print(f"{'':<26}{'cpu ms':>9}{'wall ms':>9}{'grew MB':>9}{'ratio':>8}")
    reference = 0.0
    for label, found in rows.items():
        cpu, wall, grew = (statistics.median(column) for column in zip(*found, strict=True))
        reference = reference or wall
        print(f"{label:<26}{cpu * 1e3:>9.1f}{wall * 1e3:>9.1f}{grew / 1e6:>9.1f}{wall / reference:>8.2f}")


if __name__ == "__main__":
    main()
