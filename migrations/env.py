"""Runs migrations on the database that the program hands over, or on the environment's one (alembic command)."""

from alembic import context
from sqlalchemy import text
from sqlmodel import SQLModel

import connector.storage.tables
import connector.storage.tables_console
import connector.storage.tables_install
import connector.storage.tables_reconcile  # noqa: F401 - all of these fill the metadata
from connector.settings import load_settings
from connector.storage.engine import Database, open_database

_MIGRATION_LOCK = 7_201_517_061  # any constant: two `connector migrate` take turns on PostgreSQL


def _database() -> Database:
    given = context.config.attributes.get("database")
    return given if given is not None else open_database(load_settings().resolved_database_url)


def _include(_object: object, name: str | None, kind: str, _reflected: bool, _compared: object) -> bool:
    return not (kind == "table" and name is not None and name.startswith("webhook_p"))


def run() -> None:
    database = _database()
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL lock_timeout = '10s'"))
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        context.configure(
            connection=connection,
            target_metadata=SQLModel.metadata,
            transaction_per_migration=False,
            render_as_batch=database.is_sqlite,
            include_object=_include,
        )
        context.run_migrations()


run()
