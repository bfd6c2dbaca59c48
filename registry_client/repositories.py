"""Repositories as a whole: list, describe, push and pull folders, versions, delete.

Everything goes through `huggingface_hub`, and its errors (unknown repository, no right to write,
hub not reachable) pass through unchanged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from registry_client import manifest as manifests
from registry_client.connection import Connection, connect

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, ModelCard, ModelInfo

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_COMMIT = re.compile(r"[0-9a-f]{40}")

# Made from the weights of one revision, so they are wrong beside the weights of the next.
_DERIVED = ("model.onnx", "export.json")


class VersionExistsError(ValueError):
    """The version is taken; versions are never moved."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One registered revision: where it is seen, its commit id and its version."""

    repo_id: str
    url: str
    revision: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a repository: its name and the commit that it stands for."""

    name: str
    revision: str
    date: datetime | None
    message: str


def split_reference(reference: str, revision: str | None = None) -> tuple[str, str | None]:
    """Return (repository, revision) of `owner/name[@revision]`; None is the newest on `main`."""
    repo_id, mark, named = reference.partition("@")
    if mark and not named:
        raise ValueError(f"`{reference}` names no revision behind the `@`")
    if named and revision and named != revision:
        raise ValueError(f"two revisions: `{named}` in `{reference}` and revision=`{revision}`; give one")
    if repo_id.count("/") != 1 or not all(repo_id.split("/")):
        raise ValueError(f"a repository is written `owner/name`, got `{repo_id}`")
    return repo_id, named or revision


def is_commit(revision: str | None) -> bool:
    """Return whether a revision is a whole commit id, which can never mean another commit."""
    return revision is not None and _COMMIT.fullmatch(revision) is not None


def demand_free_version(connection: Connection, repo_id: str, version: str | None) -> bool:
    """Return whether the repository exists; refuse a version that it has, or that is no name."""
    from huggingface_hub.errors import RepositoryNotFoundError

    if version is not None and (not _VERSION.fullmatch(version) or is_commit(version)):
        raise ValueError(f"version must be 1 to 64 letters, digits or `._+-`, as `1.0.0`, got `{version}`")
    try:
        refs = connection.api().list_repo_refs(repo_id)
    except RepositoryNotFoundError:
        return False
    for tag in refs.tags:
        if tag.name == version:
            raise VersionExistsError(
                f"`{repo_id}` has version `{version}` already (commit {tag.target_commit[:12]}), and "
                "versions are never moved: choose the next number, or first remove it with "
                f'delete("{repo_id}@{version}")'
            )
    return True


def commit_folder(
    connection: Connection,
    folder: Path,
    repo_id: str,
    *,
    version: str | None,
    message: str | None,
    private: bool,
    exists: bool,
) -> Registered:
    """Make the files of a folder the next revision, as one commit, and tag it."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import HfHubHTTPError

    api = connection.api()
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder))
    if not files:
        raise ValueError(f"`{folder}` holds no files, so there is nothing to push")
    names = [path.relative_to(folder).as_posix() for path in files]
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationAdd(name, path) for name, path in zip(names, files, strict=True)
    ]
    if exists:
        stale = {*_DERIVED} - {*names} if "model.safetensors" in names else set[str]()
        operations += (
            [CommitOperationDelete(entry.path) for entry in api.get_paths_info(repo_id, sorted(stale))]
            if stale
            else []
        )
    else:
        api.create_repo(repo_id, private=private, exist_ok=True)
    summary = message or (f"Release {version}" if version else f"Push {folder.name}")
    commit: CommitInfo = api.create_commit(repo_id, operations, commit_message=summary)
    if version is not None:
        try:
            api.create_tag(repo_id, tag=version, revision=commit.oid)
        except HfHubHTTPError as error:
            error.add_note(f"the files are committed as {commit.oid}, but without the version `{version}`")
            raise
    return Registered(repo_id, f"{connection.endpoint}/{repo_id}", commit.oid, version)


def _hidden(path: Path, folder: Path) -> bool:
    """Return whether a file is the business of a tool, such as .git and .cache, not of the model."""
    parts = path.relative_to(folder).parts
    return any(part in {".git", ".cache", "__pycache__", ".DS_Store"} for part in parts)


