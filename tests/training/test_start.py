"""`make demo`: a hub with the demonstration models, one command, as often as one likes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from hub_process import ROOT, free_port

START_TIMEOUT_S = 120


def test_starting_the_demo_imports_neither_torch_nor_the_hub() -> None:
    code = (
        "import sys, training.demo.start as start, registry_client; "
        "registry_client.push, registry_client.whoami; "
        "heavy = {'torch', 'monai', 'nibabel', 'nilearn', 'hub'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_versions_are_pushed_in_the_order_of_their_numbers() -> None:
    from training.demo import start

    names = ["model-1.10.0", "model-1.9.0", "model-1.9.1"]

    ordered = sorted((Path(name) for name in names), key=start.version_order)
    assert [path.name for path in ordered] == ["model-1.9.0", "model-1.9.1", "model-1.10.0"]


def test_a_taken_port_is_named_with_the_way_out(tmp_path: Path) -> None:
    with _someone_listening() as port:
        done = subprocess.run(
            [*_command(tmp_path / "data", port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert done.returncode == 1
    assert f"port {port} is taken" in done.stderr
    assert f"PORT={port + 1}" in done.stderr
    assert not (tmp_path / "data").exists(), "nothing was made"


@pytest.mark.slow
def test_the_demo_serves_both_versions_and_starts_again_where_it_stopped(tmp_path: Path) -> None:
    import registry_client as vox

    data, port = tmp_path / "data", free_port()
    with _demo(data, port) as (process, output):
        assert output.count(": pushed") == 4
        token = (data / "demo-token").read_text().strip()
        endpoint = f"http://127.0.0.1:{port}"
        for name in ("mni152-tissue", "mni152-brain-mask"):
            found = vox.versions(f"lab/{name}", endpoint=endpoint)
            assert [version.name for version in found] == ["1.1.0", "1.0.0"]
            card = vox.model_card(f"lab/{name}", endpoint=endpoint)
            assert card.data.to_dict()["license"] == "apache-2.0"
        # The lines that it prints, pasted as they are.
        pasted = re.findall(r"^    (\S*voxhub (?:login|ls)\b.*)$", log_of(data).read_text(), re.MULTILINE)
        said = [subprocess.check_output(line.split(), cwd=ROOT, text=True) for line in pasted]
        assert said[0] == f"Signed in at {endpoint} as demo.\n"
        assert "lab/mni152-tissue" in said[1]
        assert stat.S_IMODE((data / "demo-token").stat().st_mode) == 0o600
        _interrupt(process)
    assert process.returncode == 0

    with _demo(data, port) as (process, output):
        assert output.count(": already there") == 4
        assert (data / "demo-token").read_text().strip() == token
        _interrupt(process)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=2)


def log_of(data: Path) -> Path:
    """Where what the demo prints goes."""
    return data.parent / "demo.log"


def _command(data: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "training.demo.start", "--data-dir", str(data), "--port", str(port)]


@contextlib.contextmanager
def _demo(data: Path, port: int) -> Generator[tuple[subprocess.Popen[bytes], str]]:
    """Start the demo and wait until it says that it is ready."""
    log = log_of(data)
    with log.open("wb") as file:
        process = subprocess.Popen(_command(data, port), cwd=ROOT, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while "is ready" not in (output := log.read_text()):
            assert process.poll() is None, output
            assert time.monotonic() < deadline, output
            time.sleep(0.2)
        yield process, output
    finally:
        if process.poll() is None:
            _interrupt(process)


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGINT)
    process.wait(timeout=30)


@contextlib.contextmanager
def _someone_listening() -> Generator[int]:
    """Answer HTTP on a port, as a hub that runs already does."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
