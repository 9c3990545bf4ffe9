"""What is kept about one person, named by e-mail address or by an order: given out, or erased.

What never left is withdrawn; what TikTok already has is named, since no call takes it back.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, select, update

from connector.core.states import EventState
from connector.operations.finding_person import PersonRows, find_buyer, find_person, parts
from connector.operations.history import attempts_of, unanswered
from connector.operations.installations import ACTOR, require_installation
from connector.operations.waiting_person import ERASED, withdraw_waiting
from connector.storage.audit import audit_in
from connector.storage.installations import InstallationRecord
from connector.storage.journeys import stored_body
from connector.storage.known import GONE
from connector.storage.opening import Storage
from connector.storage.queue import event_queue
from connector.storage.search import remove_terms
from connector.storage.tables import ConsentRecord, Event, OrderLedger, Webhook

__all__ = ["Erasure", "erase_person", "export_person"]

_event = Event.__table__  # type: ignore[attr-defined]
_webhook = Webhook.__table__  # type: ignore[attr-defined]
_ledger = OrderLedger.__table__  # type: ignore[attr-defined]
_consent = ConsentRecord.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure did. With `in_flight` above 0 it only stopped what it could: run it again."""

    webhooks_erased: int = 0
    events_erased: int = 0
    events_withdrawn: int = 0
    in_flight: int = 0
    unprocessed_webhooks: int = 0
    tiktok_has: list[dict[str, Any]] = field(default_factory=list)


def export_person(storage: Storage, installation_id: str, email: str = "", *, order: str = "") -> dict[str, Any]:
    """Everything kept about one person, the holder of `email` or the buyer of `order`. Raises UsageError."""
    with storage.database.read() as connection:
        record = require_installation(connection, installation_id)
        person = _found(storage, connection, record, email, order)
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


def erase_person(storage: Storage, installation_id: str, email: str = "", *, order: str = "") -> Erasure:
    """Erase one person, found as above, in one transaction; the ledger of orders stays. Raises UsageError.

    While one of the person's events is being sent nothing is erased yet, see `Erasure.in_flight`.
    """
    with storage.database.write() as connection:
        _overwrite_freed_pages(connection)
        record = require_installation(connection, installation_id)
        person = _found(storage, connection, record, email, order)
        withdrawn, in_flight = _withdraw(connection, storage, person.events)
        busy = withdraw_waiting(connection, record.id, person.waiting, storage.now())
        if in_flight or busy:
            emptied = len(person.waiting) - busy
            return Erasure(webhooks_erased=emptied, events_withdrawn=withdrawn, in_flight=in_flight + busy)
        tiktok_has = _at_tiktok(connection, person.events)
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
        tiktok_has=tiktok_has,
    )


def _found(
    storage: Storage, connection: Connection, record: InstallationRecord, email: str, order: str
) -> PersonRows:
    if order:
        return find_buyer(storage, connection, record, order)
    return find_person(storage, connection, record, email)


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


def _withdraw(connection: Connection, storage: Storage, events: Sequence[Row[Any]]) -> tuple[int, int]:
    """Stop what has not left. Returns how many were stopped, and how many a worker is sending right now."""
    now = storage.now()
    pending = [row.id for row in events if row.state == EventState.PENDING]
    stopped = event_queue.withdraw(connection, pending, now)
    waiting = sorted(stopped) + [row.id for row in events if row.state == EventState.HELD]
    values = {"state": EventState.WITHDRAWN, "reason": ERASED, "next_attempt_at": None, "updated_at": now}
    for part in parts(waiting):
        connection.execute(update(_event).where(_event.c.id.in_(part)).values(values))
    return len(waiting), len(pending) - len(stopped)


def _at_tiktok(connection: Connection, events: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """What TikTok took, and with `answered` False what it may have taken: a call on which nothing of its own came
    back can have arrived all the same.
    """
    tried = [row.id for row in events if row.attempts and row.delivered_at is None]
    in_doubt = {row_id for part in parts(tried) for row_id in unanswered(connection, part)}
    has = [row for row in events if row.delivered_at is not None or row.id in in_doubt]
    return [{**_named(row), "answered": row.delivered_at is not None} for row in has]


def _erase_events(connection: Connection, storage: Storage, events: Sequence[Row[Any]]) -> None:
    """Without a payload no replay can send them. A withheld or filtered row keeps its reason."""
    gone = {"payload": None, "match_keys": "", "visitor_subject": None, "order_subject": None}
    for part in parts([row.id for row in events]):
        connection.execute(update(_event).where(_event.c.id.in_(part)).values(gone | {"updated_at": storage.now()}))
        sent = (_event.c.id.in_(part), _event.c.reason == "")
        connection.execute(update(_event).where(*sent).values(reason=ERASED))
    c = _ledger.c
    for rows in parts([row for row in events if row.order_id]):
        same = (c.installation_id == rows[0].installation_id, c.order_id.in_([row.order_id for row in rows]))
        ids = [row.id for row in rows]
        connection.execute(update(_ledger).where(*same, c.event_row_id.in_(ids)).values(event_row_id=GONE))


def _erase_webhooks(connection: Connection, ids: Sequence[int]) -> None:
    remove_terms(connection, ids)
    values = {"body": b"", "body_encoding": "expired", "headers": "{}"}
    for part in parts(ids):
        connection.execute(update(_webhook).where(_webhook.c.id.in_(part)).values(values))


def _consents(connection: Connection, person: PersonRows) -> list[dict[str, Any]]:
    subjects = {bytes(s) for row in person.events for s in (row.visitor_subject, row.order_subject) if s}
    names = "status source global_privacy_control stated_at recorded_at".split()
    found: list[dict[str, Any]] = []
    for part in parts(sorted(subjects)):
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
