"""From an order number, an event id or a request id to the rows of a list: exact look-ups by index, bounded."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from connector.storage.lists_asked import ATTEMPTS, EVENTS, WEBHOOKS, ListOf, Wanted
from connector.storage.tables import AttemptEvent, DeliveryAttempt, Event, Installation, Webhook

__all__ = ["pointed_rows"]

_POINTED = 500  # most rows that one of them leads to
_PART = 500  # installations asked in one statement; drivers take 32,766 values at most
_Lookup = Callable[[Connection, ListOf, str, Sequence[str]], list[int]]

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]
_attempt_event = AttemptEvent.__table__  # type: ignore[attr-defined]
_installation = Installation.__table__  # type: ignore[attr-defined]


def pointed_rows(connection: Connection, listed: ListOf, wanted: Wanted) -> list[Row[Any]]:
    """The rows, oldest first, that all given pointers lead to. Whatever else is wanted has not been looked at."""
    where = [wanted.installation_id] if wanted.installation_id else _all_installations(connection)
    lookups: tuple[tuple[str, _Lookup], ...] = (
        (wanted.order_id, _of_order),
        (wanted.event_id, _of_event_id),
        (wanted.request_id, _of_request),
    )
    found = [set(lookup(connection, listed, text, where)) for text, lookup in lookups if text]
    ids = sorted(set.intersection(*found), reverse=True)[:_POINTED]
    key = listed.table.c.id
    # By the ids alone: beside other conditions a planner may prefer the index of one of those.
    return sorted(connection.execute(select(*listed.shown()).where(key.in_(ids))).all(), key=lambda row: int(row.id))


def _all_installations(connection: Connection) -> Sequence[str]:
    return connection.execute(select(_installation.c.id)).scalars().all()


def _of_order(connection: Connection, listed: ListOf, order_id: str, where: Sequence[str]) -> list[int]:
    if listed is WEBHOOKS:
        return _in_parts(connection, _webhook, _webhook.c.order_id == order_id, where)
    return _from_events(connection, listed, _in_parts(connection, _event, _event.c.order_id == order_id, where))


def _of_event_id(connection: Connection, listed: ListOf, event_id: str, where: Sequence[str]) -> list[int]:
    return _from_events(connection, listed, _in_parts(connection, _event, _event.c.event_id == event_id, where))


def _of_request(connection: Connection, listed: ListOf, request_id: str, _where: Sequence[str]) -> list[int]:
    attempts = _ids(connection, select(_attempt.c.id).where(_attempt.c.request_id == request_id))
    if listed is ATTEMPTS:
        return attempts
    inside = select(_attempt_event.c.event_row_id).where(_attempt_event.c.attempt_id.in_(attempts))
    return _from_events(connection, listed, _ids(connection, inside))


def _from_events(connection: Connection, listed: ListOf, events: list[int]) -> list[int]:
    """From event row ids to the list's own."""
    if listed is EVENTS:
        return events
    if listed is WEBHOOKS:
        return _ids(connection, select(_event.c.webhook_id).where(_event.c.id.in_(events)))
    if listed is ATTEMPTS:
        inside = _attempt_event.c.event_row_id.in_(events)
        return _ids(connection, select(_attempt_event.c.attempt_id).where(inside))
    return []


def _in_parts(connection: Connection, table: Any, condition: Any, where: Sequence[str]) -> list[int]:
    found: list[int] = []
    for start in range(0, len(where), _PART):
        part = table.c.installation_id.in_(where[start : start + _PART])
        found += _ids(connection, select(table.c.id).where(part, condition))
    return found


def _ids(connection: Connection, statement: Any) -> list[int]:
    return list(connection.execute(statement.limit(_POINTED)).scalars())
