"""Weights: from a module to `model.safetensors`, and from the mapped file into a module.

Tied weights are written once. When they are read, every name that shared one parameter in the
freshly built module shares one again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import safetensors
import torch
from safetensors import torch as safetensors_torch
from torch import Tensor, nn

# Beyond the weights: buffers that are in no file, and room for small networks.
SLACK = 64 << 20
# A float16 or int8 file is built as float32 first; tied weights are built before they are tied.
_GROWTH = 8


class WeightsError(ValueError):
    """The weights and the module that the manifest describes do not fit each other."""


def save(module: nn.Module, path: Path) -> None:
    """Write every parameter and persistent buffer; tied ones once, under their first name.

    Raises WeightsError for tensors that a file cannot hold, such as ones on the meta device.
    """
    for name, tensor in cast("Iterable[tuple[str, object]]", module.state_dict().items()):
        if not isinstance(tensor, Tensor):
            raise WeightsError(f"`{name}` is no tensor but `{type(tensor).__name__}`; remove its extra state")
        if tensor.is_meta:
            raise WeightsError(f"`{name}` is on the meta device and has no values; load the weights first")
    # Buffers may hold infinities on purpose: attention masks do.
    for name, parameter in module.named_parameters():
        if parameter.is_floating_point() and not bool(torch.isfinite(parameter).all()):
            raise WeightsError(f"`{name}` has NaN or infinite values; did the training diverge?")
    safetensors_torch.save_model(module, str(path), metadata={"format": "pt"})


def budget(path: Path) -> float:
    """Return how many bytes a constructor may allocate for these weights."""
    return _GROWTH * path.stat().st_size + SLACK


def read(path: Path, device: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return (tensors mapped from the file, its text metadata); safetensors checks the header."""
    try:
        with cast("Any", safetensors.safe_open)(path, framework="pt", device=device) as file:
            metadata = cast("Mapping[str, str] | None", file.metadata())
            names = cast("list[str]", file.keys())
            return {name: cast("Tensor", file.get_tensor(name)) for name in names}, dict(metadata or {})
    except safetensors.SafetensorError as error:
        raise WeightsError(f"`{path.name}` is damaged: {error}") from error


def assign(module: nn.Module, tensors: dict[str, Tensor], names: Mapping[str, str]) -> None:
    """Put the tensors in the place of all parameters and buffers of the module, without copying.

    names: for a tied name that the file leaves out, the name that it was written under.
    Raises WeightsError, naming tensors, unless all fit and none is left over.
    """
    expected = cast("dict[str, Tensor]", module.state_dict(keep_vars=True))
    tied = _tied(module)
    complete = dict(tensors)
    for name in expected:
        if name not in complete:
            twins = [twin for twin in (*tied.get(name, ()), names.get(name, "")) if twin in tensors]
            if twins:
                complete[name] = tensors[twins[0]]
    _demand_fit(expected, complete)
    module.load_state_dict(complete, strict=True, assign=True)
    _tie(module, tied)


def assign_matching(module: nn.Module, tensors: dict[str, Tensor], names: Mapping[str, str]) -> list[str]:
    """Put in the tensors that fit by name and shape, and return the names of the others.

    The module must have been initialised: what is in no file keeps its initial values.
    """
    expected = cast("dict[str, Tensor]", module.state_dict(keep_vars=True))
    tied = _tied(module)
    fitting: dict[str, Tensor] = {}
    fresh: list[str] = []
    for name, target in expected.items():
        twins = [twin for twin in (name, *tied.get(name, ()), names.get(name, "")) if twin in tensors]
        if twins and tensors[twins[0]].shape == target.shape:
            fitting[name] = tensors[twins[0]]
        else:
            fresh.append(name)
    module.load_state_dict(fitting, strict=False, assign=True)
    _tie(module, tied)
    return fresh


def _demand_fit(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    missing = [name for name in expected if name not in given]
    surplus = [name for name in given if name not in expected]
    wrong = [
        f"{name} {tuple(given[name].shape)} instead of {tuple(target.shape)}"
        for name, target in expected.items()
        if name in given and given[name].shape != target.shape
    ]
    wrong += [
        f"{name} {given[name].dtype} instead of {target.dtype}"
        for name, target in expected.items()
        if name in given and given[name].is_floating_point() != target.is_floating_point()
    ]
    found = [
        f"{len(names)} {what}: {', '.join(names[:5])}"
        for what, names in (("missing", missing), ("unexpected", surplus), ("of another kind", wrong))
        if names
    ]
    if found:
        raise WeightsError(f"model.safetensors does not fit the architecture: {'; '.join(found)}")


def _tied(module: nn.Module) -> dict[str, list[str]]:
    """Return, for every name of a parameter with several names, all of them."""
    groups: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        groups.setdefault(id(parameter), []).append(name)
    return {name: group for group in groups.values() if len(group) > 1 for name in group}


def _tie(module: nn.Module, tied: Mapping[str, list[str]]) -> None:
    """Make the names of each group one parameter object again: assigning gave each its own."""
    for name, group in tied.items():
        if name != group[0]:
            owner, _, attribute = name.rpartition(".")
            setattr(module.get_submodule(owner), attribute, module.get_parameter(group[0]))
