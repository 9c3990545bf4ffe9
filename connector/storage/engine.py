"""The database as two kinds of transaction: many may read, one writes. Same words for both databases."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine, make_url

from connector.storage.turns import WriterTurns

__all__ = ["POSTGRES_OPTIONS", "Database", "open_database", "sqlite_pragmas"]

BUSY_TIMEOUT_MS = 15_000
_WRITES = "connector_writes"

# Every query on a table that grows has its index. Without statistics, so in each new database, PostgreSQL would read
# the table whole, and keep that plan while it grows; compiling such plans (jit) takes longer than running them.
POSTGRES_OPTIONS = "-c timezone=UTC -c enable_seqscan=off -c jit=off"

# FULL: a commit has reached the disk before the store hears 200. 16 KB pages hold an order in one leaf, and
# a checkpoint each 4,000 pages keeps its cost out of most commits (both measured, `make bench`).
# mmap stays off: it widens a known fault of SQLite before 3.51.3.
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA wal_autocheckpoint=4000",
    "PRAGMA cache_size=-16000",
    "PRAGMA mmap_size=0",
)


def sqlite_pragmas(connection: Any) -> None:
    """Set what every SQLite connection of ours needs; the page size counts only for a new file."""
    connection.execute("PRAGMA page_size=16384")
    for pragma in _PRAGMAS:
        connection.execute(pragma)


class Database:
    """An engine with `read()` and `write()` transactions.

    On SQLite writers of this process take turns at a lock, so that they queue fairly here instead of polling
    the file; other processes are kept out by BEGIN IMMEDIATE, and those of ours take turns too (`storage/turns.py`).
    """

    def __init__(self, engine: Engine, turns: WriterTurns | None = None) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self.write_lock = threading.Lock()
        self.turns = turns or WriterTurns(None)

    @property
    def sqlite_path(self) -> str:
        """The SQLite file."""
        return str(self.engine.url.database)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A short read transaction."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction: committed at the end, rolled back on any error. Keep it short."""
        if not self.is_sqlite:
            with self.engine.begin() as connection:
                yield connection
            return
        with self.write_lock, self.engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            try:
                with connection.begin():
                    yield connection
            finally:
                self.turns.ended()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
        self.turns.close()


def open_database(url: str, *, pool_size: int = 12) -> Database:
    """Open the database of that address. SQLite files get their folder made. Makes no tables."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        file = _sqlite_file(url)
        turns = WriterTurns(file)
        return Database(_sqlite_engine(url, file, turns), turns)
    engine = create_engine(
        address.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=4,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 5,
            "options": POSTGRES_OPTIONS,
            # A server that vanished without a word is noticed in seconds, not after the system's two hours.
            "tcp_user_timeout": 10_000,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
        },
    )
    return Database(engine)


def _sqlite_file(url: str) -> Path | None:
    path = make_url(url).database
    return Path(path) if path and path != ":memory:" and not path.startswith("file:") else None


def _sqlite_engine(url: str, file: Path | None, turns: WriterTurns) -> Engine:
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(url, hide_parameters=True, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "do_connect")
    def _private(*_call: Any) -> None:
        if file is not None:
            _make_private_file(file)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        _refuse_read_only(connection, file)
        connection.isolation_level = None  # transactions are begun by the listener below
        sqlite_pragmas(connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if not connection.get_execution_options().get(_WRITES):
            connection.exec_driver_sql("BEGIN")
        elif not _begun_in_turn(connection, turns):
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # says itself what keeps it

    return engine


def _begun_in_turn(connection: Connection, turns: WriterTurns) -> bool:
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA busy_timeout=0")  # the waiting is ours
    try:
        return turns.begin(driver, BUSY_TIMEOUT_MS / 1000)
    except sqlite3.Error:
        return False
    finally:
        driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


def _make_private_file(path: Path) -> None:
    """An empty file, if there is none, that only the service's user may read: people's orders come into it and into
    its log, which SQLite makes with the same modes. What cannot be made is for SQLite to say.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _refuse_read_only(connection: Any, path: Path | None) -> None:
    """What is opened while the file may not be written stays read-only, and so does all that is opened beside it, for
    they share the log's index. So there is no such connection; once the file may be written again, the next is good.
    """
    files = [path, Path(f"{path}-wal"), Path(f"{path}-shm")] if path else []
    for name in files:
        if name.exists() and not os.access(name, os.W_OK):
            connection.close()
            raise sqlite3.OperationalError(
                "the database may not be written: look at the owner and modes of its files"
            )
