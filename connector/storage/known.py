"""What the database already knows about the orders, visitors and event ids of a group of webhooks, and the
writing of what processing made of them. Both in few statements for the whole group.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, insert, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.core.states import EventState
from connector.core.store_events import ConsentStatement, ConsentStatus, Order
from connector.storage.columns import DecimalText, UtcTime
from connector.storage.queue import NewWork, event_queue
from connector.storage.search import add_terms
from connector.storage.tables import ConsentRecord, Event, OrderLedger, Webhook

__all__ = [
    "Known",
    "KnownEvent",
    "LedgerEntry",
    "Subjects",
    "Written",
    "load_known",
    "lock_orders",
    "order_digest",
    "write",
]

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_ledger = OrderLedger.__table__  # type: ignore[attr-defined]
_consent = ConsentRecord.__table__  # type: ignore[attr-defined]

# Built once: building them anew for each group cost more than their answers (measured, `make bench`).
_CONSENTS = (
    select(_consent).where(_consent.c.subject.in_(bindparam("subjects", expanding=True))).order_by(_consent.c.id)
)
_LEDGER = select(_ledger).where(_ledger.c.digest.in_(bindparam("digests", expanding=True)))
_EVENT_IDS = select(_event.c.event_id).where(
    _event.c.installation_id == bindparam("of"), _event.c.event_id.in_(bindparam("ids", expanding=True))
)
_KNOWN_COLUMNS = [
    _event.c[name]
    for name in (
        "id", "installation_id", "state", "visitor_subject", "order_subject", "consent_policy", "country",
        "browser_copy", "attempts",
    )
]  # fmt: skip
_EVENTS = select(*_KNOWN_COLUMNS).where(_event.c.id.in_(bindparam("ids", expanding=True)))
_VISITORS_EVENTS = select(*_KNOWN_COLUMNS).where(
    _event.c.visitor_subject.in_(bindparam("people", expanding=True)),
    _event.c.state.in_([EventState.PENDING, EventState.HELD]),
)


@dataclass(slots=True)
class LedgerEntry:
    """One order for ever."""

    digest: bytes
    installation_id: str
    order_id: str
    status: str = ""
    modified_at: datetime | None = None
    event_row_id: int | None = None
    changed: bool = True


@dataclass(slots=True)
class KnownEvent:
    """An event that stood before, or that this group made. `in_flight`: a worker is sending it right now."""

    id: int
    installation_id: str
    state: EventState
    visitor_subject: bytes | None
    order_subject: bytes | None
    consent_policy: str
    country: str | None
    browser_copy: bool
    attempts: int
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Subjects:
    """What a group of webhooks is about."""

    orders: frozenset[bytes]
    told_orders: frozenset[tuple[str, str]]
    people: frozenset[bytes]
    event_ids: frozenset[tuple[str, str]]


@dataclass(slots=True)
class Known:
    """The database's knowledge, kept up to date in memory while a group is worked through in order."""

    ledger: dict[bytes, LedgerEntry] = field(default_factory=dict)
    events: dict[int, KnownEvent] = field(default_factory=dict)
    event_ids: set[tuple[str, str]] = field(default_factory=set)
    consents: dict[bytes, list[ConsentStatement]] = field(default_factory=dict)


@dataclass(slots=True)
class Written:
    """Everything that a group of webhooks changes, as rows."""

    events: list[dict[str, Any]] = field(default_factory=list)
    work: list[NewWork] = field(default_factory=list)
    event_changes: list[dict[str, Any]] = field(default_factory=list)
    consents: list[dict[str, Any]] = field(default_factory=list)
    terms: list[tuple[bytes, int]] = field(default_factory=list)
    webhooks: list[dict[str, Any]] = field(default_factory=list)


def order_digest(installation_id: str, order: Order) -> bytes:
    """The ledger's key: installation, order id and order key, since order numbers recur. Never depends on a
    secret key, so that it outlives every rotation.
    """
    text = f"{installation_id}\x1f{order.order_id}\x1f{order.order_key}"
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[:16]


def lock_orders(connection: Connection, digests: Iterable[bytes]) -> None:
    """On PostgreSQL: take these orders for this transaction, in one order, so that two workers never read the
    same order's ledger at once. SQLite has one writer anyway.
    """
    if connection.dialect.name != "postgresql":
        return
    keys = sorted({int.from_bytes(digest[:8], "big", signed=True) for digest in digests})
    if keys:
        connection.execute(
            text("SELECT pg_advisory_xact_lock(k) FROM unnest(CAST(:keys AS bigint[])) AS t(k)"), {"keys": keys}
        )


def load_known(connection: Connection, subjects: Subjects) -> Known:
    """Read what is known about these subjects."""
    known = Known()
    _load_ledger(connection, subjects, known)
    _load_events(connection, subjects, known)
    for part in _parts(list(subjects.people)):
        for row in connection.execute(_CONSENTS, {"subjects": part}):
            known.consents.setdefault(row.subject, []).append(_statement(row))
    _load_event_ids(connection, subjects, known)
    return known


