"""Backup of a running SQLite database into one file, and its way back.

The copy is the database of one moment, however long it takes and whatever is written meanwhile. It is checked
before it gets its name. PostgreSQL has its own tools: see BACKUP.md beside this file.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from connector.errors import ConfigurationError, ConnectorError, CredentialUnreadable, UsageError
from connector.settings import Settings
from connector.storage.engine import open_database
from connector.storage.migrating import known_revision, migrate, pending_revision
from connector.storage.opening import open_storage

__all__ = ["Backup", "Restored", "back_up", "restore"]

_PAGES = 2000  # 32 MB at a time
_PATIENCE_SECONDS = 2.0  # for a command that reads this moment
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup that was made and checked. Times are UTC."""

    path: Path
    size_bytes: int
    webhooks: int
    events: int
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Restored:
    """What is in place now, and where the database went that stood there before."""

    path: Path
    webhooks: int
    events: int
    last_webhook_at: datetime | None
    set_aside: Path | None


def back_up(settings: Settings, path: Path, progress: Progress = lambda _done, _total: None) -> Backup:
    """Copy the settings' database, running or not, to a new file. Raises UsageError, ConnectorError."""
    source = _sqlite_file(settings)
    if not source.exists():
        raise UsageError(f"there is no database at {source}")
    if path.exists():
        raise UsageError(f"{path} exists already: a backup never overwrites a file")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}")
    moment = datetime.now(UTC)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _copy(source, part, progress)
        webhooks, events, _ = _examine(part)
        _give_name(part, path)
    finally:
        part.unlink(missing_ok=True)
    return Backup(path, path.stat().st_size, webhooks, events, moment)


def restore(settings: Settings, path: Path) -> Restored:
    """Put a backup in the database's place; the database that stood there is set aside, never removed.

    Raises UsageError when a process still uses it, ConfigurationError when the backup needs another version or
    other keys, ConnectorError when it is damaged. Then nothing was changed.
    """
    target = _sqlite_file(settings)
    if not path.is_file():
        raise UsageError(f"there is no backup at {path}")
    _refuse_while_used(target)
    webhooks, events, last = _examine(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _copy(path, part, lambda _done, _total: None)
        _fit(settings, part)
        set_aside = _set_aside(target)
        part.replace(target)
        _sync(target.parent)
    finally:
        for left in (part, *_beside(part)):
            left.unlink(missing_ok=True)
    return Restored(target, webhooks, events, last, set_aside)


def _give_name(part: Path, path: Path) -> None:
    """A link never overwrites, unlike a rename; some network file systems have none."""
    try:
        os.link(part, path)
    except OSError:
        if path.exists():
            raise UsageError(f"{path} exists already: a backup never overwrites a file") from None
        part.replace(path)
    _sync(path.parent)


def _sqlite_file(settings: Settings) -> Path:
    if not settings.uses_sqlite:
        raise UsageError("the database is PostgreSQL: use pg_dump and pg_restore (connector/operations/BACKUP.md)")
    database = open_database(settings.resolved_database_url)
    try:
        return Path(database.sqlite_path)
    finally:
        database.close()


def _copy(source: Path, target: Path, progress: Progress) -> None:
    """All pages as they stood at one moment, in one file without a log beside it, on the disk when this returns."""
    target.touch(mode=0o600)
    with closing(_reader(source)) as reader, closing(sqlite3.connect(target)) as writer:
        # An open read transaction holds the moment still: without it each write elsewhere would start the copy anew.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reader.backup(
            writer, pages=_PAGES, sleep=0, progress=lambda _state, left, total: progress(total - left, total)
        )
        reader.execute("COMMIT")
        writer.execute("PRAGMA journal_mode=DELETE")
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=15, isolation_level=None)


def _examine(path: Path) -> tuple[int, int, datetime | None]:
    """Webhooks, events, and when the last webhook came. Raises ConnectorError when it is damaged or not ours."""
    try:
        with closing(_reader(path)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                raise ConnectorError(f"{path} is damaged: {found}")
            webhooks, last = connection.execute("SELECT count(*), max(received_at) FROM webhook").fetchone()
            events = connection.execute("SELECT count(*) FROM event").fetchone()[0]
    except sqlite3.DatabaseError:
        raise ConnectorError(f"{path} is no database of this program, or it is damaged") from None
    return webhooks, events, None if last is None else datetime.fromtimestamp(last / 1_000_000, UTC)


def _refuse_while_used(target: Path) -> None:
    """Whoever has the database open holds a lock on its file, and lets go of it at its end, however it ends."""
    if not target.exists():
        return
    try:
        with closing(sqlite3.connect(target, timeout=_PATIENCE_SECONDS, isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise UsageError(
                "a process still uses the database: stop `connector serve` and `connector deliver` first"
            ) from None
        # What stands there is broken: that is why somebody restores.


def _fit(settings: Settings, part: Path) -> None:
    """Bring an older backup to this version, and see that the keys open it."""
    address = f"sqlite:///{part}"
    database = open_database(address)
    try:
        if not known_revision(database):
            raise ConfigurationError("the backup was made by a newer version of this program: install that one")
        if pending_revision(database):
            migrate(database)
    finally:
        database.close()
    try:
        open_storage(settings.model_copy(update={"database_url": address})).close()
    except CredentialUnreadable:
        raise ConfigurationError(
            "none of the secret keys opens the backup: put back the keys of its time (CONNECTOR_SECRET_KEYS, or the"
            " file secret_keys of the data directory)"
        ) from None
    with closing(sqlite3.connect(part)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with part.open("rb") as file:
        os.fsync(file.fileno())


def _set_aside(target: Path) -> Path | None:
    """Out of the way under a name with the time, its log with it."""
    if not target.exists():
        return None
    aside = target.with_name(f"{target.name}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    for old, new in zip((target, *_beside(target)), (aside, *_beside(aside)), strict=True):
        if old.exists():
            old.replace(new)
    return aside


def _beside(path: Path) -> tuple[Path, Path]:
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
