"""The database itself: reachable, at this version's tables, on the same time."""

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from connector.operations.doctor.check import Check, fine, wrong
from connector.storage.engine import Database
from connector.storage.migrating import is_ahead, is_empty, version_fault
from connector.storage.opening import utc_now

__all__ = ["clock", "migrations", "reachable"]

_MOST_SECONDS_APART = 5.0


def reachable(database: Database) -> Check:
    """Whether it answers."""
    try:
        with database.read() as connection:
            connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        cause = next(iter(str(getattr(error, "orig", "")).splitlines()), "") or type(error).__name__
        return wrong("database", f"does not answer: {cause}", "check CONNECTOR_DATABASE_URL and that it runs")
    return fine("database", "SQLite" if database.is_sqlite else "PostgreSQL")


def migrations(database: Database) -> Check:
    """Whether the tables are those of this version."""
    if database.is_sqlite and is_empty(database):
        return fine("migrations", "no tables yet: the first command or `connector serve` makes them")
    fault = version_fault(database)
    if fault is not None:
        return wrong("migrations", *fault)
    if is_ahead(database):
        return fine(
            "migrations", "a newer version has added to the database: end the upgrade by installing it here too"
        )
    return fine("migrations", "the database is at this version")


def clock(database: Database) -> Check:
    """Whether this machine and the database agree on the time; leases and ages depend on it."""
    question = "SELECT strftime('%s', 'now')" if database.is_sqlite else "SELECT extract(epoch FROM now())"
    with database.read() as connection:
        theirs = float(connection.execute(text(question)).scalar_one())
    ours = utc_now()
    apart = abs(ours.timestamp() - theirs)
    said = f"{apart:.0f} s apart from the database, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC here"
    if apart > _MOST_SECONDS_APART:
        return wrong("clock", said, "let both machines take their time from NTP")
    return fine("clock", said)
