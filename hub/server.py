"""The application as a server process starts it: settings from the environment, logs set up."""

import os
from pathlib import Path

from litestar.types import ASGIApp

from hub import app, logs, settings


def create() -> ASGIApp:
    """Build the hub on `VOXHUB_DATA_DIR`. `voxhub serve` has migrated its database."""
    chosen = settings.load(Path(os.environ["VOXHUB_DATA_DIR"]))
    logs.configure(chosen.log_format)
    return app.create(chosen)
