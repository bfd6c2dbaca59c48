"""The folder of one revision: `config.json`, `model.safetensors`, `README.md`.

What is registered is written here first and committed as it is; what is fetched is read from
here. Nothing in it is executed.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from registry_client import manifest as manifests
from registry_client.architectures.recipe import plain
from registry_client.networks import ArchitectureError, build

if TYPE_CHECKING:
    from torch import nn

    from registry_client.pretrained import Pretrained

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"
FILES = (CONFIG, WEIGHTS, CARD)

logger = logging.getLogger("registry_client")


def write_folder(folder: Path, module: nn.Module, manifest: manifests.Manifest, card: str) -> None:
    """Write the three files of a revision, and read them back to see that they build the module.

    Raises ArchitectureError where the manifest builds another network than `module`.
    """
    from registry_client import weights

    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_bytes(manifests.encode(manifest))
    (folder / CARD).write_text(card, encoding="utf-8")
    weights.save(module, folder / WEIGHTS)
    try:
        rebuilt = load_folder(folder)
    except weights.WeightsError as error:
        raise ArchitectureError(
            f"the module is not what its {'recipe' if manifest.architecture.name else 'arguments'} "
            f"gave: {error}; was a layer replaced after it was built?"
        ) from error
    if repr(rebuilt) != repr(module):
        line = next(
            f"`{built.strip()}` instead of `{given.strip()}`"
            for built, given in zip(
                [*repr(rebuilt).splitlines(), ""], [*repr(module).splitlines(), ""], strict=False
            )
            if built != given
        )
        raise ArchitectureError(f"the module is not what its arguments build: they give {line}")


def load_folder(
    folder: Path, *, device: str = "cpu", overrides: dict[str, object] | None = None
) -> Pretrained:
    """Build the module of a revision folder, with its weights, in evaluation mode.

    overrides: architecture arguments to replace, as `number_of_outputs=5`. Tensors that no longer
        fit are initialised anew; `.new_layers` names them.
    Raises ManifestError, ArchitectureError or WeightsError, before anything large is allocated.
    """
    from registry_client import weights
    from registry_client.construction import Construction
    from registry_client.pretrained import dress

    manifest = manifests.decode(_read(folder / CONFIG))
    path = folder / WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(
            f"`{folder}` has no {WEIGHTS}, so there is nothing to load; was it registered?"
        )
    # A user's own arguments may ask for any size, those of a stranger's manifest may not.
    with Construction(weights.budget(path), initialise=False):
        module = build(manifest.architecture, {})
    if overrides:
        with Construction(math.inf, initialise=True):
            module = build(manifest.architecture, overrides)
    tensors, names = weights.read(path, device)
    new_layers: list[str] = []
    if overrides:
        new_layers = weights.assign_matching(module, tensors, names)
        if len(new_layers) == len(module.state_dict()):
            raise weights.WeightsError(f"with {overrides} no layer of the pretrained model is left to load")
        if new_layers:
            logger.warning("new layers, initialised and not trained: %s", ", ".join(new_layers))
    else:
        weights.assign(module, tensors, names)
    module.to(device)
    module.eval()
    card = folder / CARD
    return dress(
        module,
        manifest=manifest,
        architecture=_with(manifest.architecture, overrides or {}),
        card=card.read_text(encoding="utf-8", errors="replace") if card.is_file() else "",
        new_layers=tuple(new_layers),
    )


def _with(architecture: manifests.Architecture, overrides: dict[str, object]) -> manifests.Architecture:
    arguments = {**architecture.arguments, **overrides}
    return msgspec.structs.replace(architecture, arguments=cast("dict[str, object]", plain(arguments)))


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(
            f"`{path.parent}` has no {path.name}, so it holds no registered model, or was not fetched "
            "whole; see its files with `voxhub pull`"
        )
    with path.open("rb") as file:
        return file.read(manifests.LARGEST_SIZE + 1)