def push(
    folder: str | Path,
    repo_id: str,
    *,
    version: str | None = None,
    message: str | None = None,
    private: bool = False,
    endpoint: str | None = None,
    token: str | None = None,
) -> Registered:
    """Make the files of a folder the next revision of a repository, as one commit and a tag.

    Files that the repository has and the folder lacks stay, except what was made from older
    weights (`model.onnx`, `export.json`). A missing repository is created. A `config.json`
    that is a manifest is checked first, and its `version` is the default for `version`.
    Needs no torch.

    Raises VersionExistsError, before anything is written, for a version that is taken.
    """
    source = Path(folder)
    if not source.is_dir():
        raise NotADirectoryError(f"`{folder}` is no folder; give the folder with the files to push")
    split_reference(repo_id)
    manifest = find_manifest(source / "config.json")
    stated = manifest.version if manifest else None
    if version and stated and version != stated:
        raise ValueError(f"version `{version}` differs from `{stated}` in config.json; make them equal")
    connection = connect(endpoint=endpoint, token=token)
    chosen = version or stated
    exists = demand_free_version(connection, repo_id, chosen)
    return commit_folder(
        connection, source, repo_id, version=chosen, message=message, private=private, exists=exists
    )


def find_manifest(path: Path) -> manifests.Manifest | None:
    """Return the manifest in a file; None where there is no file, or another kind of config.json."""
    try:
        return manifests.decode(path.read_bytes())
    except (FileNotFoundError, manifests.NotAManifestError):
        return None


def pull(
    reference: str,
    folder: str | Path | None = None,
    *,
    endpoint: str | None = None,
    token: str | None = None,
) -> Path:
    """Download the files of `owner/name[@revision]` into a folder (default: `./<name>`)."""
    from huggingface_hub import snapshot_download

    repo_id, revision = split_reference(reference)
    connection = connect(endpoint=endpoint, token=token)
    target = Path(folder) if folder is not None else Path(repo_id.partition("/")[2])
    snapshot_download(
        repo_id,
        revision=revision,
        local_dir=target,
        endpoint=connection.endpoint,
        token=connection.hub_token,
    )
    return target


def list_models(
    *,
    author: str | None = None,
    search: str | None = None,
    task: str | None = None,
    limit: int | None = None,
    endpoint: str | None = None,
    token: str | None = None,
) -> list[ModelInfo]:
    """Return the models that the token may see: `.id`, `.tags`, `.last_modified`, ...

    task: the pipeline tag, as `image-segmentation`.
    """
    api = connect(endpoint=endpoint, token=token).api()
    return list(api.list_models(author=author, search=search, pipeline_tag=task, limit=limit))


def model_card(reference: str, *, endpoint: str | None = None, token: str | None = None) -> ModelCard:
    """Return the card of `owner/name[@revision]`: `.data` (metadata), `.text` (prose)."""
    from huggingface_hub import ModelCard

    path = _download(reference, "README.md", endpoint=endpoint, token=token)
    return ModelCard(path.read_text(encoding="utf-8"), ignore_metadata_errors=True)


def model_manifest(
    reference: str, *, endpoint: str | None = None, token: str | None = None
) -> manifests.Manifest:
    """Return the manifest of `owner/name[@revision]`, without its weights."""
    return manifests.decode(_download(reference, "config.json", endpoint=endpoint, token=token).read_bytes())


def _download(reference: str, name: str, *, endpoint: str | None, token: str | None) -> Path:
    from huggingface_hub import hf_hub_download

    repo_id, revision = split_reference(reference)
    connection = connect(endpoint=endpoint, token=token)
    path = hf_hub_download(
        repo_id,
        name,
        revision=revision,
        cache_dir=connection.cache,
        endpoint=connection.endpoint,
        token=connection.hub_token,
    )
    return Path(path)


def versions(repo_id: str, *, endpoint: str | None = None, token: str | None = None) -> list[Version]:
    """Return the versions of a repository, newest first; tags on other branches come last."""
    split_reference(repo_id)
    api = connect(endpoint=endpoint, token=token).api()
    tags = api.list_repo_refs(repo_id).tags
    commits = {each.commit_id: (place, each) for place, each in enumerate(api.list_repo_commits(repo_id))}
    found: list[tuple[int, Version]] = []
    for tag in tags:
        place, commit = commits.get(tag.target_commit, (len(commits), None))
        date, title = (commit.created_at, commit.title) if commit else (None, "")
        found.append((place, Version(tag.name, tag.target_commit, date, title)))
    return [version for _, version in sorted(found, key=lambda pair: pair[0])]


def delete(reference: str, *, endpoint: str | None = None, token: str | None = None) -> None:
    """Delete a repository, or with `owner/name@version` the name of one version.

    Deleting a version removes its tag; the commit stays in the history.
    """
    repo_id, version = split_reference(reference)
    api = connect(endpoint=endpoint, token=token).api()
    if version is None:
        api.delete_repo(repo_id)
    elif is_commit(version):
        raise ValueError(f"`{version}` is a commit, and history is not rewritten; name a version to remove")
    else:
        api.delete_tag(repo_id, tag=version)
