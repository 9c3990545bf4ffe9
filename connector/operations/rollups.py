"""Hourly counts for the dashboards, kept up by a step that reads what is new since its last look.

The hot path writes nothing for them. Each source is walked by id up to a little before now, since a row's id is
made before its commit; counts and the place reached are written in one transaction, so nothing counts twice.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects import postgresql, sqlite

from connector.core.row_ids import id_at
from connector.core.states import EventState
from connector.storage.opening import Storage
from connector.storage.rollups import (
    ACCEPTED,
    ACCEPTED_SOURCE,
    EVERYBODY,
    LATENCY_BOUNDS,
    PURCHASES,
    Overview,
    count_accepted,
    hour_of,
    overview,
    percentile,
)
from connector.storage.tables import AttemptEvent, DeliveryAttempt, Event, Webhook
from connector.storage.tables_console import RollupCursor, RollupHour

__all__ = [
    "EVERYBODY",
    "LATENCY_BOUNDS",
    "Overview",
    "overview",
    "percentile",
    "run_rollup_step",
    "totals",
]

LAG = timedelta(seconds=20)  # the longest a row's commit may follow the making of its id, spooled ones apart
# An attempt is written when its answer is in, under an id from before the call.
ATTEMPT_LAG = timedelta(seconds=60)
STEP = 2000
_BY_ATTEMPT = ("attempt", ACCEPTED_SOURCE)

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]
_attempt_event = AttemptEvent.__table__  # type: ignore[attr-defined]
_rollup = RollupHour.__table__  # type: ignore[attr-defined]
_cursor = RollupCursor.__table__  # type: ignore[attr-defined]

_Key = tuple[datetime, str, str]  # hour, installation, metric


def run_rollup_step(storage: Storage, lag: timedelta = LAG, attempt_lag: timedelta = ATTEMPT_LAG) -> int:
    """Count up to `STEP` new rows of each source. Returns how many were counted; 0: nothing was new."""
    now = storage.now()
    return sum(
        _count(storage, source, now - (attempt_lag if source in _BY_ATTEMPT else lag), count)
        for source, count in _SOURCES.items()
    )


def totals(
    connection: Connection, since: datetime, until: datetime, metrics: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Of every installation the sums of some metrics."""
    c = _rollup.c
    statement = (
        select(c.installation_id, c.metric, func.sum(c["count"]))
        .where(c.hour >= hour_of(since), c.hour < until, c.metric.in_(metrics), c.installation_id != EVERYBODY)
        .group_by(c.installation_id, c.metric)
    )
    found: dict[str, dict[str, int]] = {}
    for installation_id, metric, count in connection.execute(statement):
        found.setdefault(installation_id, {})[metric] = int(count)
    return found


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
        if not metric.startswith(ACCEPTED):
            found[hour, EVERYBODY, metric] += count
    return found


def _webhooks(connection: Connection, after: int, top: int) -> tuple[int, int, Counter[_Key]]:
    c = _webhook.c
    rows = connection.execute(_newer(select(c.id, c.installation_id, c.received_at), c.id, after, top)).all()
    counts = Counter((hour_of(row.received_at), row.installation_id, "arrived") for row in rows)
    return len(rows), rows[-1].id if rows else after, counts


def _events(connection: Connection, after: int, top: int) -> tuple[int, int, Counter[_Key]]:
    c = _event.c
    columns = (c.id, c.installation_id, c.created_at, c.state, c.match_keys, c.attempts)
    rows = connection.execute(_newer(select(*columns), c.id, after, top)).all()
    counts: Counter[_Key] = Counter()
    for row in rows:
        place = (hour_of(row.created_at), row.installation_id)
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
        place = (hour_of(row.started_at), row.installation_id)
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
        counts[hour_of(call.started_at), call.installation_id, "rejected"] += count


def _count_latency(connection: Connection, accepted: Sequence[int], counts: Counter[_Key]) -> None:
    """From the order's own time to the acceptance, purchases only."""
    e, a = _event.c, _attempt_event.c
    statement = (
        select(e.installation_id, e.event_time, e.delivered_at)
        .join(_attempt_event, a.event_row_id == e.id)
        .where(a.attempt_id.in_(accepted), e.name.in_(PURCHASES), e.delivered_at.is_not(None))
    )
    for row in connection.execute(statement):
        bucket = bisect_left(LATENCY_BOUNDS, (row.delivered_at - row.event_time).total_seconds())
        counts[hour_of(row.delivered_at), row.installation_id, f"latency_{bucket}"] += 1


def _accepted(connection: Connection, after: int, top: int) -> tuple[int, int, Counter[_Key]]:
    """For the owners' pages. A source of its own, so that what was sent before it existed is counted too."""
    c = _attempt.c
    columns = (c.id, c.installation_id, c.started_at, c.result)
    rows = connection.execute(_newer(select(*columns), c.id, after, top).limit(STEP // 10)).all()
    counts = count_accepted(connection, [row for row in rows if row.result == "accepted"])
    return len(rows), rows[-1].id if rows else after, counts


def _newer(statement: Any, key: Any, after: int, top: int) -> Any:
    return statement.where(key > after, key < top).order_by(key).limit(STEP)


_SOURCES: Mapping[str, Callable[[Connection, int, int], tuple[int, int, Counter[_Key]]]] = {
    "webhook": _webhooks,
    "event": _events,
    "attempt": _attempts,
    ACCEPTED_SOURCE: _accepted,
}
