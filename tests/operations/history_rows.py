"""A history of any age: webhooks with their keys, terms, events, attempts and consents, written as rows."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select

from connector.core.row_ids import id_at
from connector.storage.opening import Storage
from connector.storage.tables import (
    AttemptEvent,
    ConsentRecord,
    DeliveryAttempt,
    Event,
    OrderLedger,
    RefusalCount,
    RefusedWebhook,
    SearchTerm,
    Webhook,
    WebhookKey,
)
from connector.storage.tables_console import RollupHour

BODY = b'{"id":1,"billing":{"email":"canary@example.com"}}'


def id_of(at: datetime, number: int = 0) -> int:
    return id_at(int(at.timestamp() * 1000)) + number


def add_history(storage: Storage, at: datetime, count: int = 1, *, event_state: str = "delivered") -> list[int]:
    """That many webhooks of that moment, each with everything that hangs on it. Returns their ids."""
    ids = [id_of(at, number) for number in range(count)]
    rows: list[tuple[Any, list[dict[str, Any]]]] = [
        (Webhook, [_webhook(row_id, at) for row_id in ids]),
        (WebhookKey, [{"digest": row_id.to_bytes(24, "big"), "webhook_id": row_id, "copies": 0} for row_id in ids]),
        (SearchTerm, [{"term": b"term", "webhook_id": row_id} for row_id in ids]),
        (Event, [_event(row_id, at, event_state) for row_id in ids]),
        (OrderLedger, [_order(row_id) for row_id in ids]),
        (DeliveryAttempt, [_attempt(row_id, at) for row_id in ids]),
        (AttemptEvent, [{"event_row_id": row_id, "attempt_id": row_id} for row_id in ids]),
        (ConsentRecord, [_consent(row_id, at) for row_id in ids]),
        (RefusedWebhook, [_refused(row_id, at) for row_id in ids]),
    ]
    with storage.database.write() as connection:
        for table, values in rows:
            connection.execute(insert(table.__table__), values)
    return ids


def add_counts(storage: Storage, at: datetime) -> None:
    hour = at.replace(minute=0, second=0, microsecond=0)
    with storage.database.write() as connection:
        values = {"hour": hour, "installation_id": "installation1", "count": 3}
        connection.execute(insert(RefusalCount.__table__), values | {"reason": "bad_signature"})
        connection.execute(insert(RollupHour.__table__), values | {"metric": "arrived"})


def count(storage: Storage, *tables: Any) -> list[int]:
    with storage.database.read() as connection:
        return [connection.execute(select(func.count()).select_from(t.__table__)).scalar_one() for t in tables]


def webhook_row(storage: Storage, row_id: int) -> Any:
    with storage.database.read() as connection:
        return connection.execute(select(Webhook.__table__).where(Webhook.__table__.c.id == row_id)).one()


def event_row(storage: Storage, row_id: int) -> Any:
    with storage.database.read() as connection:
        return connection.execute(select(Event.__table__).where(Event.__table__.c.id == row_id)).one()


def _webhook(row_id: int, at: datetime) -> dict[str, Any]:
    return {
        "id": row_id,
        "installation_id": "installation1",
        "topic": "order.updated",
        "received_at": at,
        "digest": row_id.to_bytes(24, "big"),
        "headers": "{}",
        "body": BODY,
        "body_encoding": "raw",
        "source": "store",
        "state": "processed",
        "reason": "",
        "processed_at": at + timedelta(seconds=1),
    }


def _event(row_id: int, at: datetime, state: str) -> dict[str, Any]:
    return {
        "id": row_id,
        "installation_id": "installation1",
        "webhook_id": row_id,
        "event_id": f"event-{row_id}",
        "name": "CompletePayment",
        "state": state,
        "reason": "",
        "event_time": at,
        "pixel_code": "",
        "payload": b'{"user":{"email":"hash"}}',
        "match_keys": "email",
        "warnings": "",
        "consent": "",
        "consent_policy": "",
        "browser_copy": False,
        "attempts": 1,
        "created_at": at,
        "updated_at": at,
    }


def _order(row_id: int) -> dict[str, Any]:
    values = {"installation_id": "installation1", "order_id": str(row_id), "status": "completed"}
    return values | {"digest": row_id.to_bytes(16, "big"), "event_row_id": row_id}


def _attempt(row_id: int, at: datetime) -> dict[str, Any]:
    texts = dict.fromkeys(("pixel_code", "message", "request_id", "result", "reason"), "")
    numbers = {"duration_ms": 1, "event_count": 1, "is_test": False}
    return {"id": row_id, "installation_id": "installation1", "started_at": at, **texts, **numbers}


def _consent(row_id: int, at: datetime) -> dict[str, Any]:
    return {
        "id": row_id,
        "installation_id": "installation1",
        "subject": b"somebody",
        "status": "granted",
        "source": "",
        "global_privacy_control": False,
        "recorded_at": at,
        "webhook_id": row_id,
    }


def _refused(row_id: int, at: datetime) -> dict[str, Any]:
    values = {"id": row_id, "installation_id": "installation1", "received_at": at, "status": 401}
    return values | {"reason": "bad_signature", "topic": "", "size": 10}
