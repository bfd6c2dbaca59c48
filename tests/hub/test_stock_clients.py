"""Stock clients, unmodified, only the endpoint set: `huggingface_hub`, the `hf` command, `@huggingface/hub`.

Each tour runs once in a process of its own; every stop of it is a test here.
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from hub_process import HubServer
from other_clients import OLDEST, oldest_client, script_client

HERE = Path(__file__).parent
PYTHON_TOUR = HERE / "stock_tour.py"
SCRIPT_TOUR = HERE / "stock_tour.mjs"
PYTHON_STOPS = [
    node.name
    for node in ast.parse(PYTHON_TOUR.read_text()).body
    if isinstance(node, ast.FunctionDef) and node.decorator_list
]
SCRIPT_STOPS = re.findall(r"^\tasync (\w+)\(", SCRIPT_TOUR.read_text(), re.MULTILINE)
# This release sends cards to huggingface.co for validation, whatever the endpoint.
NOT_IN_OLDEST = {"a_model_card_is_pushed_and_loaded"}


@pytest.fixture(scope="module")
def people(hub_server: HubServer) -> dict[str, str]:
    """The environment of a user with an organisation, a read-only token beside, and a stranger."""
    name, token = hub_server.new_user()
    _, stranger = hub_server.new_user()
    return {
        "HF_ENDPOINT": hub_server.endpoint,
        "HF_TOKEN": token,
        "TOUR_USER": name,
        "TOUR_STRANGER": stranger,
        "TOUR_READER": hub_server.run("token", "create", name, "--role", "read").strip(),
        "TOUR_ORG": hub_server.new_org(f"{name}:admin"),
    }


def clean(people: Mapping[str, str], home: Path, **more: str) -> dict[str, str]:
    """The environment of a client: nothing of the user who runs the tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "VOXHUB_"))}
    quiet = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "NO_COLOR": "1"}
    return {**inherited, **quiet, "HF_HOME": str(home), **people, **more}


def tour(command: list[str], environment: dict[str, str], folder: Path) -> dict[str, str]:
    """Run a tour to its end and return what it reports."""
    report = folder / "report.json"
    done = subprocess.run(
        [*command, str(report)], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert report.exists(), f"the tour broke off:\n{done.stdout}{done.stderr}"
    return json.loads(report.read_text())


class Tours:
    """Reports of the tours, each taken when the first of its stops is asked for."""

    def __init__(self, people: Mapping[str, str], folders: pytest.TempPathFactory) -> None:
        self.people = people
        self.folders = folders
        self.python = cache(self._python)
        self.script = cache(self._script)

    def _python(self, release: str, *, xet: bool) -> dict[str, str]:
        folder = self.folders.mktemp("tour")
        more = {} if xet else {"HF_HUB_DISABLE_XET": "1"}
        if release != "installed":
            more["PYTHONPATH"] = str(oldest_client())
        environment = clean(self.people, folder / "hf", **more)
        report = tour([sys.executable, str(PYTHON_TOUR)], environment, folder)
        assert release in {"installed", report["version"]}
        return report

    def _script(self) -> dict[str, str]:
        # Modules are found from the working folder up.
        folder = script_client() / "tour"
        folder.mkdir(exist_ok=True)
        (folder / "report.json").unlink(missing_ok=True)
        return tour(["node", str(SCRIPT_TOUR)], clean(self.people, folder), folder)


@pytest.fixture(scope="module")
def tours(people: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Tours:
    """The tours of this run."""
    return Tours(people, tmp_path_factory)


# One worker takes a tour, and with it installs the client, for all of its stops.
@pytest.mark.xdist_group("current-tour")
@pytest.mark.parametrize("xet", [True, False], ids=["xet", "http"])
@pytest.mark.parametrize("stop", PYTHON_STOPS)
def test_the_current_python_client(tours: Tours, stop: str, *, xet: bool) -> None:
    report = tours.python("installed", xet=xet)
    assert report[stop] == "ok", report[stop]


@pytest.mark.slow
@pytest.mark.xdist_group("oldest-tour")
@pytest.mark.parametrize("xet", [True, False], ids=["xet", "http"])
@pytest.mark.parametrize("stop", [stop for stop in PYTHON_STOPS if stop not in NOT_IN_OLDEST])
def test_the_oldest_supported_python_client(tours: Tours, stop: str, *, xet: bool) -> None:
    report = tours.python(OLDEST, xet=xet)
    assert report[stop] == "ok", report[stop]


@pytest.mark.slow
@pytest.mark.xdist_group("javascript-tour")
@pytest.mark.parametrize("stop", SCRIPT_STOPS)
def test_the_javascript_client(tours: Tours, stop: str) -> None:
    report = tours.script()
    assert report[stop] == "ok", report[stop]


class Command:
    """The `hf` command as one user runs it."""

    def __init__(self, people: Mapping[str, str], home: Path) -> None:
        self.environment = clean(people, home)
        self.user = people["TOUR_USER"]

    def __call__(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, f"hf {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("hf")), *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)


@pytest.fixture
def hf(people: dict[str, str], tmp_path: Path) -> Command:
    """The command, with a home of its own."""
    return Command(people, tmp_path / "home")


def test_the_hf_command_knows_who_it_speaks_for(hf: Command) -> None:
    assert hf.user in hf("auth", "whoami")


def test_the_hf_command_uploads_and_downloads_a_folder(hf: Command, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    weights = os.urandom(3 << 20)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "deep" / "config.json").write_text("{}")
    repo = f"{hf.user}/by-command"
    hf("repos", "create", repo)
    hf("upload", repo, str(folder), ".", "--commit-message", "From the command")
    hf("download", repo, "--local-dir", str(tmp_path / "got"))
    assert (tmp_path / "got" / "model.safetensors").read_bytes() == weights
    assert (tmp_path / "got" / "deep" / "config.json").read_text() == "{}"


def test_the_hf_command_tags_moves_hides_and_deletes(hf: Command) -> None:
    repo = f"{hf.user}/by-command-too"
    hf("repos", "create", repo)
    hf("repos", "tag", "create", repo, "v1")
    assert "v1" in hf("repos", "tag", "list", repo)
    hf("repos", "settings", repo, "--private")
    hf("repos", "move", repo, f"{repo}-moved")
    assert "v1" in hf("repos", "tag", "list", f"{repo}-moved")
    assert hf.user in hf("repos", "list")
    hf("repos", "delete", f"{repo}-moved", "--yes")
    gone = hf.run("download", f"{repo}-moved")
    assert gone.returncode != 0
    assert "not found" in (gone.stdout + gone.stderr).lower()
