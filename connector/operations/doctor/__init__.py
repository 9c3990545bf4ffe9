"""`connector doctor`: small checks, one after the other, each with its remedy."""

from collections.abc import Iterator
from pathlib import Path

from connector.errors import CredentialUnreadable
from connector.operations.doctor.check import Check, wrong
from connector.operations.doctor.database import clock, migrations, reachable
from connector.operations.doctor.front import public_address
from connector.operations.doctor.machine import disk_space, fsync_time, spool, sqlite_library
from connector.operations.doctor.stores import one_installation, troubled_installations
from connector.operations.doctor.tiktok import tiktok_address
from connector.operations.doctor.work import audit_chain, event_backlog, keys, processes, webhook_backlog
from connector.settings import Settings
from connector.storage.engine import Database, open_database
from connector.storage.opening import open_storage

__all__ = ["Check", "examine"]

_NEEDED = frozenset({"database", "migrations"})  # for everything that comes after


def examine(settings: Settings, installation_id: str | None = None) -> list[Check]:
    """Every check that can be made; those that need a working database end where it does not work.

    Raises UsageError for an unknown installation, ConfigurationError for settings that open nothing.
    """
    database = open_database(settings.resolved_database_url)
    try:
        checks = list(_of_database(settings, database))
    finally:
        database.close()
    if all(check.ok for check in checks if check.name in _NEEDED):
        checks += _of_service(settings, installation_id)
    return [*checks, spool(settings.spool_dir)]


def _of_database(settings: Settings, database: Database) -> Iterator[Check]:
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    yield disk_space(settings.data_dir)
    if database.is_sqlite:
        yield from _of_its_folder(Path(database.sqlite_path).parent, settings.data_dir)
        yield sqlite_library()
    else:
        yield fsync_time(settings.data_dir)
    found = reachable(database)
    yield found
    if found.ok:
        yield clock(database)
        yield migrations(database)


def _of_its_folder(folder: Path, data_dir: Path) -> Iterator[Check]:
    """Where the SQLite file lies, which may be another disk than the data directory's."""
    if not folder.is_dir():
        return  # the database itself says so
    if folder.resolve() != data_dir.resolve():
        yield disk_space(folder, "disk_space_of_database")
    yield fsync_time(folder)


def _of_service(settings: Settings, installation_id: str | None) -> list[Check]:
    try:
        storage = open_storage(settings)
    except CredentialUnreadable:
        remedy = "put the key that sealed this database back into CONNECTOR_SECRET_KEYS or the file secret_keys"
        return [wrong("secret_keys", "none of the keys opens this database", remedy)]
    try:
        stores = one_installation(storage, installation_id) if installation_id else troubled_installations(storage)
        service = [check(storage) for check in (keys, webhook_backlog, event_backlog, processes, audit_chain)]
        return [*service, tiktok_address(settings, storage), *public_address(settings), *stores]
    finally:
        storage.close()
