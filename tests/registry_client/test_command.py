"""The command `voxhub` as a user types it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hub_process import HubServer


def voxhub(*arguments: str, typed: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "registry_client.cli", *arguments]
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, input=typed, cwd=cwd, env=environment
    )


@pytest.fixture(scope="module")
def account(hub_server: HubServer) -> tuple[str, str]:
    """Make one user for this file, since that takes seconds; each test has its own repositories."""
    return hub_server.new_user()


@pytest.fixture
def owner(hub_server: HubServer, account: tuple[str, str]) -> str:
    """Sign the user in with the command and return its name."""
    name, token = account
    done = voxhub("login", hub_server.endpoint, typed=f"{token}\n")
    assert done.returncode == 0, done.stderr
    assert token not in done.stdout + done.stderr
    return name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that is a model revision, made without torch."""
    made = tmp_path / "model"
    made.mkdir()
    manifest = {
        "manifest_version": 1,
        "version": "1.0.0",
        "architecture": {"name": "meshnet", "dim": 3, "version": 1, "arguments": {}},
        "task": "segmentation",
        "inputs": [{"name": "image", "modality": "MR", "spacing": [1, 1, 1]}],
    }
    (made / "config.json").write_text(json.dumps(manifest))
    (made / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    (made / "README.md").write_text("---\nlicense: mit\npipeline_tag: image-segmentation\n---\n\n# Mine\n")
    return made


def test_a_model_goes_up_is_found_and_comes_down(owner: str, folder: Path, tmp_path: Path) -> None:
    pushed = voxhub("push", str(folder), f"{owner}/mine", "-m", "first")
    assert pushed.returncode == 0, pushed.stderr
    assert "1.0.0" in pushed.stdout
    assert f"{owner}/mine" in voxhub("ls", "--author", owner).stdout
    assert json.loads(voxhub("ls", "--author", owner, "--json").stdout)[0]["id"] == f"{owner}/mine"
    shown = voxhub("info", f"{owner}/mine@1.0.0", "--card").stdout
    assert "meshnet 3D" in shown
    assert "1 x 1 x 1 mm" in shown
    assert "# Mine" in shown
    assert voxhub("versions", f"{owner}/mine").stdout.startswith("1.0.0  ")
    pulled = voxhub("pull", f"{owner}/mine@1.0.0", cwd=tmp_path)
    assert pulled.stdout.strip() == "mine"
    assert (tmp_path / "mine" / "config.json").read_bytes() == (folder / "config.json").read_bytes()


def test_login_is_kept_for_the_owner_alone_and_logout_forgets_it(owner: str) -> None:
    path = Path(os.environ["VOXHUB_CONFIG"]) / "credentials.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert voxhub("whoami").stdout.startswith(f"{owner} ")
    assert voxhub("logout").returncode == 0
    after = voxhub("whoami")
    assert after.returncode == 1
    assert "voxhub login" in after.stderr


def test_deleting_asks_first(owner: str, folder: Path) -> None:
    voxhub("push", str(folder), f"{owner}/asked")
    refused = voxhub("delete", f"{owner}/asked", typed="no\n")
    assert refused.returncode == 1
    assert "nothing was deleted" in refused.stderr
    assert voxhub("delete", f"{owner}/asked", typed=f"{owner}/asked\n").returncode == 0
    assert voxhub("versions", f"{owner}/asked").returncode == 1


def test_expected_failures_are_one_line_with_the_next_step(owner: str, folder: Path) -> None:
    voxhub("push", str(folder), f"{owner}/failing")
    for arguments, words in (
        (["push", str(folder), f"{owner}/failing"], "has version `1.0.0` already"),
        (["push", str(folder / "absent"), f"{owner}/failing"], "is no folder"),
        (["info", f"{owner}/nothing"], "There is no model"),
        (["info", f"{owner}/failing@9"], "voxhub versions"),
        (["info", "mine"], "`owner/name`"),
        (["versions", f"{owner}/nothing"], "Check the name"),
    ):
        done = voxhub(*arguments)
        assert done.returncode == 1, arguments
        assert words in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert "Traceback" not in done.stderr


def test_a_wrong_token_is_not_kept(hub_server: HubServer) -> None:
    done = voxhub("login", hub_server.endpoint, "--token", "hf_wrong")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not (Path(os.environ["VOXHUB_CONFIG"]) / "credentials.json").exists()


def test_a_hub_that_is_not_there_is_named_so() -> None:
    done = voxhub("login", "http://127.0.0.1:9", "--token", "hf_any")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistyped_command_is_answered_with_the_nearest() -> None:
    done = voxhub("psuh")
    assert done.returncode == 2
    assert "did you mean `push`" in done.stderr


def test_help_teaches_with_examples_and_loads_no_server() -> None:
    code = (
        "import sys\nfrom registry_client.cli import main\n"
        "try: main(['--help'])\nfinally: print('LOADED', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shown, _, loaded = done.stdout.partition("LOADED")
    assert {"hub", "litestar", "torch", "huggingface_hub"}.isdisjoint(loaded.split())
    for words in ("voxhub push ./folder lab/mine", "serve", "VOXHUB_ENDPOINT"):
        assert words in shown
    for command in ("login", "push", "pull", "ls", "info", "delete"):
        assert f"voxhub {command}" in voxhub(command, "--help").stdout
