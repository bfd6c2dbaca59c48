"""Real clients in processes of their own: huggingface_hub reads its environment once, at import."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec


class Client(msgspec.Struct, frozen=True):
    """Somebody's machine: a home folder with its caches, an endpoint and a token."""

    endpoint: str
    token: str
    home: Path
    timeout_s: float = 120

    def start(self, script: str, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start a script that finds `api`, an `HfApi`, and `np` ready."""
        prepared = (
            "import hashlib, io, sys\nimport numpy as np\nfrom huggingface_hub import *\napi = HfApi()\n"
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        return subprocess.Popen(
            [sys.executable, "-c", prepared + textwrap.dedent(script), *arguments],
            env={
                **kept,
                "HF_ENDPOINT": self.endpoint,
                "HF_TOKEN": self.token,
                "HF_HOME": str(self.home),
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                "HF_HUB_DISABLE_TELEMETRY": "1",
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, *arguments: str, **environment: str) -> str:
        """Run a script and return what it printed; one that fails raises with its traceback."""
        process = self.start(script, *arguments, **environment)
        out, complaints = process.communicate(timeout=self.timeout_s)
        if process.returncode:
            raise AssertionError(f"the client failed:\n{complaints[-6000:]}")
        return out.strip()


# Weights as they are: not to be compressed to nothing, and the same in every process.
WEIGHTS = """
def weights(seed, count=4_000_000):
    return np.random.default_rng(seed).normal(size=count).astype("f4").tobytes()
"""
