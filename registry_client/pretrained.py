"""What a fetched module carries beside its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from torch import nn

if TYPE_CHECKING:
    from registry_client.manifest import Architecture, Manifest


class Pretrained(nn.Module):
    """How type checkers see a fetched module; its class is that of its architecture.

    manifest: the content of config.json.
    card: the text of README.md, metadata included.
    revision: the commit id that it was fetched at; empty for a local folder.
    origin: `owner/name@commit`; empty for a local folder.
    architecture: how to build it again, overrides included.
    new_layers: names of the tensors that overrides left without pretrained values.
    """

    manifest: Manifest
    architecture: Architecture
    card: str
    revision: str
    origin: str
    new_layers: tuple[str, ...]


def dress(
    module: nn.Module,
    *,
    manifest: Manifest,
    architecture: Architecture,
    card: str,
    new_layers: tuple[str, ...],
) -> Pretrained:
    """Put the facts of a revision folder on the module, as plain attributes."""
    pretrained = cast("Pretrained", module)
    pretrained.manifest = manifest
    pretrained.architecture = architecture
    pretrained.card = card
    pretrained.new_layers = new_layers
    pretrained.revision = ""
    pretrained.origin = ""
    return pretrained
