"""Signing in: login, logout, whoami."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from registry_client.connection import (
    Credentials,
    connect,
    normal_endpoint,
    read_credentials,
    write_credentials,
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token belongs to."""

    name: str
    fullname: str
    organisations: tuple[str, ...]
    endpoint: str


def login(endpoint: str, token: str) -> Identity:
    """Check the token at the hub and keep both for later processes.

    Raises huggingface_hub's HfHubHTTPError where the hub refuses the token; nothing is
    stored then.
    """
    identity = whoami(endpoint=endpoint, token=token)
    stored = read_credentials()
    write_credentials(Credentials(identity.endpoint, {**stored.tokens, identity.endpoint: token}))
    return identity


def logout(endpoint: str | None = None) -> bool:
    """Forget the token of a hub (default: the one of the last login); False if there was none.

    The token itself stays valid; revoke it at the hub.
    """
    stored = read_credentials()
    address = normal_endpoint(endpoint) if endpoint else stored.endpoint
    tokens = {known: token for known, token in stored.tokens.items() if known != address}
    if tokens == stored.tokens:
        return False
    write_credentials(Credentials(None if address == stored.endpoint else stored.endpoint, tokens))
    return True


def whoami(*, endpoint: str | None = None, token: str | None = None) -> Identity:
    """Ask the hub who the token belongs to."""
    connection = connect(endpoint=endpoint, token=token)
    if connection.token is None:
        raise ValueError(f"not signed in at `{connection.endpoint}`; run: voxhub login {connection.endpoint}")
    answer = cast("dict[str, Any]", connection.api().whoami())
    organisations = tuple(str(each["name"]) for each in answer.get("orgs") or ())
    name = str(answer["name"])
    return Identity(name, str(answer.get("fullname") or name), organisations, connection.endpoint)
