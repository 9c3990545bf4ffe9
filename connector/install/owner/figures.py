"""Numbers of the overview, each asked by ranges of ids, which sort by time, so that old history costs nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.sql.elements import ColumnElement

from connector.core.row_ids import id_at, time_of
from connector.core.states import EventState
from connector.storage.rollups import ACCEPTED, MATCH_KEYS, PURCHASES, VALUE_UNIT, not_counted_yet, overview
from connector.storage.tables import DeliveryAttempt, Event, RefusalCount, Webhook

__all__ = ["MATCH_KEYS", "PURCHASES", "Day", "Figures", "MatchShare", "Problem", "figures"]

_TROUBLE = (EventState.REJECTED, EventState.DEAD, EventState.HELD)
_TOLD = (EventState.PENDING, EventState.HELD, EventState.WITHHELD)
_MOST_PROBLEMS = 8
_NEWEST = 5000  # events that are read through for their warnings
_event = Event.__table__  # type: ignore[attr-defined]
_webhook = Webhook.__table__  # type: ignore[attr-defined]
_refusals = RefusalCount.__table__  # type: ignore[attr-defined]
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Day:
    """Accepted events of one day (UTC) by name, and the value of its purchases by currency."""

    date: date
    counts: Mapping[str, int]
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class MatchShare:
    """How many of the accepted events carried this key, 0 to 100."""

    key: str
    percent: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Events of the last days that did not arrive, by reason."""

    state: str
    reason: str
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    """All of the overview's numbers."""

    days: tuple[Day, ...]
    names: tuple[str, ...]
    currencies: tuple[str, ...]
    states: Mapping[str, int]
    match: tuple[MatchShare, ...]
    problems: tuple[Problem, ...]
    last_webhook_at: datetime | None
    last_accepted_at: datetime | None

    @property
    def accepted(self) -> int:
        """Events that TikTok took."""
        return self.states.get(EventState.DELIVERED, 0)

    @property
    def purchases(self) -> int:
        """Purchases among them."""
        return sum(day.counts.get(name, 0) for day in self.days for name in PURCHASES)

    def total(self, currency: str) -> float:
        """Value of the purchases in one currency."""
        return sum(day.values.get(currency, 0.0) for day in self.days)


def figures(connection: Connection, installation_id: str, now: datetime, days: int) -> Figures:
    """The last `days` days, today included. Accepted events come from hourly counts, the newest from their rows."""
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    counted = _counted(connection, installation_id, first, days)
    spread = tuple(_day(first + timedelta(days=at), one) for at, one in enumerate(counted))
    total = sum(counted, Counter[str]())
    mine = (_event.c.installation_id == installation_id, _event.c.id >= _first_id(first))
    return Figures(
        days=spread,
        names=_by_weight(total),
        currencies=tuple(sorted(_named(total, "sold"), key=lambda one: (-total[f"~sold_{one}"], one))),
        states=_states(connection, mine) | {EventState.DELIVERED: sum(_named(total, "name").values())},
        match=_match(total),
        problems=(
            *_problems(connection, mine),
            *_warned(connection, mine),
            *_refused(connection, installation_id, first),
        ),
        last_webhook_at=_newest(connection, _webhook, installation_id),
        last_accepted_at=_last_accepted(connection, installation_id),
    )


def _counted(connection: Connection, installation_id: str, first: date, days: int) -> list[Counter[str]]:
    """Per day the metrics of accepted events."""
    since = datetime(first.year, first.month, first.day, tzinfo=UTC)
    kept = overview(connection, since, since + timedelta(days=days), installation_id, hours=24, accepted=True)
    found = [Counter(one) for one in kept.by_part]
    for (hour, _, metric), count in not_counted_yet(connection, installation_id).items():
        if 0 <= (at := (hour.date() - first).days) < days:
            found[at][metric] += count
    return found


def _named(counts: Mapping[str, int], kind: str) -> dict[str, int]:
    """What follows a kind of metric in its name, with its count."""
    start = f"{ACCEPTED}{kind}_"
    return {metric.removeprefix(start): count for metric, count in counts.items() if metric.startswith(start)}


