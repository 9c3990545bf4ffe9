"""Alembic from inside the program: the migrations travel in the wheel, so any directory will do."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from connector.storage.engine import Database

__all__ = ["alembic_config", "is_empty", "known_revision", "migrate", "pending_revision", "version_fault"]


def migrations_folder() -> Path:
    """Inside the installed package, else at the top of the checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def alembic_config(database: Database) -> Config:
    """Alembic's configuration for this database; `env.py` takes the engine from it."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.attributes["database"] = database
    return config


def is_empty(database: Database) -> bool:
    """Whether there is no table at all."""
    return not inspect(database.engine).get_table_names()


def pending_revision(database: Database) -> str | None:
    """The newest revision when the database is not at it, else None."""
    newest = ScriptDirectory.from_config(alembic_config(database)).get_current_head()
    with database.engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    return None if present == newest else newest


def version_fault(database: Database) -> tuple[str, str] | None:
    """What is wrong with the version of the tables, and what mends it; None when they are this version's."""
    wanted = pending_revision(database)
    if wanted is None:
        return None
    if not known_revision(database):
        return "the database is of a newer version of this program", "install that version"
    return f"the database lacks migration {wanted}", "run `connector migrate` first"


def migrate(database: Database, revision: str = "head") -> None:
    """Bring the schema to a revision, by default the newest. Safe to run from several processes at once."""
    command.upgrade(alembic_config(database), revision)


def known_revision(database: Database) -> bool:
    """Whether the database stands at a revision that this version has; an empty one does too."""
    script = ScriptDirectory.from_config(alembic_config(database))
    with database.engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    return present is None or present in {revision.revision for revision in script.walk_revisions()}
