"""What every benchmark here needs: a hub, nginx as a peer, processor time and memory of process trees."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent
GIB = 1024**3
_TICKS = os.sysconf("SC_CLK_TCK")

_NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; user root;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000;
  client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp;
  uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
  client_max_body_size 0;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; dav_methods PUT DELETE; create_full_put_path on; }}
}}
"""


class Server(msgspec.Struct):
    """A server on loopback in a process tree of its own."""

    endpoint: str
    pid: int
    token: str = ""

    def processor_s(self) -> float:
        """Processor seconds of the whole tree so far."""
        return sum(_stat(pid) for pid in _tree(self.pid))

    def resident(self) -> int:
        """Resident bytes of the largest process of the tree, at its peak since `reset_peak`."""
        return max(_status(pid, "VmHWM") for pid in _tree(self.pid))

    def reset_peak(self) -> None:
        """Forget the peak of memory until now."""
        for pid in _tree(self.pid):
            Path(f"/proc/{pid}/clear_refs").write_text("5")


@contextmanager
def hub(folder: Path, *, workers: int = 1) -> Generator[Server]:
    """Run `voxhub serve` with its data under `folder`; yield it with a token that may write."""
    port = free_port()
    data = ["--data-dir", str(folder)]
    command = [sys.executable, "-m", "registry_client.cli"]
    serve = [*command, "serve", *data, "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)]
    with (folder.parent / "hub.log").open("wb") as log:
        process = subprocess.Popen(serve, stdout=log, stderr=log, cwd=ROOT)
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait(f"{endpoint}/api/health", process)
        token = subprocess.check_output(
            [*command, "token", "create", "admin", *data], text=True, cwd=ROOT
        ).strip()
        yield Server(endpoint, process.pid, token)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def nginx(folder: Path) -> Generator[Server]:
    """Run nginx with `folder/files` to GET from and PUT to: the plainest server of bytes."""
    if shutil.which("nginx") is None:
        sys.exit("This benchmark compares with nginx: apt-get install nginx-light")
    for name in ("files", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    port = free_port()
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port))
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        (folder / "files" / "up").write_text("up")
        _wait(f"http://127.0.0.1:{port}/up", process)
        yield Server(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def mlflow(python: Path, folder: Path) -> Generator[Server]:
    """Run MLflow's server (one worker, SQLite) from the environment of `python`, with the model `many`."""
    folder.mkdir(parents=True)
    port = free_port()
    command = [str(python.absolute()), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    stores = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder)]
    with (folder / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *stores, "--workers", "1"], stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait(f"{endpoint}/health", process)
        model = urllib.request.Request(
            f"{endpoint}/api/2.0/mlflow/registered-models/create",
            data=b'{"name": "many"}',
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(model):
            yield Server(endpoint, process.pid)
    finally:
        # Its workers outlive it when it alone is told to stop.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


@contextmanager
def workspace() -> Generator[Path]:
    """A folder on the disk (not in memory) that is gone afterwards."""
    base = os.environ.get("BENCHMARK_DIR", "/var/tmp")  # noqa: S108
    with tempfile.TemporaryDirectory(prefix="voxhub-benchmark-", dir=base) as folder:
        yield Path(folder)


def client(script: str, *arguments: str, folder: Path, **environment: str) -> str:
    """Run a client script in a clean process and return what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "VOXHUB_"))}
    return subprocess.check_output(
        [sys.executable, "-c", script, *arguments],
        text=True,
        env={**clean, "HF_HOME": str(folder), "HF_HUB_DISABLE_PROGRESS_BARS": "1", **environment},
    )


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    sys.exit(f"{url} does not answer")


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in children for found in _tree(int(child)))]


def _stat(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
