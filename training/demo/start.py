"""Start a hub with the demonstration models in it: `python -m training.demo.start`, or `make demo`.

The hub runs as `voxhub serve` in a process of its own; accounts are made with the command line and
models are pushed through the public API, as any lab would do it. A second start finds everything in
place. Needs no torch.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path

MODELS = Path(__file__).parent / "models"
NAMESPACE = "lab"
USER = "demo"
_LOG = "hub.log"
_LOG_TAIL = 2000
_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 15


class DemoError(RuntimeError):
    """The demonstration cannot go on; the message says what to do."""


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m training.demo.start",
        description="Start a hub with the demonstration models in it.",
    )
    parser.add_argument("--data-dir", type=Path, default=Path(".demo"), help="default: .demo")
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="default: 8000")
    given = parser.parse_args()
    # A supervisor stops a service with SIGTERM: end as with Ctrl-C, so that the hub ends as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Read when huggingface_hub is imported, which is later: one line for each model is enough.
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        run(given.data_dir, given.host, given.port)
    except KeyboardInterrupt:
        print("\nStopped. What you registered stays; `make demo` starts it again.", flush=True)
    except DemoError as error:
        sys.exit(f"demo: {error}")


def run(data_dir: Path, host: str, port: int) -> None:
    """Start the hub, fill it, say how to use it, and wait until it ends."""
    endpoint = f"http://{host}:{port}"
    with serving(data_dir, host, port) as hub:
        wait_until_healthy(endpoint, hub, data_dir / _LOG)
        token = sign_in(data_dir, endpoint)
        fill(endpoint, token)
        print(welcome(endpoint, token, data_dir), flush=True)
        if code := hub.wait():
            raise DemoError(f"the hub ended with code {code}; see {data_dir / _LOG}")


@contextlib.contextmanager
def serving(data_dir: Path, host: str, port: int) -> Generator[subprocess.Popen[bytes]]:
    """Run `voxhub serve` as long as the block lasts; its log goes to `hub.log` in the folder."""
    if _answers(f"http://{host}:{port}/api/health"):
        raise DemoError(f"port {port} is taken; choose another one: make demo PORT={port + 1}")
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = _voxhub("serve", "--data-dir", str(data_dir), "--host", host, "--port", str(port))
    with (data_dir / _LOG).open("ab") as log:
        hub = subprocess.Popen(command, stderr=log)
    try:
        yield hub
    finally:
        if hub.poll() is None:
            hub.terminate()
        try:
            hub.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            hub.kill()
            hub.wait()


def wait_until_healthy(endpoint: str, hub: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the hub answers; raise with the end of its log when it ended, or took a minute."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not _answers(f"{endpoint}/api/health"):
        if hub.poll() is not None:
            said = log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:].strip()
            raise DemoError(f"the hub did not start: {said}")
        if time.monotonic() > deadline:
            raise DemoError(f"the hub did not answer at {endpoint} within {_START_TIMEOUT_S} s; see {log}")
        time.sleep(0.1)


def sign_in(data_dir: Path, endpoint: str) -> str:
    """Make the user, the organisation and a token unless an earlier start did; the token."""
    from registry_client import whoami

    kept = data_dir / "demo-token"
    if kept.is_file():
        token = kept.read_text(encoding="utf-8").strip()
        if _known(token, endpoint):
            return token
    _account("user", "add", USER, "--fullname", "Demo User", data_dir=data_dir)
    _account("org", "add", NAMESPACE, "--member", f"{USER}:write", data_dir=data_dir)
    token = _account("token", "create", USER, "--role", "write", data_dir=data_dir)
    if NAMESPACE not in whoami(endpoint=endpoint, token=token).organisations:
        raise DemoError(
            f"`{NAMESPACE}` exists in {data_dir}, but `{USER}` is no member of it; "
            "start with an empty folder: make demo DEMO_DIR=.demo-new"
        )
    # Created for its owner alone from the first moment on: it is a secret.
    with os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(token + "\n")
    return token


def fill(endpoint: str, token: str) -> None:
    """Push every version that the hub lacks, oldest first."""
    from registry_client import VersionExistsError, push

    folders = sorted(path.parent for path in MODELS.glob("*/config.json"))
    folders.sort(key=lambda folder: (_name(folder), version_order(folder)))
    for number, folder in enumerate(folders, start=1):
        version = folder.name.rpartition("-")[2]
        repo = f"{NAMESPACE}/{_name(folder)}"
        try:
            push(folder, repo, version=version, endpoint=endpoint, token=token)
            state = "pushed"
        except VersionExistsError:
            state = "already there"
        print(f"[{number}/{len(folders)}] {repo} {version}: {state}", flush=True)


def welcome(endpoint: str, token: str, data_dir: Path) -> str:
    """Write what is printed when everything is ready."""
    installed = Path(sys.executable).with_name("voxhub")
    # As the user would type it: short, where the folder they stand in allows it.
    command = installed.relative_to(Path.cwd()) if installed.is_relative_to(Path.cwd()) else installed
    return f"""
Voxhub is ready at {endpoint}   (Ctrl-C stops it)

  Sign in as `{USER}`, who may write to `{NAMESPACE}`, in another terminal:

    {command} login {endpoint} --token {token}
    {command} ls

  An admin token: {command} token create admin --role write --data-dir {data_dir}
  Log of the hub: {data_dir / _LOG}

Run a model (make setup installs torch and MONAI):

  import nibabel
  import registry_client as vox
  from training.inference import segment

  vox.login("{endpoint}", "{token}")
  model = vox.fetch_pretrained("{NAMESPACE}/mni152-tissue")
  nibabel.save(segment(model, nibabel.load("t1.nii.gz")), "labels.nii.gz")
"""


def _name(folder: Path) -> str:
    return folder.name.rpartition("-")[0]


def version_order(folder: Path) -> tuple[int, ...]:
    """Sort 1.10.0 behind 1.9.0."""
    return tuple(int(part) for part in re.findall(r"\d+", folder.name.rpartition("-")[2]))


def _voxhub(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "registry_client.cli", *arguments]


def _account(*arguments: str, data_dir: Path) -> str:
    """Run an account command and return what it printed; what exists already stays as it is."""
    command = _voxhub(*arguments, "--data-dir", str(data_dir))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "is taken" not in done.stderr:
        raise DemoError(f"voxhub {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _known(token: str, endpoint: str) -> bool:
    """Tell whether the hub knows a token; an outage is no answer and raises."""
    from huggingface_hub.errors import HfHubHTTPError

    from registry_client import whoami

    try:
        return NAMESPACE in whoami(endpoint=endpoint, token=token).organisations
    except HfHubHTTPError as error:
        if error.response.status_code in {401, 403}:
            return False
        raise


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 (the address is ours, http)
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


if __name__ == "__main__":
    main()
