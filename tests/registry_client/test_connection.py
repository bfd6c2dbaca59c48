"""Which hub, which token, which cache: and that secrets stay with their owner and their hub."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from registry_client import accounts
from registry_client.connection import (
    ConnectionSettingsError,
    Credentials,
    connect,
    credentials_path,
    read_credentials,
    write_credentials,
)

ONE, TWO = "http://localhost:8000", "https://hub.example.org/vox"


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VOXHUB_ENDPOINT", "VOXHUB_TOKEN", "VOXHUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VOXHUB_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))


def test_without_a_hub_the_message_says_how_to_choose_one() -> None:
    with pytest.raises(ConnectionSettingsError, match="voxhub login"):
        connect()


def test_the_environment_wins_over_the_last_login(monkeypatch: pytest.MonkeyPatch) -> None:
    write_credentials(Credentials(ONE, {ONE: "hf_one", TWO: "hf_two"}))
    assert (connect().endpoint, connect().token) == (ONE, "hf_one")
    monkeypatch.setenv("VOXHUB_ENDPOINT", TWO + "/")
    assert (connect().endpoint, connect().token) == (TWO, "hf_two")
    monkeypatch.setenv("VOXHUB_TOKEN", "hf_environment")
    assert connect().token == "hf_environment"


def test_a_token_is_never_sent_to_another_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    write_credentials(Credentials(ONE, {ONE: "hf_one"}))
    monkeypatch.setenv("HF_TOKEN", "hf_of_hugging_face")
    assert connect(endpoint=TWO).hub_token is False
    monkeypatch.setenv("VOXHUB_ENDPOINT", ONE)
    monkeypatch.setenv("VOXHUB_TOKEN", "hf_environment")
    assert connect(endpoint=TWO).token is None
    assert connect(endpoint=ONE).token == "hf_environment"


def test_each_hub_has_its_own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connect(endpoint=ONE).cache == tmp_path / ".cache" / "voxhub" / "localhost_8000"
    monkeypatch.setenv("VOXHUB_CACHE", str(tmp_path / "cache"))
    assert connect(endpoint=ONE).cache != connect(endpoint=TWO).cache
    assert connect(endpoint=TWO).cache.parent == tmp_path / "cache"
    assert connect(endpoint=TWO, cache_dir=tmp_path).cache == tmp_path


def test_credentials_are_readable_by_their_owner_alone() -> None:
    path = write_credentials(Credentials(ONE, {ONE: "hf_one"}))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["credentials.json"]


def test_damaged_credentials_are_named() -> None:
    write_credentials(Credentials())
    credentials_path().write_text("{")
    with pytest.raises(ConnectionSettingsError, match=r"credentials.json` is damaged"):
        connect()


def test_logout_forgets_one_hub_only() -> None:
    write_credentials(Credentials(ONE, {ONE: "hf_one", TWO: "hf_two"}))
    assert accounts.logout()
    assert read_credentials() == Credentials(None, {TWO: "hf_two"})
    assert not accounts.logout()
    assert accounts.logout(TWO)


@pytest.mark.parametrize(
    "endpoint", ["localhost:8000", "ftp://host", "http://", "http://name:secret@host", "http://host?x=1"]
)
def test_what_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(ConnectionSettingsError, match="endpoint must"):
        connect(endpoint=endpoint)
