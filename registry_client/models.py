"""Models: register a trained module, fetch it elsewhere as the same module.

    register   module ─ describe ─ revision folder (read back once) ─ one commit + tag
    fetch      files in the cache of this hub ─ build without initialising ─ assign mapped tensors

torch is imported when one of the two is called, not before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from registry_client import manifest as manifests
from registry_client.connection import Connection, connect
from registry_client.description import Fields, describe_model
from registry_client.repositories import (
    Registered,
    Version,
    VersionExistsError,
    commit_folder,
    delete,
    demand_free_version,
    is_commit,
    list_models,
    model_card,
    model_manifest,
    pull,
    push,
    split_reference,
    versions,
)

if TYPE_CHECKING:
    from torch import nn

    from registry_client.cards import Card
    from registry_client.pretrained import Pretrained

__all__ = [
    "Registered",
    "Version",
    "VersionExistsError",
    "delete",
    "fetch_pretrained",
    "list_models",
    "model_card",
    "model_manifest",
    "pull",
    "push",
    "register_model",
    "register_pretrained",
    "versions",
]


def register_pretrained(
    model: nn.Module,
    repo_id: str,
    *,
    version: str | None = None,
    task: manifests.Task | None = None,
    inputs: Sequence[manifests.Input | Fields] | manifests.Input | Fields | None = None,
    outputs: Sequence[manifests.Output | Fields] | manifests.Output | Fields | None = None,
    card: Card = None,
    message: str | None = None,
    private: bool = False,
    license: str | None = None,  # noqa: A002  # the word of the card
    arguments: dict[str, object] | None = None,
    inference: manifests.Inference | Fields | None = None,
    preprocessing: Sequence[manifests.Step | Fields] = (),
    postprocessing: Sequence[manifests.Step | Fields] = (),
    training: manifests.Training | Fields | None = None,
    needs: manifests.Needs | Fields | None = None,
    endpoint: str | None = None,
    token: str | None = None,
) -> Registered:
    """Publish a trained module as one revision of a repository: one commit, and a tag.

    model: from `fetch_architecture` or `fetch_pretrained`; or a network of MONAI or torch.nn.
    repo_id: `owner/name`; created (`private` or not) where it is missing.
    version: the tag, as `1.0.0`; None tags nothing.
    task: default from the mode of the architecture.
    inputs, outputs: what `registry_client.manifest.Input` and `Output` describe, as those or as
        dicts: modality, channels, orientation, spacing in mm, size and intensity rules; classes
        with value, name and colour. One or several.
    card: prose, or a dict of fields, or None for a card made from the rest; see
        `registry_client.cards.write_card`.
    license: SPDX identifier of the weights, for the card.
    arguments: constructor arguments, only for a module that carries no recipe.
    inference, preprocessing, postprocessing, training, needs: further parts of the manifest.

    The folder is built and read back before the hub is changed, so what cannot be fetched is
    never registered. Raises VersionExistsError for a version that is taken, ManifestError or
    ArchitectureError where the description does not fit; errors of the hub pass through.

    >>> import registry_client as vox
    >>> unet = vox.fetch_architecture("unet", dim=3)
    >>> model = unet((32, 32, 32, 1), number_of_outputs=2, number_of_filters_at_base_layer=4)
    >>> done = vox.register_pretrained(
    ...     model,
    ...     "lab/brain-mask",
    ...     version="1.0.0",
    ...     inputs={"modality": "MR", "orientation": "RAS", "spacing": [1, 1, 1]},
    ...     outputs={"classes": [{"value": 0, "name": "background"}, {"value": 1, "name": "brain"}]},
    ... )
    >>> done.version
    '1.0.0'
    """
    split_reference(repo_id)
    module = _unwrapped(model)
    connection = connect(endpoint=endpoint, token=token)
    manifest = describe_model(
        module,
        version=version,
        task=task,
        inputs=inputs,
        outputs=outputs,
        arguments=arguments,
        inference=inference,
        preprocessing=preprocessing,
        postprocessing=postprocessing,
        training=training,
        needs=needs,
    )
    exists = demand_free_version(connection, repo_id, version)
    with tempfile.TemporaryDirectory(prefix="voxhub-") as name:
        folder = Path(name)
        pack_model(module, folder, manifest, repo_id, card=card, license=license)
        return commit_folder(
            connection, folder, repo_id, version=version, message=message, private=private, exists=exists
        )


register_model = register_pretrained


def pack_model(
    module: nn.Module,
    folder: Path,
    manifest: manifests.Manifest,
    repo_id: str,
    *,
    card: Card = None,
    license: str | None = None,  # noqa: A002  # the word of the card
) -> None:
    """Write the revision folder of a module and read it back; `push` can publish it later."""
    from registry_client.cards import write_card
    from registry_client.folder import write_folder

    write_folder(folder, module, manifest, write_card(card, manifest, repo_id, license=license))


def fetch_pretrained(
    reference: str,
    *,
    revision: str | None = None,
    device: str = "cpu",
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    endpoint: str | None = None,
    token: str | None = None,
    **overrides: object,
) -> Pretrained:
    """Return the module of `owner/name[@revision]` with its weights, in evaluation mode.

    reference: the newest revision on `main`, or a version, branch or commit id behind `@`.
    device: where the weights go, as `cuda:0`.
    cache_dir: default `$VOXHUB_CACHE` or `~/.cache/voxhub`, a folder per hub.
    local_files_only: use the cache without asking the hub.
    overrides: arguments of the architecture to change, as `number_of_outputs=5` for a new head.
        What no longer fits is initialised anew; a log message and `.new_layers` name it.

    The module carries `.manifest`, `.card`, `.revision` and `.origin`. Only config.json,
    model.safetensors and README.md are downloaded, and nothing in them is executed. Errors of the
    hub (unknown repository, revision, no connection) pass through from huggingface_hub.

    >>> import registry_client as vox
    >>> model = vox.fetch_pretrained("lab/brain-mask@1.0.0")
    >>> model.manifest.outputs[0].classes[1].name
    'brain'
    >>> tuned = vox.fetch_pretrained("lab/brain-mask", number_of_outputs=5)
    >>> tuned.new_layers[0]
    'model.2.0.conv.weight'
    """
    from registry_client.folder import load_folder

    repo_id, chosen = split_reference(reference, revision)
    connection = connect(endpoint=endpoint, token=token, cache_dir=cache_dir)
    folder = _snapshot(connection, repo_id, chosen, local_files_only=local_files_only)
    module = load_folder(folder, device=device, overrides=overrides)
    module.revision = folder.name
    module.origin = f"{repo_id}@{folder.name}"
    return module


def _snapshot(connection: Connection, repo_id: str, revision: str | None, *, local_files_only: bool) -> Path:
    """Return the folder of the revision in the cache; its name is the commit id."""
    from huggingface_hub import snapshot_download, try_to_load_from_cache
    from huggingface_hub.errors import LocalEntryNotFoundError

    from registry_client.folder import CONFIG, FILES, WEIGHTS

    if is_commit(revision):
        # A commit never changes: what is in the cache is right, and asking the hub is needless.
        cached = [
            try_to_load_from_cache(repo_id, name, cache_dir=connection.cache, revision=revision)
            for name in FILES
        ]
        if all(isinstance(path, str) for path in cached):
            return Path(str(cached[0])).parent
    snapshot = snapshot_download(
        repo_id,
        revision=revision,
        cache_dir=connection.cache,
        allow_patterns=list(FILES),
        local_files_only=local_files_only,
        endpoint=connection.endpoint,
        token=connection.hub_token,
        library_name="voxhub",
    )
    folder = Path(snapshot)
    # Without the hub, a folder that holds the card alone passes for the whole revision.
    if local_files_only and not all((folder / name).exists() for name in (CONFIG, WEIGHTS)):
        raise LocalEntryNotFoundError(
            f"`{repo_id}` at {folder.name[:12]} is not whole in the cache `{connection.cache}`; "
            "fetch it once without local_files_only"
        )
    return folder


def _unwrapped(model: nn.Module) -> nn.Module:
    """Return the network inside torch.compile and the parallel wrappers, which rename tensors."""
    from torch import nn

    inner = getattr(model, "_orig_mod", None)
    if not isinstance(inner, nn.Module) and type(model).__name__ in {
        "DataParallel",
        "DistributedDataParallel",
    }:
        inner = getattr(model, "module", None)
    return _unwrapped(inner) if isinstance(inner, nn.Module) else model
