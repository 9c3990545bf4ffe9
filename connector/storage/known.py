"""What the database already knows of the orders, visitors and event ids of a group of webhooks, in few statements."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select, text

from connector.core.states import EventState
from connector.core.store_events import ConsentStatement, ConsentStatus, Order
from connector.storage.among import PerDatabase, unindexed
from connector.storage.tables import ConsentRecord, Event, OrderLedger, Webhook

__all__ = [
    "GONE",
    "Known",
    "KnownEvent",
    "LedgerEntry",
    "Subjects",
    "load_known",
    "lock_orders",
    "order_digest",
]

# A ledger row whose event is gone says "sold already" for ever: an erased purchase never comes back.
GONE = 0

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_ledger = OrderLedger.__table__  # type: ignore[attr-defined]
_consent = ConsentRecord.__table__  # type: ignore[attr-defined]

# Built once: building them anew for each group cost more than their answers (measured, `make bench`).
_CONSENTS = PerDatabase(
    lambda among: select(_consent).where(among(_consent.c.subject, "subjects")).order_by(_consent.c.id)
)
_LEDGER = PerDatabase(lambda among: select(_ledger).where(among(_ledger.c.digest, "digests")))
_EVENT_IDS = PerDatabase(
    lambda among: select(_event.c.event_id).where(
        among(_event.c.event_id, "ids"), unindexed(_event.c.installation_id) == bindparam("of")
    )
)
_KNOWN_COLUMNS = [
    _event.c[name]
    for name in (
        "id", "installation_id", "event_id", "name", "state", "visitor_subject", "order_subject",
        "consent_policy", "country", "browser_copy", "attempts", "webhook_id",
    )
]  # fmt: skip
_EVENTS = PerDatabase(lambda among: select(*_KNOWN_COLUMNS).where(among(_event.c.id, "ids")))
_VISITORS_EVENTS = PerDatabase(
    lambda among: select(*_KNOWN_COLUMNS).where(
        among(_event.c.visitor_subject, "people"),
        unindexed(_event.c.state).in_([EventState.PENDING, EventState.HELD]),
    )
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
    event_id: str
    name: str
    state: EventState
    visitor_subject: bytes | None
    order_subject: bytes | None
    consent_policy: str
    country: str | None
    browser_copy: bool
    attempts: int
    webhook_id: int  # of which it was made
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
        for row in connection.execute(_CONSENTS.on(connection), {"subjects": part}):
            known.consents.setdefault(row.subject, []).append(_statement(row))
    _load_event_ids(connection, subjects, known)
    return known


def _load_event_ids(connection: Connection, subjects: Subjects, known: Known) -> None:
    of: dict[str, list[str]] = {}
    for installation_id, event_id in subjects.event_ids:
        of.setdefault(installation_id, []).append(event_id)
    for installation_id, event_ids in of.items():
        for part in _parts(event_ids):
            found = connection.execute(_EVENT_IDS.on(connection), {"of": installation_id, "ids": part}).scalars()
            known.event_ids.update((installation_id, event_id) for event_id in found)


def _load_ledger(connection: Connection, subjects: Subjects, known: Known) -> None:
    c = _ledger.c
    for part in _parts(list(subjects.orders)):
        _note_ledger(connection.execute(_LEDGER.on(connection), {"digests": part}), known)
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
        _note_events(connection.execute(_EVENTS.on(connection), {"ids": part}), known)
    for people in _parts(list(subjects.people)):
        _note_events(connection.execute(_VISITORS_EVENTS.on(connection), {"people": people}), known)


def _note_events(rows: Iterable[Any], known: Known) -> None:
    for row in rows:
        values = dict(row._mapping) | {"state": EventState(row.state)}
        known.events[row.id] = KnownEvent(**values)


def _statement(row: Any) -> ConsentStatement:
    return ConsentStatement(ConsentStatus(row.status), row.stated_at, row.source, row.global_privacy_control)


def _parts(values: list[Any], size: int = 200) -> Iterable[list[Any]]:
    return (values[start : start + size] for start in range(0, len(values), size))
