"""A person in webhooks that were stored and not yet processed: no search term and no event tells of them."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.core.states import WebhookState
from connector.core.store_events import Order, StoreEvent
from connector.storage.journeys import stored_body
from connector.storage.known import GONE, order_digest
from connector.storage.queue import webhook_queue
from connector.storage.tables import OrderLedger, Webhook, WebhookWork

__all__ = ["ERASED", "unreadable_with_email", "waiting_webhooks", "waiting_with_email", "withdraw_waiting"]

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_work = WebhookWork.__table__  # type: ignore[attr-defined]
_ledger = OrderLedger.__table__  # type: ignore[attr-defined]
_PART = 200
ERASED = "erased"


def waiting_with_email(connection: Connection, installation_id: str, email: str) -> Iterator[Row[Any]]:
    """Waiting webhooks of the installation whose body names that address (normal form) somewhere."""
    return (row for row in waiting_webhooks(connection, installation_id) if _names(row, email))


def waiting_webhooks(connection: Connection, installation_id: str) -> Iterator[Row[Any]]:
    """Webhooks of the installation that nobody has processed yet."""
    last = 0
    while ids := _waiting_after(connection, installation_id, last):
        last = ids[-1]
        yield from connection.execute(select(_webhook).where(_webhook.c.id.in_(ids))).all()


def unreadable_with_email(connection: Connection, installation_id: str, email: str) -> Iterator[Row[Any]]:
    """Webhooks that nobody could read: no search term tells of them, and a later replay may understand them."""
    c = _webhook.c
    unreadable = (c.installation_id == installation_id, c.state == WebhookState.UNREADABLE)
    last = 0
    while rows := connection.execute(
        select(_webhook).where(*unreadable, c.body_encoding != "expired", c.id > last).order_by(c.id).limit(_PART)
    ).all():
        last = rows[-1].id
        yield from (row for row in rows if _names(row, email))


def _names(row: Row[Any], email: str) -> bool:
    """Whether the address stands in the body, in any of the ways that JSON may write it."""
    escaped = json.dumps(email)[1:-1]
    body = (stored_body(row.body, row.body_encoding) or b"").lower()
    return any(text.encode() in body for text in (email, escaped, escaped.replace("/", "\\/")))


def _waiting_after(connection: Connection, installation_id: str, last: int) -> Sequence[int]:
    where = (_work.c.installation_id == installation_id, _work.c.id > last)
    return connection.execute(select(_work.c.id).where(*where).order_by(_work.c.id).limit(_PART)).scalars().all()


def withdraw_waiting(
    connection: Connection, installation_id: str, read: Sequence[tuple[Row[Any], StoreEvent | None]], now: datetime
) -> int:
    """Empty these waiting webhooks and take them out of the queue for ever. Returns how many are in work."""
    ids = [row.id for row, _ in read]
    stopped = webhook_queue.withdraw(connection, ids, now)
    values = {"state": WebhookState.IGNORED, "reason": ERASED, "processed_at": now}
    empty = {"body": b"", "body_encoding": "expired", "headers": "{}"}
    for row, event in read:
        if row.id not in stopped:
            continue
        connection.execute(update(_webhook).where(_webhook.c.id == row.id).values(values | empty))
        if isinstance(event, Order):
            _close_order(connection, installation_id, event)
    return len(ids) - len(stopped)


def _close_order(connection: Connection, installation_id: str, order: Order) -> None:
    """Whatever comes of this order later finds it sold, and no comparison with the store fetches it anew."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    digest = order_digest(installation_id, order)
    values = {"digest": digest, "installation_id": installation_id, "order_id": str(order.order_id), "status": ""}
    new = dialect.insert(_ledger).values(values | {"event_row_id": GONE, "modified_at": order.modified_at})
    known, told = _ledger.c.modified_at, new.excluded.modified_at
    closed = {
        "event_row_id": func.coalesce(_ledger.c.event_row_id, GONE),
        "modified_at": case((known.is_(None) | (told > known), told), else_=known),
    }
    connection.execute(new.on_conflict_do_update(index_elements=[_ledger.c.digest], set_=closed))
