"""Clients that the tests install for themselves: an old `huggingface_hub`, and `@huggingface/hub`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Installed once, into the environment that runs the tests.
CLIENTS = Path(sys.prefix) / "clients"
OLDEST = "1.0.1"
SCRIPT_CLIENT = "2.17.5"


def oldest_client() -> Path:
    """The folder of the oldest supported release with what it needs, installed at the first use."""
    folder = CLIENTS / f"huggingface_hub-{OLDEST}"
    if not folder.is_dir():
        draft = folder.with_name(f"{folder.name}.{os.getpid()}")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(draft)]
        done = subprocess.run(
            [*command, f"huggingface_hub=={OLDEST}"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"huggingface_hub {OLDEST} cannot be installed here: {done.stderr[-500:]}")
        draft.replace(folder)
    return folder


def script_client() -> Path:
    """The folder whose node_modules holds the JavaScript client, installed at the first use."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed: the JavaScript client cannot be tried")
    folder = CLIENTS / f"huggingface.js-{SCRIPT_CLIENT}"
    if not folder.is_dir():
        draft = folder.with_name(f"{folder.name}.{os.getpid()}")
        draft.mkdir(parents=True)
        (draft / "package.json").write_text('{"private": true}')
        command = ["npm", "install", "--no-audit", "--no-fund", f"@huggingface/hub@{SCRIPT_CLIENT}"]
        done = subprocess.run(command, cwd=draft, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"@huggingface/hub cannot be installed here: {done.stderr[-500:]}")
        draft.replace(folder)
    return folder
