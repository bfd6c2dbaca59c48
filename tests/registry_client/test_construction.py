"""Construction: parameters unwritten, buffers right, memory bounded by the weights."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.xdist_group("torch")


def test_parameters_are_not_initialised() -> None:
    import torch

    from registry_client.construction import Construction

    before = torch.random.get_rng_state()
    with Construction(math.inf, initialise=False):
        torch.nn.Sequential(torch.nn.Conv3d(4, 4, 3), torch.nn.Linear(8, 8), torch.nn.Embedding(4, 4))
    # Initialising draws random numbers; an untouched generator shows that none were drawn.
    assert torch.equal(before, torch.random.get_rng_state())


def test_parameters_are_initialised_where_that_is_asked_for() -> None:
    import torch

    from registry_client.construction import Construction

    torch.manual_seed(7)
    with Construction(math.inf, initialise=True):
        built = torch.nn.Linear(8, 8)
    torch.manual_seed(7)
    assert torch.equal(built.weight, torch.nn.Linear(8, 8).weight)


def test_buffers_are_computed_even_those_that_no_file_holds() -> None:
    import torch

    from registry_client.construction import Construction

    class Wave(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("wave", torch.zeros(5).fill_(2.0), persistent=False)
            self.norm = torch.nn.BatchNorm1d(3)

    with Construction(math.inf, initialise=False):
        built = Wave()
    assert torch.equal(built.get_buffer("wave"), torch.full((5,), 2.0))
    assert torch.equal(built.get_buffer("norm.running_var"), torch.ones(3))


def absurd_linear() -> object:
    import torch

    return torch.nn.Linear(10**6, 10**6)


def many_small_layers() -> object:
    import torch

    return [torch.nn.Linear(1000, 1000) for _ in range(10**6)]


def absurd_buffer() -> object:
    import torch

    return torch.nn.BatchNorm1d(10**9)


def absurd_product_of_small_tensors() -> object:
    import torch

    positions = torch.arange(10**6)
    return positions[:, None] - positions[None, :]


def absurd_repeat() -> object:
    import torch

    return torch.zeros(1000).repeat(10**4, 10**4)


@pytest.mark.parametrize(
    "build",
    [absurd_linear, many_small_layers, absurd_buffer, absurd_product_of_small_tensors, absurd_repeat],
)
def test_absurd_sizes_are_refused_before_they_are_allocated(build: Callable[[], object]) -> None:
    from registry_client.construction import AllocationError, Construction

    with (
        Construction(64 << 20, initialise=False),
        pytest.raises(AllocationError, match="justify at most 64 MiB"),
    ):
        build()