def _first_id(day: date) -> int:
    return id_at(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000))


def _day(day: date, counts: Mapping[str, int]) -> Day:
    values = {currency: sum_ / VALUE_UNIT for currency, sum_ in _named(counts, "value").items()}
    return Day(day, _named(counts, "name"), values)


def _by_weight(total: Mapping[str, int]) -> tuple[str, ...]:
    """Purchases first, then the most frequent."""
    names = _named(total, "name")
    return tuple(sorted(names, key=lambda name: (name not in PURCHASES, -names[name], name)))


def _match(total: Mapping[str, int]) -> tuple[MatchShare, ...]:
    accepted, keys = sum(_named(total, "name").values()), _named(total, "key")
    if not accepted:
        return ()
    return tuple(MatchShare(key, round(100 * keys.get(key, 0) / accepted)) for key in MATCH_KEYS)


def _states(connection: Connection, mine: Sequence[ColumnElement[bool]]) -> dict[str, int]:
    """Of the states that the page tells; each is a range of an index."""
    statement = select(_event.c.state, func.count()).where(*mine, _event.c.state.in_(_TOLD)).group_by(_event.c.state)
    return {row[0]: int(row[1]) for row in connection.execute(statement)}


def _problems(connection: Connection, mine: Sequence[ColumnElement[bool]]) -> tuple[Problem, ...]:
    statement = (
        select(_event.c.state, _event.c.reason, func.count(), func.max(_event.c.updated_at))
        .where(*mine, _event.c.state.in_(_TROUBLE))
        .group_by(_event.c.state, _event.c.reason)
        .order_by(func.max(_event.c.updated_at).desc())
        .limit(_MOST_PROBLEMS)
    )
    return tuple(Problem(row[0], row[1], int(row[2]), row[3]) for row in connection.execute(statement))


def _warned(connection: Connection, mine: Sequence[ColumnElement[bool]]) -> tuple[Problem, ...]:
    """Of the newest events those that went without something, such as a value in a currency that TikTok does not
    list."""
    newest = select(_event.c.id).where(*mine).order_by(_event.c.id.desc()).limit(_NEWEST).subquery()
    statement = (
        select(_event.c.warnings, func.count(), func.max(_event.c.updated_at))
        .join(newest, newest.c.id == _event.c.id)
        .where(_event.c.warnings != "")
        .group_by(_event.c.warnings)
        .limit(_MOST_PROBLEMS)
    )
    return tuple(
        Problem("warned", row[0].split(",")[0], int(row[1]), row[2]) for row in connection.execute(statement)
    )


def _refused(connection: Connection, installation_id: str, first: date) -> tuple[Problem, ...]:
    """Authentic webhooks that were too large to take: the one kind that is refused."""
    since = datetime(first.year, first.month, first.day, tzinfo=UTC)
    mine = (_refusals.c.hour >= since, _refusals.c.installation_id == installation_id)
    row = connection.execute(
        select(func.sum(_refusals.c["count"]), func.max(_refusals.c.hour)).where(
            *mine, _refusals.c.reason == "body_too_large"
        )
    ).one()
    return (Problem("refused", "body_too_large", int(row[0]), row[1]),) if row[0] else ()


def _newest(connection: Connection, table: Any, installation_id: str) -> datetime | None:
    statement = select(func.max(table.c.id)).where(table.c.installation_id == installation_id)
    newest = connection.execute(statement).scalar()
    return None if newest is None else datetime.fromtimestamp(time_of(int(newest)) / 1000, UTC)


def _last_accepted(connection: Connection, installation_id: str) -> datetime | None:
    mine = (_attempt.c.installation_id == installation_id, _attempt.c.result == "accepted")
    newest = connection.execute(
        select(_attempt.c.started_at).where(*mine).order_by(_attempt.c.id.desc()).limit(1)
    ).scalar()
    return newest if isinstance(newest, datetime) else None
