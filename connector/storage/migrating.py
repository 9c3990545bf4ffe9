"""Alembic from inside the program: the migrations travel in the wheel, so any directory will do.

Each command looks whether the tables are of its version. That look does without Alembic: loading it and its scripts
takes longer than most commands.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from connector.storage.engine import Database

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = [
    "REVISIONS",
    "alembic_config",
    "is_ahead",
    "is_empty",
    "known_revision",
    "migrate",
    "pending_revision",
    "version_fault",
]

# All that `migrations/versions` has, oldest first; a test compares them. Within one first digit a migration only
# adds, so that older code works on; one that takes something away, or gives it another meaning, begins with the next.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")


def migrations_folder() -> Path:
    """Inside the installed package, else at the top of the checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def alembic_config(database: Database) -> "Config":
    """Alembic's configuration for this database; `env.py` takes the engine from it."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.attributes["database"] = database
    return config


def is_empty(database: Database) -> bool:
    """Whether there is no table at all."""
    return not inspect(database.engine).get_table_names()


def pending_revision(database: Database) -> str | None:
    """The newest revision when the database lacks it, else None."""
    present = _present(database)
    return None if present == REVISIONS[-1] or _only_added_to(present) else REVISIONS[-1]


def is_ahead(database: Database) -> bool:
    """Whether a newer version has added to the tables: an upgrade that goes on, process by process."""
    return _only_added_to(_present(database))


def _only_added_to(present: str | None) -> bool:
    newest = REVISIONS[-1]
    return present is not None and len(present) == len(newest) and present[0] == newest[0] and present > newest


def _present(database: Database) -> str | None:
    """Where the database stands, as Alembic noted it."""
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


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
    from alembic import command

    command.upgrade(alembic_config(database), revision)


def known_revision(database: Database) -> bool:
    """Whether this version can work with the tables: it has their revision, or one that was only added to."""
    present = _present(database)
    return present in (None, *REVISIONS) or _only_added_to(present)
