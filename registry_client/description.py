"""From a module and what its owner says about it to a manifest."""

from __future__ import annotations

import importlib.metadata
import math
import platform
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from registry_client import manifest as manifests
from registry_client.architectures.arguments import nearest

if TYPE_CHECKING:
    from torch import nn

RecordType = TypeVar("RecordType", bound=manifests.Record)
Fields = Mapping[str, object]


def describe_model(
    module: nn.Module,
    *,
    version: str | None = None,
    task: manifests.Task | None = None,
    inputs: Sequence[manifests.Input | Fields] | manifests.Input | Fields | None = None,
    outputs: Sequence[manifests.Output | Fields] | manifests.Output | Fields | None = None,
    arguments: dict[str, object] | None = None,
    inference: manifests.Inference | Fields | None = None,
    preprocessing: Sequence[manifests.Step | Fields] = (),
    postprocessing: Sequence[manifests.Step | Fields] = (),
    training: manifests.Training | Fields | None = None,
    needs: manifests.Needs | Fields | None = None,
) -> manifests.Manifest:
    """Return the manifest of a module: its architecture, and the rest as it is given.

    A fetched module hands on what its own manifest says about images and steps, where that still
    fits and nothing else is given; what was measured belongs to the older weights and is not.
    """
    from registry_client.networks import describe

    architecture = describe(module, arguments)
    base = _base(module)
    images = _records(manifests.Input, inputs, "inputs") or _fitting_inputs(base, architecture)
    answers = _records(manifests.Output, outputs, "outputs") or _fitting_outputs(base, architecture)
    taught = _record(manifests.Training, training, "training")
    origin = getattr(module, "origin", "")
    if origin and (taught is None or taught.base is None):
        taught = _record(
            manifests.Training, {**(manifests.to_plain(taught) if taught else {}), "base": origin}, ""
        )
    manifest = manifests.Manifest(
        architecture=architecture,
        version=version,
        task=task or (base.task if base else None) or _task(architecture),
        inputs=images or _default_inputs(architecture),
        outputs=answers,
        inference=_record(manifests.Inference, inference, "inference") or (base.inference if base else None),
        preprocessing=_records(manifests.Step, preprocessing, "preprocessing")
        or (base.preprocessing if base else ()),
        postprocessing=_records(manifests.Step, postprocessing, "postprocessing")
        or (base.postprocessing if base else ()),
        training=taught,
        needs=_record(manifests.Needs, needs, "needs"),
        environment=_environment(),
    )
    _demand_agreement(manifest)
    return manifests.from_plain(manifests.to_plain(manifest))


def _base(module: nn.Module) -> manifests.Manifest | None:
    manifest = getattr(module, "manifest", None)
    return manifest if isinstance(manifest, manifests.Manifest) else None


def _fitting_inputs(
    base: manifests.Manifest | None, architecture: manifests.Architecture
) -> tuple[manifests.Input, ...]:
    size = architecture.arguments.get("input_image_size")
    before = base.architecture.arguments.get("input_image_size") if base else None
    return base.inputs if base and size == before else ()


def _fitting_outputs(
    base: manifests.Manifest | None, architecture: manifests.Architecture
) -> tuple[manifests.Output, ...]:
    """Return the base's classes, as long as no argument of the network has changed."""
    return base.outputs if base and base.architecture.arguments == architecture.arguments else ()


def _record(kind: type[RecordType], fields: RecordType | Fields | None, whole: str) -> RecordType | None:
    if fields is None or isinstance(fields, kind):
        return fields
    return manifests.record_from_plain(kind, _known(kind, cast("Fields", fields), whole), whole)


def _records(kind: type[RecordType], given: Any, whole: str) -> tuple[RecordType, ...]:
    if given is None:
        return ()
    if isinstance(given, (Mapping, kind)):
        given = [given]
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise manifests.ManifestError(f"{whole} must be a dict or a list of dicts, got `{given!r:.80}`")
    found = [
        _record(kind, each, f"{whole}[{place}]") for place, each in enumerate(cast("Sequence[Any]", given))
    ]
    return tuple(each for each in found if each is not None)


def _known(kind: type[manifests.Record], fields: Fields, whole: str) -> dict[str, object]:
    """Refuse near misses of field names; other unknown fields are kept, as everywhere."""
    if not isinstance(fields, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # users give anything
        raise manifests.ManifestError(f"{whole} must be a dict, got `{fields!r:.80}`")
    names = [name for name in kind.__struct_fields__ if name != "extra"]
    for name in fields:
        hint = nearest(name, names)
        if name not in names and hint.startswith("did you mean"):
            raise manifests.ManifestError(f"{whole} has no field `{name}`; {hint}")
    return dict(fields)


def _task(architecture: manifests.Architecture) -> manifests.Task | None:
    match architecture.arguments.get("mode") if architecture.name else None:
        case "segmentation":
            return "segmentation"
        case "classification":
            return "classification"
        case "regression":
            return "regression"
        case "sigmoid":
            return "segmentation" if architecture.name in {"unet", "meshnet"} else "classification"
        case _:
            return None


def _default_inputs(architecture: manifests.Architecture) -> tuple[manifests.Input, ...]:
    """Return one image with the channels of the network, and the sizes that it takes."""
    arguments = architecture.arguments
    sizes = cast("list[int] | None", arguments.get("input_image_size")) if architecture.name else None
    if not sizes:
        return ()
    size = None
    if architecture.name == "vit":
        size = manifests.Size(rule="fixed", value=tuple(sizes[:-1]))
    elif architecture.name == "unet":
        filters = cast("list[int] | None", arguments.get("number_of_filters"))
        levels = len(filters) if filters else cast("int", arguments["number_of_layers"])
        strides = cast("list[int] | None", arguments.get("strides")) or [2] * (levels - 1)
        size = manifests.Size(rule="multiple_of", value=math.prod(strides))
    return (manifests.Input(channels=sizes[-1], size=size),)


def _demand_agreement(manifest: manifests.Manifest) -> None:
    """Refuse channels and classes that the network does not have."""
    arguments = manifest.architecture.arguments if manifest.architecture.name else {}
    size = cast("list[int]", arguments.get("input_image_size") or [])
    channels = sum(image.channels for image in manifest.inputs)
    if size and channels != size[-1]:
        raise manifests.ManifestError(
            f"inputs have {channels} channels together, the network takes {size[-1]}"
        )
    outputs = arguments.get("number_of_outputs")
    classes = sum(len(answer.classes) for answer in manifest.outputs)
    exclusive = arguments.get("mode") in {"segmentation", "classification"}
    if classes and exclusive and classes != outputs:
        raise manifests.ManifestError(
            f"outputs name {classes} classes, the network answers {outputs} (the background is one of them)"
        )


def _environment() -> dict[str, str]:
    """Return the versions of what wrote the weights: the first thing to look at when they differ."""
    found = {"python": platform.python_version()}
    for package in ("voxhub", "torch", "monai", "safetensors"):
        if package in {"voxhub", "safetensors"} or package in sys.modules:
            try:
                found[package] = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                continue
    return found
