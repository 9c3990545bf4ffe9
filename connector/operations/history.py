"""Lists of events and webhooks, oldest first, in pages: a million rows never stand in memory together."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from connector.core.row_ids import id_at
from connector.errors import UsageError
from connector.storage.engine import Database
from connector.storage.tables import AttemptEvent, DeliveryAttempt, Event, Webhook, WebhookKey

__all__ = [
    "EventLine",
    "WebhookLine",
    "attempts_of",
    "count_by_state",
    "events_of_webhook",
    "find_webhook",
    "list_events",
    "list_webhooks",
    "unanswered",
]

_event = Event.__table__  # type: ignore[attr-defined]
_webhook = Webhook.__table__  # type: ignore[attr-defined]
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]
_attempt_event = AttemptEvent.__table__  # type: ignore[attr-defined]
_key = WebhookKey.__table__  # type: ignore[attr-defined]

_PAGE = 1000
# Machines' clocks differ; ids are times.
_SKEW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event as lists show it; nothing about a person."""

    id: int
    event_id: str
    name: str
    state: str
    reason: str
    value: Decimal | None
    currency: str | None
    order_id: str | None
    attempts: int
    created_at: datetime
    delivered_at: datetime | None
    webhook_id: int


@dataclass(frozen=True, slots=True)
class WebhookLine:
    """One stored webhook as lists show it, with the ids of the events that it made."""

    id: int
    installation_id: str
    topic: str
    received_at: datetime
    state: str
    reason: str
    processed_at: datetime | None
    event_ids: tuple[str, ...] = ()


_EVENT_COLUMNS = [_event.c[name] for name in EventLine.__slots__]
_WEBHOOK_COLUMNS = [_webhook.c[name] for name in WebhookLine.__slots__ if name != "event_ids"]


def list_events(
    database: Database, installation_id: str, *, state: str | None = None, limit: int | None = None
) -> Iterator[EventLine]:
    """Events of one installation, oldest first, in one state or in all."""
    statement = select(*_EVENT_COLUMNS).where(_event.c.installation_id == installation_id)
    if state is not None:
        statement = statement.where(_event.c.state == state)
    for rows in _pages(database, statement, _event.c.id, limit):
        yield from (_event_line(row) for row in rows)


def list_webhooks(
    database: Database, installation_id: str | None = None, *, limit: int | None = None
) -> Iterator[WebhookLine]:
    """Stored webhooks, oldest first, of one installation or of all."""
    statement = select(*_WEBHOOK_COLUMNS)
    if installation_id is not None:
        statement = statement.where(_webhook.c.installation_id == installation_id)
    for rows in _pages(database, statement, _webhook.c.id, limit):
        with database.read() as connection:
            made = _event_ids(connection, rows)
        yield from (WebhookLine(**row._mapping, event_ids=tuple(made[row.id])) for row in rows)


def find_webhook(connection: Connection, webhook_id: int) -> tuple[Row[Any], int]:
    """The whole row of a webhook, and how many copies of it came later. Raises UsageError when there is none."""
    row = connection.execute(select(_webhook).where(_webhook.c.id == webhook_id)).first()
    if row is None:
        raise UsageError(f"there is no webhook {webhook_id} (see `connector webhooks list`)")
    copies = connection.execute(select(_key.c.copies).where(_key.c.digest == row.digest)).scalar()
    return row, int(copies or 0)


def events_of_webhook(connection: Connection, webhook: Row[Any]) -> list[EventLine]:
    """The events that a webhook made."""
    statement = select(*_EVENT_COLUMNS).where(
        _event.c.installation_id == webhook.installation_id,
        _event.c.webhook_id == webhook.id,
        *_made_between([webhook]),
    )
    return [_event_line(row) for row in connection.execute(statement.order_by(_event.c.id))]


def attempts_of(connection: Connection, event_row_ids: list[int]) -> list[Row[Any]]:
    """Calls to TikTok that carried any of these events, oldest first."""
    joined = _attempt.join(_attempt_event, _attempt_event.c.attempt_id == _attempt.c.id)
    statement = select(_attempt).select_from(joined).where(_attempt_event.c.event_row_id.in_(event_row_ids))
    return list(connection.execute(statement.distinct().order_by(_attempt.c.id))) if event_row_ids else []


def unanswered(connection: Connection, event_row_ids: Sequence[int]) -> set[int]:
    """Those of these events that were in a call to which TikTok answered nothing of its own."""
    joined = _attempt.join(_attempt_event, _attempt_event.c.attempt_id == _attempt.c.id)
    statement = select(_attempt_event.c.event_row_id).select_from(joined).where(_attempt.c.code.is_(None))
    return set(connection.execute(statement.where(_attempt_event.c.event_row_id.in_(event_row_ids))).scalars())


def count_by_state(connection: Connection, installation_id: str) -> dict[str, int]:
    """How many events of the installation stand in each state; states without any are left out."""
    statement = (
        select(_event.c.state, func.count())
        .where(_event.c.installation_id == installation_id)
        .group_by(_event.c.state)
        .order_by(_event.c.state)
    )
    return {state: int(count) for state, count in connection.execute(statement)}


def _event_line(row: Row[Any]) -> EventLine:
    return EventLine(**row._mapping)


def _pages(database: Database, statement: Select[Any], row_id: Any, limit: int | None) -> Iterator[list[Row[Any]]]:
    last, left = -1, limit
    while left is None or left > 0:
        size = _PAGE if left is None else min(_PAGE, left)
        with database.read() as connection:
            page = statement.where(row_id > last).order_by(row_id).limit(size)
            rows = list(connection.execute(page))
        if not rows:
            return
        yield rows
        last, left = rows[-1].id, None if left is None else left - len(rows)


def _event_ids(connection: Connection, webhooks: list[Row[Any]]) -> defaultdict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    if not any(webhook.processed_at for webhook in webhooks):
        return found
    statement = (
        select(_event.c.webhook_id, _event.c.event_id)
        .where(_event.c.webhook_id.between(webhooks[0].id, webhooks[-1].id), *_made_between(webhooks))
        .order_by(_event.c.id)
    )
    for webhook_id, event_id in connection.execute(statement):
        found[webhook_id].append(event_id)
    return found


def _made_between(webhooks: list[Row[Any]]) -> tuple[Any, ...]:
    """Events get ids, which are times, between their webhook's arrival and the end of its processing. So the
    table's own key finds them, and the hot table needs no index over `webhook_id`.
    """
    skew = int(_SKEW.total_seconds() * 1000)
    earliest = min(_milliseconds(webhook.received_at) for webhook in webhooks) - skew
    ends = [_milliseconds(webhook.processed_at) for webhook in webhooks if webhook.processed_at]
    since = _event.c.id >= id_at(max(earliest, 0))
    return (since, _event.c.id <= id_at(max(ends) + skew)) if ends else (since,)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
