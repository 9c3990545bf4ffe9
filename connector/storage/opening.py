"""Opens everything that storage needs from the settings: database, schema check, key ring, hash key, ids."""

import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert, select

from connector.core.row_ids import RowIds
from connector.errors import ConfigurationError
from connector.settings import Settings
from connector.storage import tables_install as _tables_install  # noqa: F401 - fills the metadata
from connector.storage import tables_reconcile as _tables_reconcile  # noqa: F401 - fills the metadata
from connector.storage.clock import DatabaseClock
from connector.storage.encryption import KeyRing
from connector.storage.engine import Database, open_database
from connector.storage.migrating import is_empty, migrate, version_fault
from connector.storage.tables import Credential

__all__ = ["Storage", "open_storage", "secret_keys"]

_HASH_KEY = "hash_key"
_credential = Credential.__table__  # type: ignore[attr-defined]


def utc_now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


def _machine_ids() -> RowIds:
    return RowIds(lambda: time.time_ns() // 1_000_000, secrets.randbelow)


@dataclass(frozen=True)
class Storage:
    """What every layer above takes to reach the database: values and functions, no globals."""

    database: Database
    keys: KeyRing
    hash_key: bytes  # for keyed hashes; kept encrypted in the database, so that rotating keys keeps them valid
    now: Callable[[], datetime] = utc_now
    _ids: RowIds = field(default_factory=_machine_ids)
    _ids_lock: threading.Lock = field(default_factory=threading.Lock)

    def new_id(self) -> int:
        """A new row id, later than all before it in this process."""
        with self._ids_lock:
            return self._ids.next()

    def new_ids(self, count: int) -> list[int]:
        """Many at once."""
        with self._ids_lock:
            return [self._ids.next() for _ in range(count)]

    def change_id_tag(self) -> None:
        """After a collision of ids."""
        with self._ids_lock:
            self._ids.new_tag()

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def open_storage(
    settings: Settings, *, now: Callable[[], datetime] | None = None, check_schema: bool = True
) -> Storage:
    """Open the database of the settings; an empty SQLite file gets its tables.

    `now` is the clock, by default the database's own on PostgreSQL, where several machines share its times.
    Raises ConfigurationError when the schema is not the one of this version or the keys do not open the database.
    """
    keys = KeyRing(secret_keys(settings), secrets.token_bytes)
    database = open_database(settings.resolved_database_url)
    if database.is_sqlite and is_empty(database):
        migrate(database)
    elif check_schema and (fault := version_fault(database)):
        raise ConfigurationError(": ".join(fault))
    clock, ids = _clock(database, now)
    return Storage(database, keys, _hash_key(database, keys, clock()), clock, ids)


def _clock(database: Database, now: Callable[[], datetime] | None) -> tuple[Callable[[], datetime], RowIds]:
    if now is not None or database.is_sqlite:
        return now or utc_now, _machine_ids()
    clock = DatabaseClock(database)
    return clock, RowIds(clock.milliseconds, secrets.randbelow)


def secret_keys(settings: Settings) -> tuple[str, ...]:
    """The keys of the environment, else the ones in the data directory, made on first start."""
    return settings.given_keys or _keys_in(settings.data_dir / "secret_keys")


def _keys_in(path: Path) -> tuple[str, ...]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # fails when another process was first; then its keys count
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    keys = tuple(key for line in path.read_text().split() for key in line.split(",") if key)
    if not keys:
        raise ConfigurationError(f"the key file {path} is empty: restore it or set CONNECTOR_SECRET_KEYS")
    return keys


def _hash_key(database: Database, keys: KeyRing, now: datetime) -> bytes:
    row = _stored_hash_key(database)
    if row is None:
        sealed = keys.seal(secrets.token_hex(32), f"credential/0//{_HASH_KEY}")
        with database.write() as connection:
            if connection.execute(select(_credential.c.id).where(_credential.c.id == 0)).first() is None:
                values = {"id": 0, "installation_id": "", "kind": _HASH_KEY, "ciphertext": sealed, "created_at": now}
                connection.execute(insert(_credential), values)
        row = _stored_hash_key(database)
    assert row is not None
    return bytes.fromhex(keys.open(row, f"credential/0//{_HASH_KEY}"))


def _stored_hash_key(database: Database) -> bytes | None:
    with database.read() as connection:
        return connection.execute(select(_credential.c.ciphertext).where(_credential.c.id == 0)).scalar()
