"""Small requests per second: resolve HEAD, model info, tree; against nginx and a bare Litestar route.

    python benchmarks/bench_metadata.py [--requests 3000] [--connections 16] [--mlflow PYTHON]

Needs `ab` (apt-get install apache2-utils) and nginx. A
bare route on the same server is what the framework costs;
the ratio to it is what the registry adds.
`--mlflow` names the Python of an environment with mlflow:
its registry, on SQLite, gives one registered model.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from bench_transfer import create
from peers import Server, client, free_port, hub, mlflow, nginx, workspace

BARE = """
import sys, uvicorn
from litestar import Litestar, get
@get("/", sync_to_thread=True)
def bare() -> dict[str, str]: return {"status": "ok"}
uvicorn.run(Litestar([bare]), port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="error")
"""
COMMIT = """
import sys
from huggingface_hub import CommitOperationAdd, HfApi
endpoint, token, repo = sys.argv[1:]
files = [CommitOperationAdd(f"folder/{n}.txt", f"{n}".encode()) for n in range(20)]
HfApi(endpoint=endpoint, token=token).create_commit(repo, files, commit_message="files")
"""


def rate(url: str, requests: int, connections: int, method: str = "GET") -> float:
    """Requests per second that ab gets from `url`; any answer but 2xx ends the run."""
    head = ["-i"] if method == "HEAD" else []
    command = ["ab", "-q", "-k", *head, "-c", str(connections), "-n", str(requests), url]
    output = subprocess.check_output(command, text=True)
    if "Non-2xx" in output:
        sys.exit(f"{url} failed:\n{output}")
    found = re.search(r"Requests per second:\s+([\d.]+)", output)
    return float(found[1]) if found else 0.0


def main() -> None:
    """Ask every server in one run and print its rates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--mlflow", type=Path, metavar="PYTHON")
    options = parser.parse_args()
    if shutil.which("ab") is None:
        sys.exit("This benchmark drives the servers with ab: apt-get install apache2-utils")
    with workspace() as folder, nginx(folder / "nginx") as plain, hub(folder / "hub") as ours:
        repo = create(ours, "many")
        client(COMMIT, ours.endpoint, ours.token, repo, folder=folder / "home")
        port = free_port()
        bare = subprocess.Popen([sys.executable, "-c", BARE, str(port)])
        try:
            client("import time; time.sleep(3)", folder=folder)
            compare(ours, plain, f"http://127.0.0.1:{port}/", repo, options)
        finally:
            bare.terminate()
        if options.mlflow:
            compare_mlflow(options.mlflow, folder / "mlflow", options)


def compare(ours: Server, plain: Server, bare: str, repo: str, options: argparse.Namespace) -> None:
    """Print a row for each kind of request, with its ratio to the bare route."""
    hub_urls = {
        "resolve HEAD": (f"{ours.endpoint}/{repo}/resolve/main/folder/7.txt", "HEAD"),
        "resolve GET, 1 byte": (f"{ours.endpoint}/{repo}/resolve/main/folder/7.txt", "GET"),
        "model info": (f"{ours.endpoint}/api/models/{repo}", "GET"),
        "tree": (f"{ours.endpoint}/api/models/{repo}/tree/main/folder", "GET"),
        "list of models": (f"{ours.endpoint}/api/models?limit=20", "GET"),
        "health": (f"{ours.endpoint}/api/health", "GET"),
    }
    reference = rate(bare, options.requests, options.connections)
    print(f"{'':<26}{'requests/s':>12}{'ratio':>8}")
    print(f"{'bare Litestar route':<26}{reference:>12.0f}{1:>8.2f}")
    static = rate(f"{plain.endpoint}/up", options.requests, options.connections)
    print(f"{'nginx, a file':<26}{static:>12.0f}{static / reference:>8.2f}")
    for label, (url, method) in hub_urls.items():
        found = rate(url, options.requests, options.connections, method)
        print(f"{label:<26}{found:>12.0f}{found / reference:>8.2f}", flush=True)


def compare_mlflow(python: Path, folder: Path, options: argparse.Namespace) -> None:
    """Print how often MLflow's registry tells of a model."""
    with mlflow(python, folder) as peer:
        url = f"{peer.endpoint}/api/2.0/mlflow/registered-models/get?name=many"
        # It answers slowly: a tenth of the requests is enough.
        found = rate(url, max(options.requests // 10, 100), options.connections)
        print(f"{'MLflow, registered model':<26}{found:>12.0f}", flush=True)


if __name__ == "__main__":
    main()
