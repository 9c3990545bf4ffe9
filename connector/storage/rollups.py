"""Hourly counts as the dashboards read them, and how what TikTok accepted is counted.

Written by `operations.rollups`, step by step. What the owners' pages read of accepted events stands under metrics of
its own, which begin with `~`; nobody sums those over all installations.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Float,
    Interval,
    Row,
    case,
    cast,
    func,
    literal,
    select,
    type_coerce,
)

from connector.core.installation_settings import PurchaseName
from connector.core.retries import DEAD_AFTER
from connector.storage.tables import AttemptEvent, DeliveryAttempt, Event
from connector.storage.tables_console import RollupCursor, RollupHour

__all__ = [
    "ACCEPTED",
    "ACCEPTED_SOURCE",
    "EVERYBODY",
    "LATENCY_BOUNDS",
    "MATCH_KEYS",
    "PURCHASES",
    "VALUE_UNIT",
    "Overview",
    "count_accepted",
    "hour_of",
    "not_counted_yet",
    "overview",
    "percentile",
]

EVERYBODY = ""  # instead of an installation: all of them together
ACCEPTED = "~"  # how the metrics of accepted events begin; sorts after all others
ACCEPTED_SOURCE = "accepted"  # the place that they are counted up to
VALUE_UNIT = 10_000  # values are summed as whole numbers of ten-thousandths
MATCH_KEYS = ("email", "phone", "external_id", "ttclid", "ttp", "ip", "user_agent")
# Seconds from the order to TikTok's acceptance; a count per bucket gives p50 and p95 to a bucket's width.
LATENCY_BOUNDS: tuple[int, ...] = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600, 48 * 3600)
_UPPER_BOUNDS = (*LATENCY_BOUNDS, int(DEAD_AFTER.total_seconds()))
_MOST_LIVE = 500  # attempts; more only while the counting is far behind
_LONGEST_NAME = 32  # of a metric's 40 letters
PURCHASES = tuple(PurchaseName)
_HOUR = timedelta(hours=1)
_MICROSECOND = timedelta(microseconds=1)

_event = Event.__table__  # type: ignore[attr-defined]
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]
_attempt_event = AttemptEvent.__table__  # type: ignore[attr-defined]
_rollup = RollupHour.__table__  # type: ignore[attr-defined]
_cursor = RollupCursor.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts per part of a time, and in all, of one installation or of all together."""

    starts: Sequence[datetime]
    by_part: Sequence[Mapping[str, int]]
    total: Mapping[str, int]

    def series(self, metric: str) -> list[int]:
        """One number per part."""
        return [counts.get(metric, 0) for counts in self.by_part]

    def latencies(self, share: float) -> list[int | None]:
        """Per part the seconds within which that share was accepted; None without any, since 0 would say at once."""
        return [percentile(counts, share) for counts in self.by_part]

    def latency(self, share: float) -> int | None:
        """Seconds within which that share of accepted purchases was accepted; None without any."""
        return percentile(self.total, share)


def overview(
    connection: Connection,
    since: datetime,
    until: datetime,
    installation_id: str = EVERYBODY,
    hours: int = 1,
    *,
    accepted: bool = False,
) -> Overview:
    """What was counted from the hour of `since` on, in parts of so many hours. Reads rollups only, and adds them up
    in the database: a month has thousands of them. With `accepted` the metrics of accepted events, else the others.
    """
    c, first, part = _rollup.c, hour_of(since), _HOUR * hours
    number = _part_number(connection, first, part)
    # By bytes: PostgreSQL sorts thousands of words by a language's rules several times as long.
    metric: ColumnElement[str] = c.metric if connection.dialect.name == "sqlite" else c.metric.collate("C")
    wanted = metric >= ACCEPTED if accepted else metric < ACCEPTED
    statement = (
        select(number, metric, func.sum(c["count"]))
        .where(c.installation_id == installation_id, c.hour >= first, c.hour < until, wanted)
        .group_by(number, metric)
    )
    parts = [Counter[str]() for _ in range(-(-(until - first) // part))]
    for at, name, count in connection.execute(statement):
        parts[(at - first) // part if isinstance(at, datetime) else int(at)][name] += int(count)
    return Overview([first + part * number for number in range(len(parts))], parts, _sum(parts))


def percentile(counts: Mapping[str, int], share: float) -> int | None:
    """The upper bound, in seconds, of the bucket where that share is reached. Past the last bound it is the age at
    which an event is given up: nothing older is accepted.
    """
    buckets = [counts.get(f"latency_{number}", 0) for number in range(len(_UPPER_BOUNDS))]
    wanted, seen = sum(buckets) * share, 0
    if not wanted:
        return None
    for number, count in enumerate(buckets):
        seen += count
        if seen >= wanted:
            return _UPPER_BOUNDS[number]
    return _UPPER_BOUNDS[-1]


def not_counted_yet(connection: Connection, installation_id: str) -> Counter[tuple[datetime, str, str]]:
    """What was accepted in the last minute or so, counted now: an owner who tries the shop wants to see it."""
    c = _attempt.c
    after = connection.execute(select(_cursor.c.position).where(_cursor.c.source == ACCEPTED_SOURCE)).scalar() or 0
    mine = (c.installation_id == installation_id, c.id > after, c.result == "accepted")
    attempts = connection.execute(
        select(c.id, c.installation_id, c.started_at).where(*mine).order_by(c.id.desc()).limit(_MOST_LIVE)
    ).all()
    return count_accepted(connection, attempts) if attempts else Counter()


def count_accepted(connection: Connection, attempts: Sequence[Row[Any]]) -> Counter[tuple[datetime, str, str]]:
    """By hour, installation and metric: events by name, value and number of purchases by currency, match keys."""
    e, a, counts = _event.c, _attempt_event.c, Counter[tuple[datetime, str, str]]()
    padded = "," + e.match_keys + ","
    keys: list[Any] = [func.sum(case((padded.like(f"%,{key},%"), 1), else_=0)) for key in MATCH_KEYS]
    value = func.coalesce(func.sum(cast(e.value, Float)), 0.0)
    columns = (a.attempt_id, e.name, func.coalesce(e.currency, ""), func.count(), value, *keys)
    statement = (
        select(*columns)
        .join(_attempt_event, a.event_row_id == e.id)
        .where(a.attempt_id.in_([one.id for one in attempts]))
        .group_by(a.attempt_id, e.name, e.currency)
    )
    places = {one.id: (hour_of(one.started_at), one.installation_id) for one in attempts}
    for attempt_id, name, currency, number, total, *with_keys in connection.execute(statement):
        place = places[attempt_id]
        counts[(*place, f"~name_{name[:_LONGEST_NAME]}")] += number
        if currency and name in PURCHASES:
            counts[(*place, f"~sold_{currency}")] += number
            counts[(*place, f"~value_{currency}")] += round(total * VALUE_UNIT)
        counts.update({(*place, f"~key_{key}"): int(n) for key, n in zip(MATCH_KEYS, with_keys, strict=True) if n})
    return counts


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


def hour_of(moment: datetime) -> datetime:
    """The full hour in which it is."""
    return moment.replace(minute=0, second=0, microsecond=0)
