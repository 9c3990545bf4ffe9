"""Hourly counts for the dashboards, kept up by a step that reads what is new since its last look.

The hot path writes nothing for them. Each source is walked by id up to a little before now, since a row's id is
made before its commit; counts and the place reached are written in one transaction, so nothing counts twice.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Interval, Row, func, literal, select, type_coerce
from sqlalchemy.dialects import postgresql, sqlite

from connector.core.installation_settings import PurchaseName
from connector.core.row_ids import id_at
from connector.core.states import EventState
from connector.storage.opening import Storage
from connector.storage.tables import AttemptEvent, DeliveryAttempt, Event, Webhook
from connector.storage.tables_console import RollupCursor, RollupHour

__all__ = ["EVERYBODY", "LATENCY_BOUNDS", "Overview", "overview", "percentile", "run_rollup_step", "totals"]

LAG = timedelta(seconds=20)  # the longest a row's commit may follow the making of its id, spooled ones apart
# An attempt is written when its answer is in, under an id from before the call.
ATTEMPT_LAG = timedelta(seconds=60)
STEP = 2000
EVERYBODY = ""  # instead of an installation: all of them together
# Seconds from the order to TikTok's acceptance; a count per bucket gives p50 and p95 to a bucket's width.
LATENCY_BOUNDS: tuple[int, ...] = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600, 48 * 3600)
_PURCHASES = frozenset(PurchaseName)
_HOUR = timedelta(hours=1)
_MICROSECOND = timedelta(microseconds=1)

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]
_attempt_event = AttemptEvent.__table__  # type: ignore[attr-defined]
_rollup = RollupHour.__table__  # type: ignore[attr-defined]
_cursor = RollupCursor.__table__  # type: ignore[attr-defined]

_Key = tuple[datetime, str, str]  # hour, installation, metric


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts per part of a time, and in all, of one installation or of all together."""

    starts: Sequence[datetime]
    by_part: Sequence[Mapping[str, int]]
    total: Mapping[str, int]

    def series(self, metric: str) -> list[int]:
        """One number per part."""
        return [counts.get(metric, 0) for counts in self.by_part]

    def latencies(self, share: float) -> list[int]:
        """Per part the seconds within which that share was accepted; 0 without any."""
        return [percentile(counts, share) or 0 for counts in self.by_part]

    def latency(self, share: float) -> int | None:
        """Seconds within which that share of accepted purchases was accepted; None without any."""
        return percentile(self.total, share)


def run_rollup_step(storage: Storage, lag: timedelta = LAG, attempt_lag: timedelta = ATTEMPT_LAG) -> int:
    """Count up to `STEP` new rows of each source. Returns how many were counted; 0: nothing was new."""
    now = storage.now()
    return sum(
        _count(storage, source, now - (attempt_lag if source == "attempt" else lag), count)
        for source, count in _SOURCES.items()
    )


