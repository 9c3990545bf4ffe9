"""Lists over tables of any size: keyset pages, bounded scans, bounded counts. Only columns that staff may see.

A page walks an index by id, newest first. Conditions that no index answers are applied to what the walk passes,
and the walk stops after a budget of time, saying how far it came: the reader goes on from there. So no filter,
however rare its matches, costs more than the budget.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, func, literal_column, select

from connector.core.row_ids import id_at
from connector.storage.tables import AttemptEvent, DeliveryAttempt, Event, RefusedWebhook, Webhook

__all__ = ["ATTEMPTS", "EVENTS", "REFUSED", "WEBHOOKS", "ListOf", "Page", "Wanted", "count_up_to", "read_page"]

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]
_attempt_event = AttemptEvent.__table__  # type: ignore[attr-defined]
_refused = RefusedWebhook.__table__  # type: ignore[attr-defined]

SCAN_SECONDS = 0.04
_FIRST_CHUNK, _LARGEST_CHUNK = 500, 4000
_POINTED = 500  # most rows that an order number, an event id or a request id leads to
# States so rare that they have an index of their own, over all installations.
_RARE_EVENTS = frozenset({"held", "rejected", "dead"})


@dataclass(frozen=True, slots=True)
class ListOf:
    """One list: its table, what staff may see of a row, and which conditions an index answers."""

    table: Table
    columns: tuple[str, ...]
    equal: tuple[str, ...]  # columns that can be asked for by one value

    def shown(self) -> list[ColumnElement[Any]]:
        """The columns of the list."""
        return [self.table.c[name] for name in self.columns]


WEBHOOKS = ListOf(
    _webhook,
    ("id", "installation_id", "topic", "received_at", "state", "reason", "source", "order_id", "processed_at"),
    ("topic", "state", "reason", "source"),
)
EVENTS = ListOf(
    _event,
    (
        "id", "installation_id", "webhook_id", "event_id", "name", "state", "reason", "value", "currency",
        "order_id", "event_time", "match_keys", "warnings", "consent", "country", "attempts", "next_attempt_at",
        "created_at", "delivered_at",
    ),
    ("name", "state", "reason", "consent", "country"),
)  # fmt: skip
ATTEMPTS = ListOf(
    _attempt,
    (
        "id", "installation_id", "started_at", "duration_ms", "event_count", "is_test", "http_status", "code",
        "message", "request_id", "result", "reason",
    ),
    ("result", "reason", "code", "http_status"),
)  # fmt: skip
REFUSED = ListOf(
    _refused,
    ("id", "installation_id", "received_at", "status", "reason", "topic", "size"),
    ("status", "reason", "topic"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader asked for. `before` and `after` are ids, exclusive; the id of a row sorts by time."""

    installation_id: str = ""
    equal: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    order_id: str = ""
    event_id: str = ""
    request_id: str = ""
    ids: tuple[int, ...] | None = None
    before: int | None = None
    after: int | None = None
    oldest_first: bool = False
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the wished order. `more`: there are or may be others beyond the last row, from id `edge` on.

    `stopped` is True when the budget ended the walk before the page was full.
    """

    rows: Sequence[Row[Any]]
    more: bool
    edge: int | None
    stopped: bool = False


def read_page(
    connection: Connection,
    listed: ListOf,
    wanted: Wanted,
    installation_ids: Sequence[str] = (),
    clock: Callable[[], float] = time.monotonic,
) -> Page:
    """One page. `installation_ids` are all there are: what is asked for over all of them is looked up in each."""
    ids = _pointed_ids(connection, listed, wanted, installation_ids)
    indexed, scanned = _conditions(listed, wanted)
    if ids is not None:
        indexed.append(listed.table.c.id.in_(ids))
    # A place says which way the walk goes; the order of the list only how its rows are shown.
    down = wanted.before is not None or (wanted.after is None and not wanted.oldest_first)
    return _walk(connection, listed, wanted, indexed, scanned, down, clock)


def count_up_to(connection: Connection, listed: ListOf, wanted: Wanted, most: int) -> int | None:
    """How many rows match, `most` at most; None when only a scan could tell."""
    indexed, scanned = _conditions(listed, wanted)
    if scanned or wanted.order_id or wanted.event_id or wanted.request_id:
        return None
    inner = select(literal_column("1")).select_from(listed.table).where(*indexed).limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(inner)).scalar_one())


def _walk(
    connection: Connection,
    listed: ListOf,
    wanted: Wanted,
    indexed: list[ColumnElement[bool]],
    scanned: list[ColumnElement[bool]],
    down: bool,
    clock: Callable[[], float],
) -> Page:
    cursor = wanted.before if wanted.before is not None else wanted.after
    found: list[Row[Any]] = []
    started, chunk, edge = clock(), _FIRST_CHUNK, cursor
    while True:
        wish = wanted.limit - len(found) + 1
        statement = _step(listed, indexed, scanned, down, cursor, chunk if scanned else wish)
        found += connection.execute(statement.limit(wish)).all()
        if len(found) > wanted.limit:
            rows = found[: wanted.limit]
            return _turned(rows, wanted, down, more=True, edge=rows[-1].id)
        edge = _end_of_step(connection, listed, indexed, down, cursor, chunk) if scanned else None
        if edge is None:
            return _turned(found, wanted, down, more=False, edge=found[-1].id if found else cursor)
        if clock() - started > SCAN_SECONDS:
            return _turned(found, wanted, down, more=True, edge=edge, stopped=True)
        cursor, chunk = edge, min(chunk * 2, _LARGEST_CHUNK)


def _turned(
    rows: list[Row[Any]], wanted: Wanted, down: bool, *, more: bool, edge: int | None, stopped: bool = False
) -> Page:
    """In the wished order: a walk towards newer rows is shown the other way round."""
    return Page(rows[::-1] if down is wanted.oldest_first else rows, more, edge, stopped)


def _step(
    listed: ListOf,
    indexed: list[ColumnElement[bool]],
    scanned: list[ColumnElement[bool]],
    down: bool,
    cursor: int | None,
    chunk: int,
) -> Any:
    key = listed.table.c.id
    order = key.desc() if down else key.asc()
    inner = select(*listed.shown()).where(*indexed, *_beyond(key, cursor, down)).order_by(order).limit(chunk)
    if not scanned:
        return inner
    part = inner.subquery()
    outer = select(part).order_by(part.c.id.desc() if down else part.c.id.asc())
    return outer.where(*(part.c[condition.left.name] == condition.right for condition in scanned))


def _end_of_step(
    connection: Connection,
    listed: ListOf,
    indexed: list[ColumnElement[bool]],
    down: bool,
    cursor: int | None,
    chunk: int,
) -> int | None:
    """The last id that the step passed; None when it came to the end of the table."""
    key = listed.table.c.id
    order = key.desc() if down else key.asc()
    statement = select(key).where(*indexed, *_beyond(key, cursor, down)).order_by(order).offset(chunk - 1).limit(1)
    found: int | None = connection.execute(statement).scalar()
    return found


def _beyond(key: Any, cursor: int | None, down: bool) -> list[ColumnElement[bool]]:
    if cursor is None:
        return []
    return [key < cursor if down else key > cursor]


def _conditions(listed: ListOf, wanted: Wanted) -> tuple[list[ColumnElement[bool]], list[ColumnElement[bool]]]:
    """What an index answers, and what has to be looked at row by row."""
    c = listed.table.c
    indexed: list[ColumnElement[bool]] = []
    if wanted.installation_id:
        indexed.append(c.installation_id == wanted.installation_id)
    if wanted.since is not None:
        indexed.append(c.id >= id_at(int(wanted.since.timestamp() * 1000)))
    if wanted.until is not None:
        indexed.append(c.id < id_at(int(wanted.until.timestamp() * 1000)))
    scanned: list[ColumnElement[bool]] = []
    for name in listed.equal:
        value = wanted.equal.get(name)
        if not value:
            continue
        if name == "state" and _state_has_index(listed, wanted, value):
            # Written out, since a partial index is used only for its own literal. Only words of the set get here.
            indexed.append(c.state == literal_column(f"'{value}'"))
        else:
            scanned.append(c[name] == _typed(c[name], value))
    return indexed, scanned


def _state_has_index(listed: ListOf, wanted: Wanted, value: str) -> bool:
    if not value.isalpha():
        return False
    if listed is EVENTS:
        return value in _RARE_EVENTS or bool(wanted.installation_id)
    return listed is WEBHOOKS and value == "unreadable" and not wanted.installation_id


def _typed(column: Any, value: str) -> Any:
    if column.type.python_type is int:
        return int(value) if value.lstrip("-").isdigit() else -1
    return value


def _pointed_ids(
    connection: Connection, listed: ListOf, wanted: Wanted, installation_ids: Sequence[str]
) -> list[int] | None:
    """Ids that an order number, event id or request id leads to; None when none of these is asked for."""
    where = [wanted.installation_id] if wanted.installation_id else list(installation_ids)
    found: set[int] | None = None if wanted.ids is None else set(wanted.ids)
    for text, lookup in (
        (wanted.order_id, _of_order),
        (wanted.event_id, _of_event_id),
        (wanted.request_id, _of_request),
    ):
        if text:
            ids = set(lookup(connection, listed, text, where))
            found = ids if found is None else found & ids
    return None if found is None else sorted(found)


def _of_order(connection: Connection, listed: ListOf, order_id: str, where: Sequence[str]) -> list[int]:
    if listed is WEBHOOKS:
        c = _webhook.c
        return _ids(connection, select(c.id).where(c.installation_id.in_(where), c.order_id == order_id))
    return _from_events(connection, listed, _events_of(_event.c.order_id, order_id, where))


def _of_event_id(connection: Connection, listed: ListOf, event_id: str, where: Sequence[str]) -> list[int]:
    return _from_events(connection, listed, _events_of(_event.c.event_id, event_id, where))


def _events_of(column: Any, value: str, where: Sequence[str]) -> Any:
    return select(_event.c.id).where(_event.c.installation_id.in_(where), column == value)


def _of_request(connection: Connection, listed: ListOf, request_id: str, where: Sequence[str]) -> list[int]:
    attempts = select(_attempt.c.id).where(_attempt.c.request_id == request_id)
    if listed is ATTEMPTS:
        return _ids(connection, attempts)
    inside = select(_attempt_event.c.event_row_id).where(_attempt_event.c.attempt_id.in_(attempts))
    return _from_events(connection, listed, inside)


def _from_events(connection: Connection, listed: ListOf, events: Any) -> list[int]:
    """From event row ids to the list's own."""
    if listed is EVENTS:
        return _ids(connection, events)
    if listed is WEBHOOKS:
        return _ids(connection, select(_event.c.webhook_id).where(_event.c.id.in_(events)))
    if listed is ATTEMPTS:
        return _ids(connection, select(_attempt_event.c.attempt_id).where(_attempt_event.c.event_row_id.in_(events)))
    return []


def _ids(connection: Connection, statement: Any) -> list[int]:
    return list(connection.execute(statement.limit(_POINTED)).scalars())
