"""The command `voxhub`."""

from __future__ import annotations

from registry_client.cli.commands import main

__all__ = ["main"]
