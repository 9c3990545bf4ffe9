"""What is kept about one person, by e-mail address: given out, or erased.

A person's webhooks are those that carry the address, those of the same orders that name nobody else, and what
the same browser did. What never left is withdrawn; what TikTok already has is named, since no call takes it back.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, func, select, update

from connector.core.identity import normal_email
from connector.core.states import EventState
from connector.core.store_events import CustomerCreated, CustomEvent, Order, StoreEvent
from connector.errors import UnreadablePayload, UsageError
from connector.operations.history import attempts_of, events_of_webhook
from connector.operations.installations import ACTOR, require_installation
from connector.operations.waiting_person import (
    ERASED,
    GONE,
    unreadable_with_email,
    waiting_with_email,
    withdraw_waiting,
)
from connector.platforms import PLATFORMS
from connector.platforms.base import ReadContext, VerifiedWebhook
from connector.storage.audit import audit_in
from connector.storage.installations import InstallationRecord
from connector.storage.journeys import stored_body
from connector.storage.opening import Storage
from connector.storage.queue import event_queue
from connector.storage.search import TermKind, find_webhooks, remove_terms, term
from connector.storage.tables import ConsentRecord, Event, OrderLedger, Webhook, WebhookWork

__all__ = ["Erasure", "PersonRows", "erase_person", "export_person", "find_person"]

_event = Event.__table__  # type: ignore[attr-defined]
_webhook = Webhook.__table__  # type: ignore[attr-defined]
_waiting = WebhookWork.__table__  # type: ignore[attr-defined]
_ledger = OrderLedger.__table__  # type: ignore[attr-defined]
_consent = ConsentRecord.__table__  # type: ignore[attr-defined]

_ALL = 1_000_000
_PART = 200
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PersonRows:
    """Rows about one person, oldest first. Of `webhooks` those in `waiting` are not processed yet.

    `unprocessed` others wait that do not name the person; some may be of the same browser.
    """

    webhooks: Sequence[Row[Any]]
    events: Sequence[Row[Any]]
    waiting: Sequence[tuple[Row[Any], StoreEvent | None]]
    unprocessed: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure did. With `in_flight` above 0 it only stopped what it could: run it again."""

    webhooks_erased: int = 0
    events_erased: int = 0
    events_withdrawn: int = 0
    in_flight: int = 0
    unprocessed_webhooks: int = 0
    tiktok_has: list[dict[str, Any]] = field(default_factory=list)


def find_person(storage: Storage, connection: Connection, record: InstallationRecord, email: str) -> PersonRows:
    """Everything about the holder of that address at this installation. Raises UsageError for no address."""
    wanted = normal_email(email)
    found = term(storage.hash_key, record.id, TermKind.EMAIL, email)
    if wanted is None or found is None:
        raise UsageError("standard input holds no e-mail address")
    waiting = [(row, _read(record, row)) for row in waiting_with_email(connection, record.id, wanted)]
    waiting = [(row, event) for row, event in waiting if _email_of(event) in (None, wanted)]
    webhooks = _webhooks_by_id(connection, find_webhooks(connection, [found], _ALL))
    webhooks |= {row.id: row for row, _ in waiting}
    webhooks |= {row.id: row for row in unreadable_with_email(connection, record.id, wanted)}
    orders = {row.order_id for row in webhooks.values() if row.order_id}
    for row in _webhooks_of_orders(connection, record.id, orders):
        if row.id not in webhooks and _email_of(_read(record, row)) in (None, wanted):
            webhooks[row.id] = row
    events = _events_of(connection, record.id, webhooks, orders)
    for row in _events_of_browsers(connection, record.id, {bytes(s) for e in events if (s := e.visitor_subject)}):
        if row.id not in {event.id for event in events}:
            events.append(row)
    missing = [row.webhook_id for row in events if row.webhook_id not in webhooks]
    webhooks |= _webhooks_by_id(connection, missing)
    count = select(func.count()).select_from(_waiting).where(_waiting.c.installation_id == record.id)
    return PersonRows(
        [webhooks[row_id] for row_id in sorted(webhooks)],
        sorted(events, key=lambda event: int(event.id)),
        waiting,
        int(connection.execute(count).scalar_one()) - len(waiting),
    )


