"""The commands of a user of a hub. Each calls the function of the library with the same name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

import registry_client as vox
from registry_client.cli.group import VoxhubGroup

if TYPE_CHECKING:
    from registry_client.manifest import Manifest


@click.group(
    cls=VoxhubGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Which hub: the one of the last login, or VOXHUB_ENDPOINT and VOXHUB_TOKEN where they are set.",
)
@click.version_option(package_name="voxhub", message="voxhub %(version)s")
def main() -> None:
    """Register, fetch and look after medical-imaging models on a Voxhub.

    \b
    voxhub login http://localhost:8000       sign in once
    voxhub ls                                what is there
    voxhub pull lab/t1-tissue@1.0.0          download the files of a version
    voxhub push ./folder lab/mine --version 1.0.0
    """


@main.command()
@click.argument("endpoint", required=False, envvar="VOXHUB_ENDPOINT")
@click.option("--token", envvar="VOXHUB_TOKEN", metavar="hf_...", help="Asked for when it is left out.")
def login(endpoint: str | None, token: str | None) -> None:
    """Check an access token at a hub and keep it for later commands.

    A token that is asked for stays out of the history of the shell.

    \b
    voxhub login http://localhost:8000
    voxhub login https://hub.example.org --token hf_...
    """
    if not endpoint:
        raise click.UsageError("give the address of the hub: voxhub login http://HOST:PORT")
    identity = vox.login(endpoint, token or click.prompt("Access token", hide_input=True))
    click.echo(f"Signed in at {identity.endpoint} as {identity.name}.")


@main.command()
@click.argument("endpoint", required=False)
def logout(endpoint: str | None) -> None:
    """Forget the token of a hub (default: the one of the last login).

    The token stays valid at the hub until it is revoked there.
    """
    click.echo("Signed out." if vox.logout(endpoint) else "There was no login.")


@main.command()
def whoami() -> None:
    """Show who is signed in, and where."""
    identity = vox.whoami()
    click.echo(f"{identity.name} ({identity.fullname}) at {identity.endpoint}")
    if identity.organisations:
        click.echo(f"organisations: {', '.join(identity.organisations)}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("repo_id", metavar="OWNER/NAME")
@click.option("--version", help="Tag of the new revision, as 1.0.0 (default: the one in config.json).")
@click.option("-m", "--message", help="What changed, for the history.")
@click.option("--private", is_flag=True, help="Create a missing repository as private.")
def push(folder: Path, repo_id: str, version: str | None, message: str | None, private: bool) -> None:  # noqa: FBT001  # click's signature
    """Make the files of FOLDER the next revision: one commit and, with a version, one tag.

    \b
    voxhub push ./t1-tissue lab/t1-tissue --version 1.0.0 -m "first release"
    """
    done = vox.push(folder, repo_id, version=version, message=message, private=private)
    click.echo(f"{done.url}  {done.version or 'no version'}  {done.revision}")


@main.command()
@click.argument("reference", metavar="OWNER/NAME[@REVISION]")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def pull(reference: str, folder: Path | None) -> None:
    """Download the files of a repository into FOLDER (default: ./NAME).

    \b
    voxhub pull lab/t1-tissue
    voxhub pull lab/t1-tissue@1.0.0 ./models/tissue
    """
    click.echo(vox.pull(reference, folder))


@main.command()
@click.option("--author", help="Only the models of this user or organisation.")
@click.option("--search", help="Only names with this word.")
@click.option("--task", help="Only this kind, as image-segmentation.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON list, for programs.")
def ls(author: str | None, search: str | None, task: str | None, limit: int, as_json: bool) -> None:  # noqa: FBT001  # click's signature
    """List the models that you may see.

    \b
    voxhub ls --author lab
    voxhub ls --search tissue --json
    """
    models = vox.list_models(author=author, search=search, task=task, limit=limit)
    rows = [
        {
            "id": model.id,
            "task": model.pipeline_tag or "",
            "modified": model.last_modified.strftime("%Y-%m-%d %H:%M") if model.last_modified else "",
            "visibility": "private" if model.private else "public",
        }
        for model in models
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    _table([list(row.values()) for row in rows], empty="No models.")


@main.command()
@click.argument("reference", metavar="OWNER/NAME[@REVISION]")
@click.option("--json", "as_json", is_flag=True, help="The manifest as it is in config.json.")
@click.option("--card", is_flag=True, help="The whole model card, too.")
def info(reference: str, as_json: bool, card: bool) -> None:  # noqa: FBT001  # click's signature
    """Show what a model takes and answers, from its manifest.

    \b
    voxhub info lab/t1-tissue
    voxhub info lab/t1-tissue@1.0.0 --json
    """
    from registry_client.manifest import encode

    manifest = vox.model_manifest(reference)
    if as_json:
        click.echo(encode(manifest).decode().rstrip())
        return
    _table(_facts(reference, manifest), empty="")
    if card:
        click.echo("\n" + vox.model_card(reference).text.strip())


def _facts(reference: str, manifest: Manifest) -> list[list[str]]:
    from registry_client.cards import describe_input, describe_output

    architecture = manifest.architecture
    dim = f" {architecture.dim}D" if architecture.dim else ""
    rows = [
        ["model", reference],
        ["version", manifest.version or "-"],
        ["task", manifest.task or "-"],
        ["architecture", f"{architecture.name or architecture.class_}{dim}"],
    ]
    rows += [[f"input {image.name}", describe_input(image)] for image in manifest.inputs]
    rows += [[f"output {answer.name}", describe_output(answer)] for answer in manifest.outputs]
    if manifest.training:
        rows += [[name, f"{value:g}"] for name, value in manifest.training.metrics.items()]
    return rows


@main.command()
@click.argument("repo_id", metavar="OWNER/NAME")
def versions(repo_id: str) -> None:
    """List the versions of a model, newest first."""
    rows = [
        [
            each.name,
            each.revision[:12],
            each.date.strftime("%Y-%m-%d %H:%M") if each.date else "",
            each.message,
        ]
        for each in vox.versions(repo_id)
    ]
    _table(rows, empty=f"{repo_id} has no versions yet.")


@main.command()
@click.argument("reference", metavar="OWNER/NAME[@VERSION]")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(reference: str, yes: bool) -> None:  # noqa: FBT001  # click's signature
    """Delete a repository with all its versions, or with @VERSION the name of one version.

    \b
    voxhub delete lab/t1-tissue
    voxhub delete lab/t1-tissue@1.0.0 --yes
    """
    what = "this version" if "@" in reference else "this repository with its whole history"
    if not yes:
        typed = click.prompt(f"To delete {what}, type its name", default="", show_default=False)
        if typed != reference:
            raise click.ClickException(f"`{typed}` is not `{reference}`; nothing was deleted")
    vox.delete(reference)
    click.echo(f"Deleted {reference}.")


def _table(rows: list[list[str]], *, empty: str) -> None:
    """Print rows in aligned columns; the last column may be as long as it is."""
    if not rows:
        click.echo(empty, err=True)
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())
