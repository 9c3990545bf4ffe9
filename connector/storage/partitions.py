"""The weekly partitions of `webhook` on PostgreSQL: made some weeks ahead, dropped when they are past.

Ids encode time, so a week of arrival is a range of ids. What no week takes lands in `webhook_p_default`; a week
that already has rows there is left to it, since moving them would hold up arrivals.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError

from connector.core.row_ids import id_at
from connector.logs import log
from connector.storage.engine import Database

__all__ = ["drop_old_partitions", "make_partitions", "partition_names", "week_range"]

_PREFIX = "webhook_p_"
_WEEK = timedelta(days=7)
WEEKS_AHEAD = 4
# Arrivals wait behind these statements, so they give up soon and come again with the next round.
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"
_PARTITIONS = text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = 'webhook'::regclass ORDER BY c.relname"
)


def make_partitions(database: Database, now: datetime, weeks_ahead: int = WEEKS_AHEAD) -> list[str]:
    """Make the partitions of this week and the coming ones that are missing. Returns their names."""
    if database.is_sqlite:
        return []
    with database.read() as connection:
        present = set(partition_names(connection))
    made = []
    for number in range(weeks_ahead + 1):
        monday = _monday(now) + number * _WEEK
        if _name(monday) not in present and _guarded(database, monday):
            made.append(_name(monday))
    return made


def partition_names(connection: Connection) -> list[str]:
    """Names of all partitions, the default one too."""
    return list(connection.execute(_PARTITIONS).scalars())


def drop_old_partitions(database: Database, before: datetime) -> list[str]:
    """Drop the weeks that ended before then and that nothing points to any more. Returns their names."""
    if database.is_sqlite:
        return []
    with database.read() as connection:
        weeks = [(name, monday) for name in partition_names(connection) if (monday := _monday_of(name)) is not None]
    dropped = []
    for name, monday in weeks:
        if monday + _WEEK <= before and _drop(database, name, monday):
            dropped.append(name)
    return dropped


def week_range(monday: datetime) -> tuple[int, int]:
    """The ids of that week, the second one excluded."""
    start, end = (int(moment.timestamp()) * 1000 for moment in (monday, monday + _WEEK))
    return id_at(start), id_at(end)


def _guarded(database: Database, monday: datetime) -> bool:
    try:
        return _make(database, monday)
    except (OperationalError, IntegrityError) as error:
        # No lock was to be had in time, or a webhook of that week has just landed in the default partition.
        log.warning("partition_not_made", partition=_name(monday), error=type(error).__name__)
        return False


def _make(database: Database, monday: datetime) -> bool:
    """Made apart and then attached: unlike `PARTITION OF`, that lets arrivals go on."""
    name, (start, end) = _name(monday), week_range(monday)
    with database.write() as connection:
        connection.execute(text(_LOCK_TIMEOUT))
        connection.execute(text("SELECT pg_advisory_xact_lock(7201517063)"))
        if name in partition_names(connection) or _default_has(connection, start, end):
            return False
        connection.execute(text(f"CREATE TABLE {name} (LIKE webhook INCLUDING ALL)"))
        connection.execute(text(f"ALTER TABLE webhook ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})"))
    return True


def _default_has(connection: Connection, start: int, end: int) -> bool:
    found = text("SELECT 1 FROM webhook_p_default WHERE id >= :start AND id < :end LIMIT 1")
    return connection.execute(found, {"start": start, "end": end}).first() is not None


def _drop(database: Database, name: str, monday: datetime) -> bool:
    """Search terms and waiting work of the week go first, in small steps; until then the week stays."""
    _, end = week_range(monday)
    with database.write() as connection:
        connection.execute(text(_LOCK_TIMEOUT))
        for table, column in (("search_term", "webhook_id"), ("webhook_work", "id")):
            left = text(f"SELECT 1 FROM {table} WHERE {column} < :end LIMIT 1")  # noqa: S608 - names of ours
            if connection.execute(left, {"end": end}).first() is not None:
                return False
        try:
            connection.execute(text(f"DROP TABLE {name}"))
        except OperationalError as error:
            log.warning("partition_not_dropped", partition=name, error=type(error).__name__)
            connection.rollback()
            return False
    return True


def _monday(moment: datetime) -> datetime:
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def _name(monday: datetime) -> str:
    return f"{_PREFIX}{monday:%Y%m%d}"


def _monday_of(name: str) -> datetime | None:
    digits = name.removeprefix(_PREFIX)
    return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC) if digits.isdigit() else None
