"""`python -m registry_client.cli` is the command `voxhub` of this very interpreter."""

from __future__ import annotations

from registry_client.cli.commands import main

main(prog_name="voxhub")
