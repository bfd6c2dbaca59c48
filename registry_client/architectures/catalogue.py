"""The catalogue: which architectures there are, and the function that builds each.

An entry names a module of this package by hand and imports it only when it is fetched: a
manifest can pick a name from this table and nothing else.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from registry_client.architectures.arguments import nearest, split_image_size
from registry_client.architectures.recipe import Recipe, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import nn


class Architecture(Protocol):
    """A function that builds one network and writes its recipe on it."""

    def __call__(self, input_image_size: Sequence[int], **arguments: object) -> nn.Module:
        """Build the module for images of `(height, width[, depth], channels)`."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One architecture: where its function is, its dimensions and its version.

    The version rises when the same arguments would build other tensors or another function;
    a recipe with a version that this library does not know is refused.
    """

    dims: tuple[int, ...]
    version: int
    extra: str


CATALOGUE: Mapping[str, Entry] = {
    "densenet": Entry(dims=(2, 3), version=1, extra="monai"),
    "meshnet": Entry(dims=(2, 3), version=1, extra="torch"),
    "resnet": Entry(dims=(2, 3), version=1, extra="monai"),
    "unet": Entry(dims=(2, 3), version=1, extra="monai"),
    "vit": Entry(dims=(2, 3), version=1, extra="monai"),
}


def list_architectures() -> list[str]:
    """Return the names that `fetch_architecture` knows, sorted.

    >>> "meshnet" in list_architectures()
    True
    """
    return sorted(CATALOGUE)


def find_entry(name: str) -> Entry:
    """Return the entry of an architecture, or refuse the name with the nearest right one."""
    if name not in CATALOGUE:
        message = f"architecture `{name}` is unknown; {nearest(name, CATALOGUE)}"
        raise ValueError(message)
    return CATALOGUE[name]


def fetch_architecture(name: str, dim: int | None = None) -> Architecture:
    """Return the function that builds the architecture `name`.

    The function takes `input_image_size` (spatial sizes in voxels, then channels) and the
    keyword arguments that `help()` of it lists, and returns a torch module with a `.recipe`.
    `dim` (2 or 3) binds the function to images of that many dimensions; without it the
    image size decides.

    Raises ValueError for an unknown name, dimension or argument, with the nearest right one,
    and RuntimeError where torch or MONAI is not installed.

    >>> meshnet = fetch_architecture("meshnet", dim=3)
    >>> model = meshnet((64, 64, 64, 1), number_of_outputs=3)
    >>> model.recipe.arguments["number_of_filters"]
    5
    """
    entry = find_entry(name)
    if dim is not None and dim not in entry.dims:
        known = " and ".join(str(known) for known in entry.dims)
        message = f"architecture `{name}` has no dim `{dim}`; it exists in {known} dimensions"
        raise ValueError(message)
    build = _load(name, entry)

    @functools.wraps(build)
    def build_with_recipe(*positional: object, **arguments: object) -> nn.Module:
        bound = _bind(name, build, positional, arguments)
        spatial, _ = split_image_size(cast("Sequence[int]", bound["input_image_size"]))
        if dim is not None and len(spatial) != dim:
            message = (
                f"`{name}` was fetched with dim={dim}, but input_image_size "
                f"`{bound['input_image_size']}` has {len(spatial)} spatial sizes; "
                f"give {dim} of them and then the channels"
            )
            raise ValueError(message)
        module = build(**bound)
        module.recipe = Recipe(name, len(spatial), entry.version, bound)  # pyright: ignore[reportArgumentType]  # a plain attribute, not a parameter
        return module

    return cast("Architecture", build_with_recipe)


def _load(name: str, entry: Entry) -> Callable[..., nn.Module]:
    try:
        module = importlib.import_module(f"registry_client.architectures.{name}")
    except ModuleNotFoundError as error:
        message = (
            f"architecture `{name}` needs the package `{error.name}`, which is not installed; "
            f"run: pip install 'voxhub[{entry.extra}]'"
        )
        raise RuntimeError(message) from error
    return cast("Callable[..., nn.Module]", getattr(module, name))


def _bind(
    name: str,
    build: Callable[..., nn.Module],
    positional: tuple[object, ...],
    arguments: dict[str, object],
) -> dict[str, object]:
    """Return every argument by name, defaults included, as plain data."""
    signature = inspect.signature(build)
    for word in arguments:
        if word not in signature.parameters:
            message = f"`{name}` has no argument `{word}`; {nearest(word, signature.parameters)}"
            raise ValueError(message)
    try:
        bound = signature.bind(*positional, **arguments)
    except TypeError as error:
        message = f"`{name}`: {error}; call it as {name}(input_image_size, number_of_outputs=...)"
        raise ValueError(message) from error
    bound.apply_defaults()
    collected: dict[str, object] = {}
    for word, value in bound.arguments.items():
        try:
            collected[word] = plain(value)
        except TypeError as error:
            message = f"argument `{word}` of `{name}`: {error}"
            raise TypeError(message) from error
    return collected
