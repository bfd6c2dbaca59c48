"""A hub in a process of its own: what the fixture `hub_server` gives, and how to start another."""

import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent


class HubServer(msgspec.Struct):
    """A hub in a process of its own, as an operator would start it."""

    endpoint: str
    data_dir: Path
    admin_token: str
    process: subprocess.Popen[bytes]

    def run(self, *arguments: str) -> str:
        """Run `voxhub … --data-dir` on this hub's data and return what it printed."""
        return voxhub(*arguments, "--data-dir", str(self.data_dir))

    def new_user(self, *, role: str = "write", admin: bool = False) -> tuple[str, str]:
        """Make a user with a random name; return its name and a token."""
        name = f"user-{secrets.token_hex(4)}"
        self.run("user", "add", name, *(["--admin"] if admin else []))
        return name, self.run("token", "create", name, "--role", role).strip()

    def new_org(self, *members: str) -> str:
        """Make an organisation with members `user:role`; return its name."""
        name = f"org-{secrets.token_hex(4)}"
        self.run("org", "add", name, *(f"--member={member}" for member in members))
        return name


def voxhub(*arguments: str) -> str:
    """Run the command and return its standard output; a failure raises with what it said."""
    command = [sys.executable, "-m", "registry_client.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise AssertionError(f"voxhub {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start_hub(data_dir: Path, *, port: int | None = None, options: tuple[str, ...] = ()) -> HubServer:
    """Start `voxhub serve` on `data_dir`, wait until it is healthy, and make an admin token."""
    port = port or free_port()
    log = (data_dir.parent / f"{data_dir.name}.log").open("ab")
    command = [sys.executable, "-m", "registry_client.cli", "serve", "--data-dir", str(data_dir)]
    command += ["--host", "127.0.0.1", "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
    log.close()
    endpoint = f"http://127.0.0.1:{port}"
    wait_until_healthy(endpoint, process, data_dir.parent / f"{data_dir.name}.log")
    token = voxhub("token", "create", "admin", "--role", "write", "--data-dir", str(data_dir)).strip()
    return HubServer(endpoint=endpoint, data_dir=data_dir, admin_token=token, process=process)


def wait_until_healthy(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the hub answers; raise with its log when it ended or took a minute."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{endpoint}/api/health", timeout=2):
                return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    raise AssertionError(f"the hub did not start:\n{log.read_text()[-4000:]}")
