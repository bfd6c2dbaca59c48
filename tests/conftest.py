"""What every test may ask for: a real hub on loopback, and a hub in process."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_process import ROOT, HubServer, free_port, start_hub

__all__ = ["ROOT", "HubServer", "free_port", "start_hub"]

SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def hub_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """One hub for the whole run; tests make their own users and repositories in it."""
    server = start_hub(tmp_path_factory.mktemp("hub") / "data")
    yield server
    server.process.terminate()
    server.process.wait(timeout=20)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every client's caches, tokens and settings of one test out of the next, and out of the user's."""
    for name in [name for name in os.environ if name.startswith(("HF_", "VOXHUB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("VOXHUB_CACHE", str(tmp_path / "voxhub-cache"))
    monkeypatch.setenv("VOXHUB_CONFIG", str(tmp_path / "voxhub-config"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real scans and weights beside the checkout; without it the test is skipped."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not there: this test needs its real scans")
    return folder