def _load_event_ids(connection: Connection, subjects: Subjects, known: Known) -> None:
    of: dict[str, list[str]] = {}
    for installation_id, event_id in subjects.event_ids:
        of.setdefault(installation_id, []).append(event_id)
    for installation_id, event_ids in of.items():
        for part in _parts(event_ids):
            found = connection.execute(_EVENT_IDS, {"of": installation_id, "ids": part}).scalars()
            known.event_ids.update((installation_id, event_id) for event_id in found)


def _load_ledger(connection: Connection, subjects: Subjects, known: Known) -> None:
    c = _ledger.c
    for part in _parts(list(subjects.orders)):
        _note_ledger(connection.execute(_LEDGER, {"digests": part}), known)
    for pairs in _parts(list(subjects.told_orders)):
        same = or_(*(and_(c.installation_id == i, c.order_id == o) for i, o in pairs))
        _note_ledger(connection.execute(select(_ledger).where(same)), known)


def _note_ledger(rows: Iterable[Any], known: Known) -> None:
    for row in rows:
        known.ledger[bytes(row.digest)] = LedgerEntry(
            bytes(row.digest), row.installation_id, row.order_id, row.status, row.modified_at, row.event_row_id, False
        )


def _load_events(connection: Connection, subjects: Subjects, known: Known) -> None:
    of_orders = [entry.event_row_id for entry in known.ledger.values() if entry.event_row_id is not None]
    for part in _parts(of_orders):
        _note_events(connection.execute(_EVENTS, {"ids": part}), known)
    for people in _parts(list(subjects.people)):
        _note_events(connection.execute(_VISITORS_EVENTS, {"people": people}), known)


def _note_events(rows: Iterable[Any], known: Known) -> None:
    for row in rows:
        values = dict(row._mapping) | {"state": EventState(row.state)}
        known.events[row.id] = KnownEvent(**values)


def _statement(row: Any) -> ConsentStatement:
    return ConsentStatement(ConsentStatus(row.status), row.stated_at, row.source, row.global_privacy_control)


def write(connection: Connection, written: Written, ledger: Iterable[LedgerEntry]) -> None:
    """Write a group's rows."""
    if written.events:
        _write_events(connection, written.events)
    event_queue.add(connection, written.work)
    for change in written.event_changes:
        connection.execute(update(_event).where(_event.c.id == change.pop("id")).values(**change))
    if written.consents:
        connection.execute(insert(_consent), written.consents)
    add_terms(connection, written.terms)
    _write_ledger(connection, [entry for entry in ledger if entry.changed])
    if written.webhooks:
        _write_webhooks(connection, written.webhooks)


# The two widest writes of a group go to the driver as they are: turning each value by itself into what the driver
# takes cost as much as the writing (measured, `make bench`). All values are parameters.
_EVENT_COLUMNS = tuple(column.name for column in _event.c)
_PLAIN_TEXT = ("name", "state", "consent_policy")  # words of ours, which a driver may take for something else
_WEBHOOK_COLUMNS = ("new_state", "new_reason", "new_order_id", "at", "new_body", "new_encoding", "row_id")
_WEBHOOK_DONE = (
    "UPDATE webhook SET state = {0}, reason = {0}, order_id = {0}, processed_at = {0}, body = {0},"
    " body_encoding = {0} WHERE id = {0}"
)


def _write_events(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    turn: dict[str, Callable[[Any], Any]] = dict.fromkeys(_PLAIN_TEXT, str)
    for column in _event.c:
        if isinstance(column.type, UtcTime | DecimalText):
            turn[column.name] = column.type.bind_processor(connection.dialect) or _as_it_is
    marks = ", ".join([_mark(connection)] * len(_EVENT_COLUMNS))
    statement = f"INSERT INTO event ({', '.join(_EVENT_COLUMNS)}) VALUES ({marks})"  # noqa: S608 - names of ours
    connection.exec_driver_sql(statement, _turned(rows, _EVENT_COLUMNS, turn))


def _write_webhooks(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    time = _webhook.c.processed_at.type.bind_processor(connection.dialect) or _as_it_is
    values = _turned(rows, _WEBHOOK_COLUMNS, {"new_state": str, "at": time})
    connection.exec_driver_sql(_WEBHOOK_DONE.format(_mark(connection)), values)


def _turned(
    rows: Sequence[dict[str, Any]], names: Sequence[str], turn: Mapping[str, Callable[[Any], Any]]
) -> list[tuple[Any, ...]]:
    """The rows as the driver takes them."""
    return [tuple(turn[name](row[name]) if name in turn else row[name] for name in names) for row in rows]


def _as_it_is(value: Any) -> Any:
    return value


def _mark(connection: Connection) -> str:
    return "?" if connection.dialect.name == "sqlite" else "%s"


def _write_ledger(connection: Connection, entries: Sequence[LedgerEntry]) -> None:
    if not entries:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(_ledger)
    statement = statement.on_conflict_do_update(
        index_elements=[_ledger.c.digest],
        set_={name: statement.excluded[name] for name in ("status", "modified_at", "event_row_id")},
    )
    names = ("digest", "installation_id", "order_id", "status", "modified_at", "event_row_id")
    connection.execute(statement, [{name: getattr(entry, name) for name in names} for entry in entries])


def _parts(values: list[Any], size: int = 200) -> Iterable[list[Any]]:
    return (values[start : start + size] for start in range(0, len(values), size))
