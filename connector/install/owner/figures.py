"""Numbers of the overview, each asked by ranges of ids, which sort by time, so that old history costs nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, Float, case, cast, func, literal, select
from sqlalchemy.sql.elements import ColumnElement

from connector.core.row_ids import id_at, time_of
from connector.core.states import EventState
from connector.storage.tables import DeliveryAttempt, Event, RefusalCount, Webhook

__all__ = ["MATCH_KEYS", "PURCHASES", "Day", "Figures", "MatchShare", "Problem", "figures"]

MATCH_KEYS = ("email", "phone", "external_id", "ttclid", "ttp", "ip", "user_agent")
PURCHASES = ("CompletePayment", "Purchase")
_TROUBLE = (EventState.REJECTED, EventState.DEAD, EventState.HELD)
_DAY_MS = 86_400_000
_MOST_PROBLEMS = 8
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
    """The last `days` days, today included."""
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    mine = (_event.c.installation_id == installation_id, _event.c.id >= _first_id(first))
    by_day = _by_day(connection, mine)
    spread = tuple(_day(first + timedelta(days=at), by_day) for at in range(days))
    return Figures(
        days=spread,
        names=_by_weight({name: 0 for _, name, *_ in by_day}, spread),
        currencies=_currencies(by_day),
        states=_states(connection, mine),
        match=_match(connection, mine),
        problems=(
            *_problems(connection, mine),
            *_warned(connection, mine),
            *_refused(connection, installation_id, first),
        ),
        last_webhook_at=_newest(connection, _webhook, installation_id),
        last_accepted_at=_last_accepted(connection, installation_id),
    )


def _first_id(day: date) -> int:
    return id_at(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000))


def _by_day(connection: Connection, mine: Sequence[ColumnElement[bool]]) -> list[tuple[int, str, str, int, float]]:
    """Days since 1970, name, currency, count and value of what was accepted."""
    shifted = _event.c.id.op(">>", return_type=BigInteger())(22)
    day = ((shifted + literal(time_of(0), BigInteger())) // literal(_DAY_MS, BigInteger())).label("day")
    value = func.coalesce(func.sum(cast(_event.c.value, Float)), 0.0)
    statement = (
        select(day, _event.c.name, func.coalesce(_event.c.currency, ""), func.count(), value)
        .where(*mine, _event.c.state == EventState.DELIVERED)
        .group_by(day, _event.c.name, _event.c.currency)
    )
    return [(int(row[0]), row[1], row[2], int(row[3]), float(row[4])) for row in connection.execute(statement)]


def _day(day: date, rows: Sequence[tuple[int, str, str, int, float]]) -> Day:
    number = (day - date(1970, 1, 1)).days
    counts: dict[str, int] = {}
    values: dict[str, float] = {}
    for at, name, currency, count, value in rows:
        if at != number:
            continue
        counts[name] = counts.get(name, 0) + count
        if name in PURCHASES and currency:
            values[currency] = values.get(currency, 0.0) + value
    return Day(day, counts, values)


def _by_weight(names: Mapping[str, int], days: Sequence[Day]) -> tuple[str, ...]:
    """Purchases first, then the most frequent."""
    totals = {name: sum(day.counts.get(name, 0) for day in days) for name in names}
    return tuple(sorted(totals, key=lambda name: (name not in PURCHASES, -totals[name], name)))


def _currencies(rows: Sequence[tuple[int, str, str, int, float]]) -> tuple[str, ...]:
    """Those of purchases, the most frequent first."""
    counts: dict[str, int] = {}
    for _, name, currency, count, _ in rows:
        if name in PURCHASES and currency:
            counts[currency] = counts.get(currency, 0) + count
    return tuple(sorted(counts, key=lambda currency: (-counts[currency], currency)))


def _states(connection: Connection, mine: Sequence[ColumnElement[bool]]) -> dict[str, int]:
    statement = select(_event.c.state, func.count()).where(*mine).group_by(_event.c.state)
    return {row[0]: int(row[1]) for row in connection.execute(statement)}


def _match(connection: Connection, mine: Sequence[ColumnElement[bool]]) -> tuple[MatchShare, ...]:
    padded = "," + _event.c.match_keys + ","
    sums: list[Any] = [func.sum(case((padded.like(f"%,{key},%"), 1), else_=0)) for key in MATCH_KEYS]
    row = connection.execute(select(func.count(), *sums).where(*mine, _event.c.state == EventState.DELIVERED)).one()
    if not row[0]:
        return ()
    return tuple(
        MatchShare(key, round(100 * int(found) / int(row[0]))) for key, found in zip(MATCH_KEYS, row[1:], strict=True)
    )


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
    """Events that went without something, such as a value in a currency that TikTok does not list."""
    statement = (
        select(_event.c.warnings, func.count(), func.max(_event.c.updated_at))
        .where(*mine, _event.c.warnings != "")
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
