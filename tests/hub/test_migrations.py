"""The schema's versions: an empty database, an old one, a new one, and one that is somebody else's."""

from pathlib import Path

import pytest
from alembic.config import Config
from hub_process import voxhub
from sqlalchemy import inspect, text

from hub import migrations
from hub.db import Database
from hub.errors import Conflict
from hub.tables import Table


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'voxhub.sqlite3'}")


def prepare(database: Database) -> bool:
    return migrations.prepare(database, upgrade_command="voxhub database upgrade --data-dir d")


def pretend(database: Database, version: str) -> None:
    with database.writing() as db:
        db.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def test_an_empty_database_gets_every_table_once(database: Database) -> None:
    assert prepare(database)
    assert not prepare(database)
    assert set(inspect(database.engine).get_table_names()) == {*Table.metadata.tables, "alembic_version"}


def test_the_migrations_make_what_the_tables_say(database: Database) -> None:
    prepare(database)
    with database.writing() as db:
        migrations.check(db)


def test_the_migrations_make_the_very_schema_of_the_tables(database: Database, tmp_path: Path) -> None:
    # `alembic check` does not see everything: column options, foreign keys' actions, orders of primary keys.
    prepare(database)
    direct = Database(f"sqlite:///{tmp_path / 'direct.sqlite3'}")
    Table.metadata.create_all(direct.engine)
    assert schema(database) == schema(direct)
    direct.dispose()


def schema(database: Database) -> set[str]:
    with database.reading() as db:
        rows = db.execute(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")).scalars()
        return {" ".join(sql.split()).replace('"', "") for sql in rows if "alembic_version" not in sql}


def test_every_step_can_be_taken_back(database: Database) -> None:
    prepare(database)
    with database.writing() as db:
        migrations.downgrade(db, "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    assert migrations.upgrade(database) == (None, migrations.newest())


def test_an_older_database_is_refused_with_the_command_to_run(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(database)
    # Until there is a second step, "older" is made by a hub that asks for a later one.
    monkeypatch.setattr(migrations, "newest", lambda: "9999")
    with pytest.raises(Conflict, match="voxhub database upgrade --data-dir d"):
        prepare(database)


def test_a_newer_database_is_refused(database: Database) -> None:
    prepare(database)
    pretend(database, "9999")
    with pytest.raises(Conflict, match="does not know: a newer one"):
        prepare(database)
    with pytest.raises(Conflict, match="left as it is"):
        migrations.upgrade(database)


def test_a_database_of_something_else_is_left_alone(database: Database) -> None:
    with database.writing() as db:
        db.execute(text("CREATE TABLE patients (name TEXT)"))
    with pytest.raises(Conflict, match="not those of a hub"):
        prepare(database)
    assert inspect(database.engine).get_table_names() == ["patients"]


def test_a_migration_that_fails_leaves_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = migrations.command.upgrade

    def half(config: Config, target: str) -> None:
        whole(config, target)
        raise OSError("No space left on device")

    monkeypatch.setattr(migrations.command, "upgrade", half)
    with pytest.raises(OSError, match="No space"):
        prepare(database)
    assert inspect(database.engine).get_table_names() == []


def test_the_command_says_and_mends_the_version(tmp_path: Path) -> None:
    folder = str(tmp_path / "data")
    assert "database none, hub" in voxhub("database", "current", "--data-dir", folder)
    assert "it was empty" in voxhub("database", "upgrade", "--data-dir", folder)
    assert ": current" in voxhub("database", "current", "--data-dir", folder)