def export_person(storage: Storage, installation_id: str, email: str) -> dict[str, Any]:
    """Everything kept about one person, as one document. Raises UsageError."""
    with storage.database.read() as connection:
        record = require_installation(connection, installation_id)
        person = find_person(storage, connection, record, email)
        document = {
            "installation_id": installation_id,
            "store_url": record.store_url,
            "made_at": storage.now(),
            "webhooks": [_webhook_document(row) for row in person.webhooks],
            "events": [_event_document(connection, row) for row in person.events],
            "consent": _consents(connection, person),
            "unprocessed_webhooks": person.unprocessed,
        }
    with storage.database.write() as connection:
        counts = {"webhooks": len(person.webhooks), "events": len(person.events)}
        audit_in(connection, storage, ACTOR, "export_person", installation_id=installation_id, details=counts)
    return document


def erase_person(storage: Storage, installation_id: str, email: str) -> Erasure:
    """Erase one person, in one transaction; the ledger of orders stays. Raises UsageError.

    While one of the person's events is being sent nothing is erased yet, see `Erasure.in_flight`.
    """
    with storage.database.write() as connection:
        _overwrite_freed_pages(connection)
        record = require_installation(connection, installation_id)
        person = find_person(storage, connection, record, email)
        withdrawn, in_flight = _withdraw(connection, storage, person.events)
        busy = withdraw_waiting(connection, record.id, person.waiting, storage.now())
        if in_flight or busy:
            emptied = len(person.waiting) - busy
            return Erasure(webhooks_erased=emptied, events_withdrawn=withdrawn, in_flight=in_flight + busy)
        _erase_events(connection, storage, person.events)
        _erase_webhooks(connection, [row.id for row in person.webhooks])
        counts = {"webhooks": len(person.webhooks), "events": len(person.events), "withdrawn": withdrawn}
        audit_in(connection, storage, ACTOR, "erase_person", installation_id=installation_id, details=counts)
    _empty_the_log(storage)
    return Erasure(
        webhooks_erased=len(person.webhooks),
        events_erased=len(person.events),
        events_withdrawn=withdrawn,
        unprocessed_webhooks=person.unprocessed,
        tiktok_has=[_named(row) for row in person.events if row.delivered_at is not None],
    )


def _overwrite_freed_pages(connection: Connection) -> None:
    """SQLite otherwise leaves what was deleted in free parts of its file."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def _empty_the_log(storage: Storage) -> None:
    """The write-ahead log holds older copies of the pages; a reader that is at work leaves it for the next time."""
    if storage.database.is_sqlite:
        holder = storage.database.engine.raw_connection()
        try:
            connection: Any = holder.driver_connection
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA secure_delete=OFF")
        finally:
            holder.close()


def _webhooks_by_id(connection: Connection, ids: Sequence[int]) -> dict[int, Row[Any]]:
    found: dict[int, Row[Any]] = {}
    for part in _parts(ids):
        found.update((row.id, row) for row in connection.execute(select(_webhook).where(_webhook.c.id.in_(part))))
    return found


def _webhooks_of_orders(connection: Connection, installation_id: str, orders: set[str]) -> Iterator[Row[Any]]:
    c = _webhook.c
    for part in _parts(sorted(orders)):
        statement = select(_webhook).where(c.installation_id == installation_id, c.order_id.in_(part))
        yield from connection.execute(statement).all()


def _read(record: InstallationRecord, row: Row[Any]) -> StoreEvent | None:
    body = stored_body(row.body, row.body_encoding)
    if body is None:
        return None
    context = ReadContext(record.store_url, record.settings.custom_events)
    try:
        return PLATFORMS[record.platform].read(VerifiedWebhook(row.topic, body, row.received_at), context)
    except UnreadablePayload:
        return None


def _email_of(event: StoreEvent | None) -> str | None:
    """Whose webhook it is. Order numbers recur after a reset: the same number can be somebody else's order."""
    given = event.buyer.email if isinstance(event, Order | CustomerCreated | CustomEvent) else None
    return normal_email(given) if given else None


def _events_of(
    connection: Connection, installation_id: str, webhooks: dict[int, Row[Any]], orders: set[str]
) -> list[Row[Any]]:
    c = _event.c
    found: dict[int, Row[Any]] = {}
    for part in _parts(sorted(orders)):
        statement = select(_event).where(c.installation_id == installation_id, c.order_id.in_(part))
        found.update((row.id, row) for row in connection.execute(statement) if row.webhook_id in webhooks)
    others = [line.id for row in webhooks.values() for line in events_of_webhook(connection, row)]
    for ids in _parts([row_id for row_id in others if row_id not in found]):
        found.update((row.id, row) for row in connection.execute(select(_event).where(c.id.in_(ids))))
    return list(found.values())


