"""`voxhub database` and `voxhub export`: the schema, and histories as real git repositories."""

from pathlib import Path
from typing import Literal

import click

from hub import migrations, settings
from hub.cli.opening import command_on, data_dir_option, opened, plain_words
from hub.db import Database


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
    from hub.commits.export import export_repository

    with opened(data_dir) as (_, found), found.reading() as db:
        export_repository(db, kind, repo, folder)
    click.echo(f"Exported {kind} {repo} to {folder}.", err=True)


def _open(data_dir: Path) -> Database:
    chosen = settings.load(data_dir)
    chosen.prepare()
    return Database(chosen.database)
