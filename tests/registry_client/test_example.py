"""The examples in the documentation of the library, run as they are printed."""

from __future__ import annotations

import doctest
from typing import TYPE_CHECKING

import pytest

import registry_client as vox
from registry_client import architectures

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub_process import HubServer

pytestmark = pytest.mark.xdist_group("torch")


def run(function: Callable[..., object], owner: str = "lab") -> None:
    """Run the example of a function in the namespace `owner` and fail where it prints something else."""
    text = (function.__doc__ or "").replace("lab/", f"{owner}/")
    names = {function.__name__: function}
    example = doctest.DocTestParser().get_doctest(text, names, function.__name__, None, None)
    assert example.examples
    report: list[str] = []
    assert not doctest.DocTestRunner().run(example, out=report.append).failed, "".join(report)


@pytest.mark.parametrize(
    "function", [architectures.list_architectures, architectures.fetch_architecture], ids=["list", "fetch"]
)
def test_examples_of_the_architectures(function: Callable[..., object]) -> None:
    run(function)


def test_examples_of_register_and_fetch(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, token = hub_server.new_user()
    monkeypatch.setenv("VOXHUB_ENDPOINT", hub_server.endpoint)
    monkeypatch.setenv("VOXHUB_TOKEN", token)
    run(vox.register_pretrained, owner)
    run(vox.fetch_pretrained, owner)