def _events_of_browsers(connection: Connection, installation_id: str, subjects: set[bytes]) -> Iterator[Row[Any]]:
    """Views, carts and the like. Purchases are found by their order: several people may share a browser."""
    c = _event.c
    for part in _parts(sorted(subjects)):
        where = (c.visitor_subject.in_(part), c.installation_id == installation_id, c.order_id.is_(None))
        yield from connection.execute(select(_event).where(*where)).all()


def _withdraw(connection: Connection, storage: Storage, events: Sequence[Row[Any]]) -> tuple[int, int]:
    """Stop what has not left. Returns how many were stopped, and how many a worker is sending right now."""
    now = storage.now()
    pending = [row.id for row in events if row.state == EventState.PENDING]
    stopped = event_queue.withdraw(connection, pending, now)
    waiting = sorted(stopped) + [row.id for row in events if row.state == EventState.HELD]
    values = {"state": EventState.WITHDRAWN, "reason": ERASED, "next_attempt_at": None, "updated_at": now}
    for part in _parts(waiting):
        connection.execute(update(_event).where(_event.c.id.in_(part)).values(values))
    return len(waiting), len(pending) - len(stopped)


def _erase_events(connection: Connection, storage: Storage, events: Sequence[Row[Any]]) -> None:
    """Without a payload no replay can send them. A withheld or filtered row keeps its reason."""
    gone = {"payload": None, "match_keys": "", "visitor_subject": None, "order_subject": None}
    for part in _parts([row.id for row in events]):
        connection.execute(update(_event).where(_event.c.id.in_(part)).values(gone | {"updated_at": storage.now()}))
        sent = (_event.c.id.in_(part), _event.c.reason == "")
        connection.execute(update(_event).where(*sent).values(reason=ERASED))
    c = _ledger.c
    for rows in _parts([row for row in events if row.order_id]):
        same = (c.installation_id == rows[0].installation_id, c.order_id.in_([row.order_id for row in rows]))
        ids = [row.id for row in rows]
        connection.execute(update(_ledger).where(*same, c.event_row_id.in_(ids)).values(event_row_id=GONE))


def _erase_webhooks(connection: Connection, ids: Sequence[int]) -> None:
    remove_terms(connection, ids)
    values = {"body": b"", "body_encoding": "expired", "headers": "{}"}
    for part in _parts(ids):
        connection.execute(update(_webhook).where(_webhook.c.id.in_(part)).values(values))


def _consents(connection: Connection, person: PersonRows) -> list[dict[str, Any]]:
    subjects = {bytes(s) for row in person.events for s in (row.visitor_subject, row.order_subject) if s}
    names = "status source global_privacy_control stated_at recorded_at".split()
    found: list[dict[str, Any]] = []
    for part in _parts(sorted(subjects)):
        statement = select(_consent).where(_consent.c.subject.in_(part)).order_by(_consent.c.id)
        found += [{name: getattr(row, name) for name in names} for row in connection.execute(statement)]
    return found


def _webhook_document(row: Row[Any]) -> dict[str, Any]:
    body = stored_body(row.body, row.body_encoding)
    return {
        "webhook_id": str(row.id),
        "topic": row.topic,
        "received_at": row.received_at,
        "state": row.state,
        "reason": row.reason,
        "order_id": row.order_id,
        "headers": json.loads(row.headers),
        "body": None if body is None else body.decode("utf-8", "backslashreplace"),
    }


def _event_document(connection: Connection, row: Row[Any]) -> dict[str, Any]:
    names = "state reason value currency order_id match_keys consent created_at delivered_at".split()
    calls = "started_at http_status code message request_id result reason".split()
    return {
        **_named(row),
        **{name: getattr(row, name) for name in names},
        "payload": json.loads(row.payload) if row.payload else None,
        "attempts": [{name: getattr(a, name) for name in calls} for a in attempts_of(connection, [row.id])],
    }


def _named(row: Row[Any]) -> dict[str, Any]:
    names = "event_id event_time pixel_code".split()
    return {"event": row.name, **{name: getattr(row, name) for name in names}}


def _parts(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (items[start : start + _PART] for start in range(0, len(items), _PART))
