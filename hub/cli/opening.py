"""What every server command shares: the data folder, the database in it, and failures in plain words."""

import errno
import shlex
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from hub import migrations, settings
from hub.db import Database
from hub.errors import HubError
from hub.settings import Settings

# Less than this is a full disk, whatever the database calls it: bytes.
ROOM = 256 * 1024
F = TypeVar("F", bound=Callable[..., Any])


def data_dir_option(command: F) -> F:
    """Add `--data-dir`."""
    return click.option(
        "--data-dir",
        required=True,
        envvar="VOXHUB_DATA_DIR",
        show_envvar=True,
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="The folder that holds everything of the hub.",
    )(command)


def command_on(data_dir: Path, command: str) -> str:
    """A command line that the operator can paste."""
    return f"voxhub {command} --data-dir {shlex.quote(str(data_dir))}"


@contextmanager
def plain_words(data_dir: Path) -> Generator[None]:
    """Turn what may go wrong with a folder and a database into one line on standard error."""
    try:
        yield
    except HubError as error:
        raise click.ClickException(error.message) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise click.ClickException(_full(data_dir)) from error
        raise click.ClickException(
            f"`{data_dir}` cannot be the data folder: {error.strerror or error}. Make it a folder that this "
            "user may write to, or choose another with --data-dir."
        ) from error
    except DBAPIError as error:
        said = str(error.orig)
        # SQLite says "disk I/O error" when there is no room for its files beside the database.
        if "full" in said or shutil.disk_usage(data_dir).free < ROOM:
            raise click.ClickException(_full(data_dir)) from error
        raise click.ClickException(
            f"The database of `{data_dir}` cannot be used: {said}. Check that this user may read and write "
            "the folder and every file in it, and that VOXHUB_DATABASE_URL, if set, is right."
        ) from error


@contextmanager
def opened(data_dir: Path) -> Generator[tuple[Settings, Database]]:
    """Yield the hub's settings and its database at the version that this hub needs."""
    with plain_words(data_dir):
        chosen = settings.load(data_dir)
        chosen.prepare()
        database = Database(chosen.database)
        try:
            migrations.prepare(database, upgrade_command=command_on(data_dir, "database upgrade"))
            yield chosen, database
        finally:
            database.dispose()


@contextmanager
def changing(data_dir: Path) -> Generator[Connection]:
    """Yield a connection in one transaction that writes."""
    with opened(data_dir) as (_, database), database.writing() as db:
        yield db


@contextmanager
def looking(data_dir: Path) -> Generator[Connection]:
    """Yield a connection in one transaction that reads."""
    with opened(data_dir) as (_, database), database.reading() as db:
        yield db


def _full(data_dir: Path) -> str:
    return f"The disk that holds `{data_dir}` is full; nothing was changed. Make room, then try again."
