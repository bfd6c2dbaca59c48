"""The fixture `hub`: a hub in this process."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_in_process import Hub, fill
from litestar import Litestar
from litestar.testing import TestClient

from hub import app
from hub.asgi import Requests
from hub.call import Stores
from hub.settings import Settings
from hub.tables import Table


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """What the hub of a test is set to; a test module may define its own."""
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def hub(settings: Settings) -> Iterator[Hub]:
    """The hub in this process, over a new database and a new store."""
    litestar: Litestar = app.create_litestar(settings)
    stores: Stores = litestar.state.stores
    Table.metadata.create_all(stores.database.engine)
    with stores.database.writing() as db:
        fill(db)
    with warnings.catch_warnings():
        # Ours is raised where it happens; anyio's own are about the portal of the test client.
        warnings.simplefilter("default", ResourceWarning)
        with TestClient(Requests(litestar), base_url="http://testserver.local") as client:
            yield Hub(client, stores)
