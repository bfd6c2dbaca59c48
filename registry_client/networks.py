"""From a manifest's `architecture` to a module, and from a module to that part of a manifest.

Two forms can be built: a name of our catalogue, and a class of `monai.networks.nets` or
`torch.nn` with plain arguments. Nothing else is imported, called or looked up, whatever a
manifest says: a class must be named directly in one of these two modules, be a network, and be
defined in the library itself. Arguments that make a constructor read files or the web are refused.
"""

from __future__ import annotations

import importlib
import inspect
import re
from typing import TYPE_CHECKING, cast

from registry_client.architectures import fetch_architecture, find_recipe
from registry_client.architectures.arguments import nearest
from registry_client.architectures.catalogue import find_entry
from registry_client.architectures.recipe import plain
from registry_client.manifest import Architecture

if TYPE_CHECKING:
    from torch import nn

# Where classes may be named, and where they must be defined.
ALLOWED = {"monai.networks.nets": "monai.networks.nets", "torch.nn": "torch.nn.modules"}

# Constructors that fetch or unpickle weights do it for arguments with these words in their names.
_READING = re.compile(r"pretrained|weights|(^|_)path$|(^|_)url$|checkpoint|(^|_)file(name)?$")
_LARGEST_NUMBER = 10_000_000

WAYS_TO_GO_ON = (
    "Three ways to go on: (1) build it with vox.fetch_architecture(name)(...), see "
    "vox.list_architectures(); (2) if it is a class of monai.networks.nets or torch.nn, give its "
    "constructor arguments as plain data: register_pretrained(..., arguments={...}); (3) keep the "
    "code and publish the files: save the weights with safetensors into a folder and "
    "vox.push(folder, repo_id, version=...), then load them with your own code."
)

# What constructors raise when they are given nonsense.
BUILD_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)


class ArchitectureError(ValueError):
    """A module cannot be described, or a manifest's architecture cannot be built."""


def build(architecture: Architecture, overrides: dict[str, object]) -> nn.Module:
    """Build the module that a manifest describes; `overrides` replace arguments.

    Raises ArchitectureError for what is not allowed, unknown, or refused by the constructor.
    """
    arguments = {**architecture.arguments, **overrides}
    where = f"architecture `{architecture.name or architecture.class_}`"
    try:
        if architecture.name is not None:
            dim = None if "input_image_size" in overrides else architecture.dim
            _demand_known(architecture.name, architecture.version or 0)
            return fetch_architecture(architecture.name, dim)(**arguments)  # pyright: ignore[reportArgumentType]  # checked by the call itself
        kind = find_class(architecture.class_ or "")
        return kind(**_safe_arguments(kind, arguments))
    except ArchitectureError:
        raise
    except BUILD_ERRORS as error:
        raise ArchitectureError(f"{where} cannot be built: {error}") from error


def _demand_known(name: str, version: int) -> None:
    known = find_entry(name).version
    if version > known:
        raise ArchitectureError(
            f"architecture `{name}` has version {version}, this library knows {known}; "
            "run: pip install -U voxhub"
        )


def find_class(name: str) -> type[nn.Module]:
    """Return an allow-listed class by its dotted name, or refuse."""
    from torch import nn

    module_name, _, class_name = name.rpartition(".")
    if module_name not in ALLOWED:
        raise ArchitectureError(
            f"class `{name}` is not allowed: only classes of {' and '.join(ALLOWED)} are imported"
        )
    module = _import(module_name)
    found = getattr(module, class_name, None) if not class_name.startswith("_") else None
    if not (
        isinstance(found, type)
        and issubclass(found, nn.Module)
        and f"{found.__module__}.".startswith(f"{ALLOWED[module_name]}.")
    ):
        hint = nearest(class_name, _network_names(module)).partition("? Known")[0]
        raise ArchitectureError(f"`{name}` is no network class of the installed version; {hint:.80}?")
    return found


def _network_names(module: object) -> list[str]:
    from torch import nn

    found = cast("dict[str, object]", vars(module))
    return [name for name, kind in found.items() if isinstance(kind, type) and issubclass(kind, nn.Module)]


def _import(module_name: str) -> object:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        extra = module_name.partition(".")[0]
        raise ArchitectureError(
            f"this model needs the package `{error.name}`; run: pip install 'voxhub[{extra}]'"
        ) from error


def describe(module: nn.Module, arguments: dict[str, object] | None) -> Architecture:
    """Return how to build the module again, or refuse with the ways to go on.

    Whoever calls this has to build it and load the weights, to see that it is true.
    """
    recipe = find_recipe(module)
    if recipe is not None:
        if arguments:
            raise ArchitectureError(
                f"this module carries its recipe (`{recipe.name}`), so `arguments` must not be given"
            )
        return Architecture(
            name=recipe.name,
            dim=recipe.dim,
            version=recipe.version,
            arguments=dict(recipe.arguments),
        )
    kind = type(module)
    name = _public_name(kind)
    if name is None:
        raise ArchitectureError(
            f"a `{kind.__module__}.{kind.__qualname__}` cannot be built from data. {WAYS_TO_GO_ON}"
        )
    fetched = getattr(module, "architecture", None)
    if arguments is None and isinstance(fetched, Architecture) and fetched.class_ == name:
        return fetched
    if arguments is None:
        raise ArchitectureError(
            f"a `{name}` does not know its constructor arguments. Give them: "
            f"register_pretrained(..., arguments={{...}}) of {inspect.signature(kind.__init__)}. "
            + WAYS_TO_GO_ON
        )
    try:
        written = cast("dict[str, object]", plain(arguments))
    except TypeError as error:
        raise ArchitectureError(f"`arguments` of `{name}`: {error}. {WAYS_TO_GO_ON}") from error
    _safe_arguments(kind, written)
    return Architecture(class_=name, arguments=written)


def _public_name(kind: type[nn.Module]) -> str | None:
    for public, private in ALLOWED.items():
        if f"{kind.__module__}.".startswith(f"{private}."):
            return f"{public}.{kind.__name__}" if find_class(f"{public}.{kind.__name__}") is kind else None
    return None


def _safe_arguments(kind: type[nn.Module], arguments: dict[str, object]) -> dict[str, object]:
    """Return the arguments with everything off that would fetch or read weights, or refuse."""
    parameters = inspect.signature(kind.__init__).parameters
    accepts_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    for word, value in arguments.items():
        if word not in parameters and not accepts_any:
            raise ArchitectureError(
                f"`{kind.__name__}` has no argument `{word}`; {nearest(word, list(parameters)[1:])}"
            )
        if _reads(word) and value not in (None, False, ""):
            raise ArchitectureError(
                f"argument `{word}` of `{kind.__name__}` reads weights from elsewhere; leave it out, the "
                "weights come from model.safetensors"
            )
        _demand_moderate(word, value)
    silenced = {
        word: False
        for word, parameter in parameters.items()
        if _reads(word) and isinstance(parameter.default, bool) and parameter.default
    }
    return {**arguments, **silenced}


def _reads(word: str) -> bool:
    return _READING.search(word.lower()) is not None


def _demand_moderate(word: str, value: object) -> None:
    """Refuse numbers that only serve to make a constructor loop or allocate for ever."""
    match value:
        case int() | float() if abs(value) > _LARGEST_NUMBER:
            raise ArchitectureError(f"argument `{word}` must be at most {_LARGEST_NUMBER}, got `{value}`")
        case list():
            for item in cast("list[object]", value):
                _demand_moderate(word, item)
        case dict():
            for item in cast("dict[str, object]", value).values():
                _demand_moderate(word, item)
        case _:
            pass
