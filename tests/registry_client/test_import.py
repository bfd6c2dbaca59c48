"""Importing: light, and complete."""

from __future__ import annotations

import subprocess
import sys
import time

import registry_client


def test_importing_loads_neither_torch_nor_the_client_of_the_hub() -> None:
    code = "import sys, registry_client; from registry_client import models; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "monai", "huggingface_hub", "hub", "numpy"}.isdisjoint(loaded.stdout.split())


def test_importing_takes_less_than_half_a_second_of_processor_time() -> None:
    # Processor time of the import alone: the wall clock of a busy machine says nothing about us.
    code = "import time; t = time.process_time(); import registry_client; print(time.process_time() - t)"
    started = time.perf_counter()
    spent = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(spent.stdout) < 0.5
    assert time.perf_counter() - started < 30


def test_every_public_name_can_be_had() -> None:
    for name in registry_client.__all__:
        assert getattr(registry_client, name) is not None
    assert registry_client.models.fetch_pretrained is registry_client.fetch_pretrained
    assert registry_client.register_model is registry_client.register_pretrained