def overview(
    connection: Connection, since: datetime, until: datetime, installation_id: str = EVERYBODY, hours: int = 1
) -> Overview:
    """What was counted from the hour of `since` on, in parts of so many hours. Reads rollups only, and adds them up
    in the database: a month has thousands of them."""
    c, first, part = _rollup.c, _hour(since), _HOUR * hours
    number = _part_number(connection, first, part)
    # By bytes: PostgreSQL sorts thousands of words by a language's rules several times as long.
    metric: ColumnElement[str] = c.metric if connection.dialect.name == "sqlite" else c.metric.collate("C")
    statement = (
        select(number, metric, func.sum(c["count"]))
        .where(c.installation_id == installation_id, c.hour >= first, c.hour < until)
        .group_by(number, metric)
    )
    parts = [Counter[str]() for _ in range(-(-(until - first) // part))]
    for at, name, count in connection.execute(statement):
        parts[(at - first) // part if isinstance(at, datetime) else int(at)][name] += int(count)
    return Overview([first + part * number for number in range(len(parts))], parts, _sum(parts))


def totals(
    connection: Connection, since: datetime, until: datetime, metrics: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Of every installation the sums of some metrics."""
    c = _rollup.c
    statement = (
        select(c.installation_id, c.metric, func.sum(c["count"]))
        .where(c.hour >= _hour(since), c.hour < until, c.metric.in_(metrics), c.installation_id != EVERYBODY)
        .group_by(c.installation_id, c.metric)
    )
    found: dict[str, dict[str, int]] = {}
    for installation_id, metric, count in connection.execute(statement):
        found.setdefault(installation_id, {})[metric] = int(count)
    return found


def percentile(counts: Mapping[str, int], share: float) -> int | None:
    """The upper bound, in seconds, of the bucket where that share is reached."""
    buckets = [counts.get(f"latency_{number}", 0) for number in range(len(LATENCY_BOUNDS) + 1)]
    wanted, seen = sum(buckets) * share, 0
    if not wanted:
        return None
    for number, count in enumerate(buckets):
        seen += count
        if seen >= wanted:
            return LATENCY_BOUNDS[min(number, len(LATENCY_BOUNDS) - 1)]
    return LATENCY_BOUNDS[-1]


def _part_number(connection: Connection, first: datetime, part: timedelta) -> ColumnElement[Any]:
    hour = _rollup.c.hour
    if connection.dialect.name == "sqlite":  # times are whole microseconds there
        return (type_coerce(hour, BigInteger) - type_coerce(first, hour.type)) // (part // _MICROSECOND)
    # Its beginning instead of its number: taking seconds from a thousand times costs more than all the rest.
    return func.date_bin(literal(part, Interval), hour, literal(first, hour.type))


def _sum(counters: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counters:
        total.update(one)
    return total


def _count(
    storage: Storage,
    source: str,
    until: datetime,
    read: Callable[[Connection, int, int], tuple[int, int, Counter[_Key]]],
) -> int:
    top = id_at(int(until.timestamp() * 1000))
    with storage.database.read() as connection:
        after = connection.execute(select(_cursor.c.position).where(_cursor.c.source == source)).scalar() or 0
        seen, position, counts = read(connection, after, top)
    if not seen:
        return 0
    with storage.database.write() as connection:
        # Another process may have counted meanwhile: then this look is thrown away.
        lock = select(_cursor.c.position).where(_cursor.c.source == source).with_for_update()
        if (connection.execute(lock).scalar() or 0) != after:
            return 0
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        moved = dialect.insert(_cursor).values(source=source, position=position)
        connection.execute(
            moved.on_conflict_do_update(index_elements=[_cursor.c.source], set_={"position": position})
        )
        _add(connection, dialect, counts)
    return seen


def _add(connection: Connection, dialect: Any, counts: Counter[_Key]) -> None:
    statement = dialect.insert(_rollup)
    added = statement.on_conflict_do_update(
        index_elements=[_rollup.c.hour, _rollup.c.installation_id, _rollup.c.metric],
        set_={"count": _rollup.c["count"] + statement.excluded["count"]},
    )
    rows = [
        {"hour": hour, "installation_id": installation_id, "metric": metric, "count": count}
        for (hour, installation_id, metric), count in sorted(_with_everybody(counts).items())
    ]
    if rows:
        connection.execute(added, rows)


def _with_everybody(counts: Counter[_Key]) -> Counter[_Key]:
    """The sums over all installations are kept too: a dashboard must not cost more with every store."""
    found = Counter(counts)
    for (hour, _, metric), count in counts.items():
        found[hour, EVERYBODY, metric] += count
    return found


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _webhooks(connection: Connection, after: int, top: int) -> tuple[int, int, Counter[_Key]]:
    c = _webhook.c
    rows = connection.execute(_newer(select(c.id, c.installation_id, c.received_at), c.id, after, top)).all()
    counts = Counter((_hour(row.received_at), row.installation_id, "arrived") for row in rows)
    return len(rows), rows[-1].id if rows else after, counts


def _events(connection: Connection, after: int, top: int) -> tuple[int, int, Counter[_Key]]:
    c = _event.c
    columns = (c.id, c.installation_id, c.created_at, c.state, c.match_keys, c.attempts)
    rows = connection.execute(_newer(select(*columns), c.id, after, top)).all()
    counts: Counter[_Key] = Counter()
    for row in rows:
        place = (_hour(row.created_at), row.installation_id)
        counts[(*place, "made")] += 1
        if word := _final_from_the_start(row):
            counts[(*place, word)] += 1
        elif row.state != EventState.WITHDRAWN:
            counts[(*place, "matchable")] += 1
            counts.update((*place, f"key_{key}") for key in row.match_keys.split(",") if key)
    return len(rows), rows[-1].id if rows else after, counts


def _final_from_the_start(row: Row[Any]) -> str:
    """Its metric; empty for what goes to TikTok, which is counted by its attempts."""
    refused_here = row.state == EventState.REJECTED and not row.attempts
    return str(row.state) if refused_here or row.state in (EventState.WITHHELD, EventState.FILTERED) else ""


def _attempts(connection: Connection, after: int, top: int) -> tuple[int, int, Counter[_Key]]:
    c = _attempt.c
    columns = (c.id, c.installation_id, c.started_at, c.result, c.event_count)
    rows = connection.execute(_newer(select(*columns), c.id, after, top).limit(STEP // 10)).all()
    counts: Counter[_Key] = Counter()
    for row in rows:
        place = (_hour(row.started_at), row.installation_id)
        counts[(*place, "attempts")] += 1
        if row.result == "accepted":
            counts[(*place, "accepted")] += row.event_count
        elif row.result == "rejected" and row.event_count == 1:
            counts[(*place, "rejected")] += 1  # a larger call went again in parts, each with an answer of its own
    _count_latency(connection, [row.id for row in rows if row.result == "accepted"], counts)
    _count_old_pixels(connection, {row.id: row for row in rows if row.result == "access_lost"}, counts)
    return len(rows), rows[-1].id if rows else after, counts


def _count_old_pixels(connection: Connection, calls: Mapping[int, Row[Any]], counts: Counter[_Key]) -> None:
    """Events whose own, older pixel was refused: the installation goes on, they are rejected."""
    e, a = _event.c, _attempt_event.c
    statement = (
        select(a.attempt_id, func.count())
        .join(_event, a.event_row_id == e.id)
        .where(a.attempt_id.in_(calls), e.state == EventState.REJECTED, e.reason == "old_pixel_refused")
        .group_by(a.attempt_id)
    )
    for attempt_id, count in connection.execute(statement) if calls else ():
        call = calls[attempt_id]
        counts[_hour(call.started_at), call.installation_id, "rejected"] += count


def _count_latency(connection: Connection, accepted: Sequence[int], counts: Counter[_Key]) -> None:
    """From the order's own time to the acceptance, purchases only."""
    e, a = _event.c, _attempt_event.c
    statement = (
        select(e.installation_id, e.event_time, e.delivered_at)
        .join(_attempt_event, a.event_row_id == e.id)
        .where(a.attempt_id.in_(accepted), e.name.in_(_PURCHASES), e.delivered_at.is_not(None))
    )
    for row in connection.execute(statement):
        bucket = bisect_left(LATENCY_BOUNDS, (row.delivered_at - row.event_time).total_seconds())
        counts[_hour(row.delivered_at), row.installation_id, f"latency_{bucket}"] += 1


def _newer(statement: Any, key: Any, after: int, top: int) -> Any:
    return statement.where(key > after, key < top).order_by(key).limit(STEP)


_SOURCES: Mapping[str, Callable[[Connection, int, int], tuple[int, int, Counter[_Key]]]] = {
    "webhook": _webhooks,
    "event": _events,
    "attempt": _attempts,
}
