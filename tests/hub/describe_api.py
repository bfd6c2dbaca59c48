"""Write tests/hub/openapi.json: the API as it is now, sorted, so that a change of it shows in a diff."""

import tempfile
from pathlib import Path

import msgspec

from hub import app, openapi
from hub.settings import Settings

SNAPSHOT = Path(__file__).with_name("openapi.json")


def description() -> bytes:
    """The hub's description of itself."""
    with tempfile.TemporaryDirectory() as folder:
        litestar = app.create_litestar(Settings(data_dir=Path(folder)))
        schema = openapi.described(litestar.openapi_schema.to_schema())
        litestar.state.stores.database.dispose()
    plain = msgspec.json.encode(schema, order="sorted", enc_hook=str)
    return msgspec.json.format(plain, indent=1) + b"\n"


if __name__ == "__main__":
    SNAPSHOT.write_bytes(description())
