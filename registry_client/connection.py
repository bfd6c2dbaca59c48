"""Which hub, with which token, and where its files are kept.

    endpoint   argument > VOXHUB_ENDPOINT > the hub of the last login
    token      argument > VOXHUB_TOKEN    > the token of the login at this endpoint
    cache      argument > $VOXHUB_CACHE/<host_port> > ~/.cache/voxhub/<host_port>

`credentials.json` lies in `$VOXHUB_CONFIG`, or else `$XDG_CONFIG_HOME/voxhub` (~/.config/voxhub),
readable by its owner alone. Tokens of other hubs, such as the one that `hf auth login` stored,
are never sent here.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from huggingface_hub import HfApi


class ConnectionSettingsError(ValueError):
    """No hub is chosen, or its address or the stored credentials cannot be read."""


class Credentials(msgspec.Struct, frozen=True):
    """The content of `credentials.json`: the hub of the last login, and a token per hub."""

    endpoint: str | None = None
    tokens: dict[str, str] = msgspec.field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Connection:
    """One hub as the rest of the library sees it."""

    endpoint: str
    token: str | None
    cache: Path

    @property
    def hub_token(self) -> str | bool:
        """Return the token, or False: None would let the library send one of another hub."""
        return self.token or False

    def api(self) -> HfApi:
        """Return the client of Hugging Face, set to this hub."""
        from huggingface_hub import HfApi

        return HfApi(
            endpoint=self.endpoint,
            token=self.hub_token,
            library_name="voxhub",
        )


def connect(
    *, endpoint: str | None = None, token: str | None = None, cache_dir: str | Path | None = None
) -> Connection:
    """Return the connection that arguments, environment and the last login add up to.

    Raises ConnectionSettingsError where no hub is chosen.
    """
    stored = read_credentials()
    chosen = endpoint or os.environ.get("VOXHUB_ENDPOINT") or stored.endpoint
    if not chosen:
        raise ConnectionSettingsError(
            "no hub is chosen; run `voxhub login http://HOST:PORT`, or set VOXHUB_ENDPOINT"
        )
    address = normal_endpoint(chosen)
    fallback = stored.tokens.get(address)
    # The token of the environment belongs to the hub of the environment, not to another one
    # that a call names.
    if not endpoint or address == normal_endpoint(os.environ.get("VOXHUB_ENDPOINT") or address):
        fallback = os.environ.get("VOXHUB_TOKEN") or fallback
    return Connection(address, token or fallback, _cache_folder(address, cache_dir))


def normal_endpoint(endpoint: str) -> str:
    """Return an address without a trailing slash, or refuse what is no http(s) address."""
    parts = urlsplit(endpoint.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ConnectionSettingsError(
            f"endpoint must be an address such as `http://127.0.0.1:8000`, got `{endpoint}`"
        )
    if parts.username or parts.password:
        raise ConnectionSettingsError("endpoint must hold no name or password; give the token separately")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _cache_folder(endpoint: str, cache_dir: str | Path | None) -> Path:
    if cache_dir is not None:
        return Path(cache_dir).expanduser()
    root = os.environ.get("VOXHUB_CACHE")
    base = Path(root).expanduser() if root else Path.home() / ".cache" / "voxhub"
    parts = urlsplit(endpoint)
    # Two hubs may hold different repositories of one name, so each has its own folder.
    return base / re.sub(r"[^A-Za-z0-9.-]+", "_", parts.netloc + parts.path)


def credentials_path() -> Path:
    """Return where the credentials are kept."""
    if folder := os.environ.get("VOXHUB_CONFIG"):
        return Path(folder).expanduser() / "credentials.json"
    root = os.environ.get("XDG_CONFIG_HOME")
    base = Path(root).expanduser() if root else Path.home() / ".config"
    return base / "voxhub" / "credentials.json"


def read_credentials() -> Credentials:
    """Return what earlier logins stored; empty where there was none."""
    path = credentials_path()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Credentials)
    except FileNotFoundError:
        return Credentials()
    except msgspec.MsgspecError as error:
        raise ConnectionSettingsError(
            f"`{path}` is damaged ({error}); delete it and run `voxhub login`"
        ) from error


def write_credentials(credentials: Credentials) -> Path:
    """Store the credentials at once or not at all, readable by their owner alone."""
    path = credentials_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # mkstemp creates with mode 0600, so that there is no moment in which others can read it
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".credentials-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(credentials), indent=2) + b"\n")
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return path
