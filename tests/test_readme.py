"""What the README promises, run as it is printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hub_process import ROOT, HubServer

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.slow
@pytest.mark.xdist_group("torch")
def test_the_example_runs_as_printed(hub_server: HubServer, tmp_path: Path) -> None:
    hub_server.run("org", "add", "lab")
    (example,) = blocks("python")
    told = "print(again.revision, again.manifest.task, len(finetune.new_layers), again.training)"
    done = subprocess.run(
        [sys.executable, "-c", f"{example}\n{told}"],
        env={
            **os.environ,
            "VOXHUB_ENDPOINT": hub_server.endpoint,
            "VOXHUB_TOKEN": hub_server.admin_token,
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    revision, task, new_layers, training = done.stdout.split()
    assert re.fullmatch(r"[0-9a-f]{40}", revision)
    assert task == "segmentation"
    assert int(new_layers) > 0
    assert training == "False"


def test_every_command_it_names_exists() -> None:
    known = subprocess.run(
        [sys.executable, "-m", "registry_client.cli", "--help"], capture_output=True, text=True, check=True
    ).stdout
    named = {word for block in blocks("bash") for word in re.findall(r"^voxhub (\w+)", block, re.MULTILINE)}
    assert named >= {"ls", "info", "pull", "serve", "user", "org", "token"}
    for word in named:
        assert re.search(rf"\b{word}\b", known), word
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_file_it_links_to_exists() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
