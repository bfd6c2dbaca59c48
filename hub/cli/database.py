"""`voxhub database` and `voxhub export`: the schema, and histories as real git repositories."""

from pathlib import Path
from typing import Literal

import click

from hub import migrations, settings
from hub.auth.service import Actor
from hub.blobs import LocalBlobs
from hub.cli.opening import command_on, data_dir_option, opened, plain_words
from hub.commits.export import export as write_git
from hub.db import Database
from hub.errors import BadRequest
from hub.repos import service as repos

# Whoever may read the data folder may read every repository in it.
OPERATOR = Actor(0, "operator", admin=True, token_id=0, token_role="read")  # noqa: S106 - a role


@click.group()
def database() -> None:
    """The version of the database's tables.

    \b
    voxhub database current --data-dir hub-data
    voxhub database upgrade --data-dir hub-data
    """


@database.command()
@data_dir_option
def upgrade(data_dir: Path) -> None:
    """Bring the database to the version that this hub needs.

    Stop the hub and make a backup first. It happens in one transaction: a failure changes nothing.
    """
    with plain_words(data_dir):
        found = _open(data_dir)
        try:
            before, after = migrations.upgrade(found)
        finally:
            found.dispose()
    click.echo(
        f"The database is at version {after}"
        + (f" (it was {before or 'empty'})." if before != after else ".")
    )


@database.command()
@data_dir_option
def current(data_dir: Path) -> None:
    """Say which version the database is at, and which one this hub needs."""
    with plain_words(data_dir):
        found = _open(data_dir)
        try:
            with found.reading() as db:
                version, state = migrations.version(db), migrations.state(db)
        finally:
            found.dispose()
    click.echo(f"database {version or 'none'}, hub {migrations.newest()}: {state}")
    if state == "older":
        click.echo(f"Upgrade with: {command_on(data_dir, 'database upgrade')}", err=True)


@click.command()
@click.argument("repo", metavar="REPO")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(["model", "dataset"]), default="model", show_default=True)
@data_dir_option
def export(repo: str, folder: Path, kind: Literal["model", "dataset"], data_dir: Path) -> None:
    """Write the history of REPO (namespace/name) to FOLDER as a bare git repository.

    Its commits have the very ids that the hub shows. Large files stay Git LFS pointers.

    \b
    voxhub export lab/t1-tissue t1-tissue.git --data-dir hub-data
    git -C t1-tissue.git fsck
    """
    with opened(data_dir) as (chosen, found), found.reading() as db:
        namespace, slash, name = repo.partition("/")
        if not slash:
            raise BadRequest(f"`{repo}` names no repository: write NAMESPACE/NAME, as in `lab/t1-tissue`.")
        record = repos.get(db, OPERATOR, kind, namespace, name)
        count = write_git(db, LocalBlobs(chosen.data_dir / "blobs"), record, folder)
    click.echo(f"Exported {record.path} to {folder}: {count} git objects.", err=True)


def _open(data_dir: Path) -> Database:
    chosen = settings.load(data_dir)
    chosen.prepare()
    return Database(chosen.database)
