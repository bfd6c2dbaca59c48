"""What an operator may set, read once at start from `VOXHUB_*` environment variables.

Everything of the embedded default lies under `data_dir`:

    data_dir/
      voxhub.sqlite3   the database
      blobs/           file contents, xorbs (hub.blobs)
      staging/         bodies on their way in; emptied of old ones at start
      secret           the key that signs URLs and Xet tokens, mode 0600
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

MIB = 1024 * 1024
GIB = 1024 * MIB


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes are bytes, times are seconds."""

    data_dir: Path
    database_url: str = ""
    # None: the scheme and host of each request, which is what a client on another machine used.
    public_url: str | None = None
    sign_up: bool = False
    max_file_size: int = 500 * GIB
    max_commit_size: int = 1 * GIB
    max_commit_operations: int = 100_000
    # Git LFS objects above this are sent in parts, each of which can be tried again alone.
    multipart_size: int = 5 * GIB
    part_size: int = 512 * MIB
    # An upload that was begun may go on this long; what it left in staging is swept afterwards.
    staging_age_s: int = 24 * 3600
    xet_token_age_s: int = 3600
    log_format: Literal["console", "json"] = "console"

    @property
    def database(self) -> str:
        """The SQLAlchemy URL: the one that was set, else SQLite under `data_dir`."""
        return self.database_url or f"sqlite:///{self.data_dir / 'voxhub.sqlite3'}"

    def prepare(self) -> bytes:
        """Make the folders and return the signing key, which the first start draws."""
        for folder in (self.data_dir, self.data_dir / "blobs", self.data_dir / "staging"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.data_dir / "secret"
        draft = path.with_name(f"secret.{secrets.token_hex(8)}")
        if not path.exists():
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(32))
                file.flush()
                os.fsync(file.fileno())
            # link, not rename: of several processes that start at once, one wins and all read its key.
            try:
                path.hardlink_to(draft)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_bytes()


def load(data_dir: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read `VOXHUB_<FIELD>` for every field but `data_dir`; a value that does not parse is refused."""
    given: dict[str, object] = {
        field: value
        for field in Settings.__struct_fields__
        if field != "data_dir" and (value := environment.get(f"VOXHUB_{field.upper()}")) is not None
    }
    try:
        return msgspec.convert({**given, "data_dir": data_dir.resolve()}, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SystemExit(f"A VOXHUB_ environment variable cannot be read: {error}") from None
