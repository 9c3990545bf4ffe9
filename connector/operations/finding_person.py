"""Which rows are about one person: by e-mail address, or by an order.

A person's webhooks are those that carry the address, those of the same orders that name nobody else, and what
the same browser did.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, func, select

from connector.core.identity import normal_email
from connector.core.store_events import CustomerCreated, CustomEvent, Order, StoreEvent
from connector.errors import UnreadablePayload, UsageError
from connector.operations.history import events_of_webhook
from connector.operations.waiting_person import unreadable_with_email, waiting_webhooks, waiting_with_email
from connector.platforms import PLATFORMS
from connector.platforms.base import ReadContext, VerifiedWebhook
from connector.storage.installations import InstallationRecord
from connector.storage.journeys import stored_body
from connector.storage.opening import Storage
from connector.storage.search import TermKind, find_webhooks, normal_text, term
from connector.storage.tables import Event, Webhook, WebhookWork

__all__ = ["PersonRows", "find_buyer", "find_person", "parts"]

_event = Event.__table__  # type: ignore[attr-defined]
_webhook = Webhook.__table__  # type: ignore[attr-defined]
_work = WebhookWork.__table__  # type: ignore[attr-defined]

_ALL = 1_000_000
_PART = 200
_T = TypeVar("_T")
_Waiting = tuple[Row[Any], StoreEvent | None]


@dataclass(frozen=True, slots=True)
class PersonRows:
    """Rows about one person, oldest first. Of `webhooks` those in `waiting` are not processed yet.

    `unprocessed` others wait that do not name the person; some may be of the same browser.
    """

    webhooks: Sequence[Row[Any]]
    events: Sequence[Row[Any]]
    waiting: Sequence[_Waiting]
    unprocessed: int


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
    return _with_all_that_belongs_to_them(connection, record, webhooks, waiting)


def find_buyer(storage: Storage, connection: Connection, record: InstallationRecord, number: str) -> PersonRows:
    """Everything about whoever placed the order of that id or number; without an address, about the order alone.

    Raises UsageError when the number is of orders of several people, as after a reset of the store.
    """
    found = term(storage.hash_key, record.id, TermKind.ORDER_NUMBER, number)
    asked = normal_text(TermKind.ORDER_NUMBER, number)
    if found is None or asked is None:
        raise UsageError("that is no order number")
    webhooks = _webhooks_by_id(connection, find_webhooks(connection, [found], _ALL))
    webhooks |= {row.id: row for row in _webhooks_of_orders(connection, record.id, {asked})}
    waiting = [
        (row, event) for row in waiting_webhooks(connection, record.id) if _is_of(event := _read(record, row), asked)
    ]
    webhooks |= {row.id: row for row, _ in waiting}
    addresses = {address for row in webhooks.values() if (address := _email_of(_read(record, row)))}
    if len(addresses) > 1:
        raise UsageError("orders of several people have this number: give --email-stdin")
    if addresses:  # what of the order names nobody is theirs too
        person = find_person(storage, connection, record, addresses.pop())
        webhooks |= {row.id: row for row in person.webhooks}
        known = {row.id for row, _ in person.waiting}
        waiting = [*person.waiting, *((row, event) for row, event in waiting if row.id not in known)]
    return _with_all_that_belongs_to_them(connection, record, webhooks, waiting)


def _is_of(event: StoreEvent | None, asked: str) -> bool:
    return isinstance(event, Order) and asked in (
        str(event.order_id),
        normal_text(TermKind.ORDER_NUMBER, event.number),
    )


def _with_all_that_belongs_to_them(
    connection: Connection, record: InstallationRecord, webhooks: dict[int, Row[Any]], waiting: Sequence[_Waiting]
) -> PersonRows:
    """The events of these webhooks and of their browsers, and the webhooks of those."""
    orders = {row.order_id for row in webhooks.values() if row.order_id}
    events = _events_of(connection, record.id, webhooks, orders)
    for row in _events_of_browsers(connection, record.id, {bytes(s) for e in events if (s := e.visitor_subject)}):
        if row.id not in {event.id for event in events}:
            events.append(row)
    missing = [row.webhook_id for row in events if row.webhook_id not in webhooks]
    webhooks |= _webhooks_by_id(connection, missing)
    count = select(func.count()).select_from(_work).where(_work.c.installation_id == record.id)
    return PersonRows(
        [webhooks[row_id] for row_id in sorted(webhooks)],
        sorted(events, key=lambda event: int(event.id)),
        waiting,
        int(connection.execute(count).scalar_one()) - len(waiting),
    )


def _webhooks_by_id(connection: Connection, ids: Sequence[int]) -> dict[int, Row[Any]]:
    found: dict[int, Row[Any]] = {}
    for part in parts(ids):
        found.update((row.id, row) for row in connection.execute(select(_webhook).where(_webhook.c.id.in_(part))))
    return found


def _webhooks_of_orders(connection: Connection, installation_id: str, orders: set[str]) -> Iterator[Row[Any]]:
    c = _webhook.c
    for part in parts(sorted(orders)):
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
    for part in parts(sorted(orders)):
        statement = select(_event).where(c.installation_id == installation_id, c.order_id.in_(part))
        found.update((row.id, row) for row in connection.execute(statement) if row.webhook_id in webhooks)
    others = [line.id for row in webhooks.values() for line in events_of_webhook(connection, row)]
    for ids in parts([row_id for row_id in others if row_id not in found]):
        found.update((row.id, row) for row in connection.execute(select(_event).where(c.id.in_(ids))))
    return list(found.values())


def _events_of_browsers(connection: Connection, installation_id: str, subjects: set[bytes]) -> Iterator[Row[Any]]:
    """Views, carts and the like. Purchases are found by their order: several people may share a browser."""
    c = _event.c
    for part in parts(sorted(subjects)):
        where = (c.visitor_subject.in_(part), c.installation_id == installation_id, c.order_id.is_(None))
        yield from connection.execute(select(_event).where(*where)).all()


def parts(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Databases limit how many values one statement may name."""
    return (items[start : start + _PART] for start in range(0, len(items), _PART))
