"""The database: one engine, transactions that read, transactions that write.

SQLite runs in WAL mode with `synchronous=FULL`, because a commit that was acknowledged must survive a
power cut. A writing transaction begins IMMEDIATE: it takes the write lock before it reads, so it can
never lose to another writer half way. Writers of one process queue on a lock of ours first: SQLite's own
waiting sleeps and retries, which starves some of many writers.
"""

import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Dialect, Engine, TypeDecorator, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase

# As many as there are threads to ask (anyio's default), or a busy hub waits for its own pool.
POOL_SIZE = 40
BUSY_TIMEOUT_S = 30


class Database:
    """The engine with its two kinds of transaction."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine: Engine = _engine(url)
        self._write_lock = threading.Lock() if self.engine.dialect.name == "sqlite" else None

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """Yield a connection on one consistent snapshot; nothing is kept."""
        with self.engine.connect() as connection, connection.begin() as transaction:
            yield connection
            transaction.rollback()

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """Yield a connection whose changes are durable once the block has ended, or gone if it raised."""
        with self._queued(), self.engine.connect() as connection:
            connection.execution_options(voxhub_writing=True)
            with connection.begin():
                yield connection

    @contextmanager
    def _queued(self) -> Generator[None]:
        if self._write_lock is None:
            yield
            return
        # A lock that one thread takes and another gives back: a request's dependency is set up and torn
        # down in different threads of the pool.
        self._write_lock.acquire()
        try:
            yield
        finally:
            self._write_lock.release()

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


class Instant(TypeDecorator[datetime]):
    """A moment as milliseconds since 1970 UTC: the same, sortable, on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else round(value.timestamp() * 1000)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else datetime.fromtimestamp(value / 1000, UTC)


def insert_new(db: Connection, table: type[DeclarativeBase], **values: object) -> bool:
    """Insert a row unless its key is taken, also by a transaction beside this one; say whether it did."""
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    return db.execute(dialect.insert(table).values(values).on_conflict_do_nothing()).rowcount == 1


def insert_all(db: Connection, table: type[DeclarativeBase], rows: Sequence[Mapping[str, object]]) -> None:
    """Insert many rows at once; those whose key is taken stay as they are."""
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    if rows:
        db.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def now() -> datetime:
    """The time in UTC, cut to the millisecond that the database keeps."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(
            url, pool_size=POOL_SIZE, max_overflow=0, pool_pre_ping=True, hide_parameters=True
        )
    engine = create_engine(
        url,
        # Errors are logged, and a statement's parameters may be what nobody should read there.
        hide_parameters=True,
        pool_size=POOL_SIZE,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_S, "isolation_level": None},
    )
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("voxhub_writing", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    # Straight to the driver, which takes 9 µs less (of 300 for `resolve`). This one cannot fail
    # for a lock or a disk; what takes the write lock must fail as SQLAlchemy's errors do.
    connection.connection.cursor().execute("BEGIN")
