"""The recipe: what has to be known to build a module again, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Recipe:
    """A name from the catalogue and the arguments that were given to it.

    Independent of any library: the arguments are plain JSON data in the words of the
    catalogue, so that the same recipe still builds when the wrapped library renames its own.
    Defaults are written out, so that a later default changes nothing that was registered.
    """

    name: str
    dim: int
    version: int
    arguments: dict[str, object]


def plain(value: object) -> object:
    """Return `value` as JSON data: tuples become lists.

    Raises TypeError for anything that JSON cannot hold, such as a class or a tensor.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [plain(item) for item in cast("list[object]", value)]
        case dict():
            pairs = cast("dict[object, object]", value)
            return {_key(key): plain(item) for key, item in pairs.items()}
        case _:
            raise TypeError(f"expected plain data (numbers, strings, booleans, lists), got `{value!r:.80}`")


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    raise TypeError(f"expected names that are strings, got `{key!r:.80}`")


def find_recipe(module: nn.Module) -> Recipe | None:
    """Return the recipe that `fetch_architecture` left on the module, or None."""
    recipe = getattr(module, "recipe", None)
    return recipe if isinstance(recipe, Recipe) else None
