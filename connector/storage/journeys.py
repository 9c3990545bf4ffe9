"""Everything that the database holds of one order or of one webhook, in a handful of indexed queries."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import zstandard
from sqlalchemy import Connection, Row, func, select

from connector.core.row_ids import id_at
from connector.storage.installations import InstallationRecord, find_installation
from connector.storage.tables import (
    AttemptEvent,
    ConsentRecord,
    DeliveryAttempt,
    Event,
    EventWork,
    Installation,
    Notice,
    Webhook,
    WebhookKey,
    WebhookWork,
)
from connector.storage.tables_install import WebhookSubscription

__all__ = [
    "OrderRows",
    "event_rows",
    "events_of_webhook",
    "find_event",
    "find_webhook",
    "open_things",
    "order_rows",
    "store_names",
    "stored_body",
    "webhook_rows",
]

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_key = WebhookKey.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]
_attempt_event = AttemptEvent.__table__  # type: ignore[attr-defined]
_consent = ConsentRecord.__table__  # type: ignore[attr-defined]
_event_work = EventWork.__table__  # type: ignore[attr-defined]
_webhook_work = WebhookWork.__table__  # type: ignore[attr-defined]
_notice = Notice.__table__  # type: ignore[attr-defined]
_installation = Installation.__table__  # type: ignore[attr-defined]
_subscription = WebhookSubscription.__table__  # type: ignore[attr-defined]

# An order has a handful of webhooks; a plugin that writes it a thousand times must not make the page slow.
MOST_WEBHOOKS = 100
_FIRST_WEBHOOKS = 20
_MOST_COUNTED = 1000
_MOST_EVENTS = 50
_MOST_ATTEMPTS = 200
_SKEW = timedelta(seconds=2)  # clocks of several machines
_LOOKED_AT = 3000  # of an installation's events, where its webhook's are looked for
_LARGEST_BODY = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class OrderRows:
    """Rows as the database has them, oldest first; `work` by event id, `attempts` by event id."""

    installation: InstallationRecord
    webhooks: Sequence[Row[Any]]
    copies: dict[bytes, Row[Any]]
    events: Sequence[Row[Any]]
    attempts: dict[int, list[Row[Any]]]
    work: dict[int, Row[Any]]
    webhook_work: dict[int, Row[Any]]
    consents: Sequence[Row[Any]]
    notices: Sequence[Row[Any]]
    subscriptions: Sequence[Row[Any]]
    passed_over: int = 0  # webhooks between the first and the newest ones that were not read; 1,000 at most


def order_rows(connection: Connection, installation_id: str, order_id: str) -> OrderRows | None:
    """All of one order, by the store's id of it. None when there is no such installation."""
    installation = find_installation(connection, installation_id)
    if installation is None:
        return None
    same = (_webhook.c.installation_id == installation_id, _webhook.c.order_id == order_id)
    webhooks, passed_over = _first_and_newest(connection, same)
    c = _event.c
    events = connection.execute(
        select(_event)
        .where(c.installation_id == installation_id, c.order_id == order_id)
        .order_by(c.id)
        .limit(_MOST_EVENTS)
    ).all()
    return replace(_with_details(connection, installation, webhooks, events), passed_over=passed_over)


def _first_and_newest(connection: Connection, same: Sequence[Any]) -> tuple[Sequence[Row[Any]], int]:
    """Of an order's webhooks how it began and how it stands, and how many are left out in between."""
    key = _webhook.c.id
    newest = connection.execute(select(_webhook).where(*same).order_by(key.desc()).limit(MOST_WEBHOOKS)).all()[::-1]
    if len(newest) < MOST_WEBHOOKS:
        return newest, 0
    older = (*same, key < newest[0].id)
    first = connection.execute(select(_webhook).where(*older).order_by(key).limit(_FIRST_WEBHOOKS)).all()
    if len(first) < _FIRST_WEBHOOKS:
        return [*first, *newest], 0
    between = select(key).where(*older, key > first[-1].id).limit(_MOST_COUNTED).subquery()
    return [*first, *newest], int(connection.execute(select(func.count()).select_from(between)).scalar_one())


def find_webhook(connection: Connection, webhook_id: int) -> Row[Any] | None:
    """One webhook's row, body included."""
    return connection.execute(select(_webhook).where(_webhook.c.id == webhook_id)).first()


def find_event(connection: Connection, row_id: int) -> Row[Any] | None:
    """One event's row."""
    return connection.execute(select(_event).where(_event.c.id == row_id)).first()


def webhook_rows(connection: Connection, webhook_id: int) -> OrderRows | None:
    """The same for one webhook and what it made, whether or not it has an order."""
    webhook = find_webhook(connection, webhook_id)
    installation = webhook and find_installation(connection, webhook.installation_id)
    if webhook is None or installation is None:
        return None
    return _with_details(connection, installation, [webhook], events_of_webhook(connection, webhook))


def event_rows(connection: Connection, row_id: int) -> OrderRows | None:
    """The same for one event and the webhook that made it."""
    event = find_event(connection, row_id)
    installation = event and find_installation(connection, event.installation_id)
    if event is None or installation is None:
        return None
    webhook = find_webhook(connection, event.webhook_id)
    return _with_details(connection, installation, [webhook] if webhook else [], [event])


def events_of_webhook(connection: Connection, webhook: Row[Any]) -> Sequence[Row[Any]]:
    """Events that this webhook made, oldest first. No index leads from one to the other: the hot table does
    without. An order's are found by the order; others around the time of processing, since an id is a time."""
    mine = (_event.c.installation_id == webhook.installation_id, _event.c.webhook_id == webhook.id)
    if webhook.order_id:
        by_order = select(_event).where(*mine, _event.c.order_id == webhook.order_id)
        if found := connection.execute(by_order.order_by(_event.c.id).limit(_MOST_EVENTS)).all():
            return found
    for since in _when_made(webhook):
        ids = _made_from(connection, webhook, since)
        if ids:
            return connection.execute(select(_event).where(_event.c.id.in_(ids)).order_by(_event.c.id)).all()
    return []


def _when_made(webhook: Row[Any]) -> Iterator[datetime]:
    """Just before it was last processed; from its arrival on, when it was processed anew since."""
    if webhook.processed_at is not None:
        yield webhook.processed_at - _SKEW
    yield webhook.received_at - _SKEW


def _made_from(connection: Connection, webhook: Row[Any], since: datetime) -> list[int]:
    """Among the installation's next few thousand events from that time."""
    c = _event.c
    near = (
        select(c.id, c.webhook_id)
        .where(c.installation_id == webhook.installation_id, c.id >= id_at(int(since.timestamp() * 1000)))
        .order_by(c.id)
        .limit(_LOOKED_AT)
        .subquery()
    )
    return list(connection.execute(select(near.c.id).where(near.c.webhook_id == webhook.id)).scalars())[:_MOST_EVENTS]


def open_things(connection: Connection, installation_id: str) -> tuple[Sequence[Row[Any]], Sequence[Row[Any]]]:
    """An installation's open notices and its webhook subscriptions in the store."""
    notice, subscription = _notice.c, _subscription.c
    mine = (notice.installation_id == installation_id, notice.resolved_at.is_(None))
    return (
        connection.execute(select(_notice).where(*mine).order_by(notice.last_at.desc())).all(),
        connection.execute(
            select(_subscription).where(subscription.installation_id == installation_id).order_by(subscription.topic)
        ).all(),
    )


def store_names(connection: Connection, most: int = 300) -> Sequence[Row[Any]]:
    """Id, name and address of installations, for the suggestions under a field."""
    c = _installation.c
    statement = select(c.id, c.store_name, c.store_url).where(c.state != "removed").order_by(c.created_at.desc())
    return connection.execute(statement.limit(most)).all()


def stored_body(body: bytes, encoding: str) -> bytes | None:
    """The bytes as they came; None when retention has removed them."""
    if encoding == "expired":
        return None
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompress(body, max_output_size=_LARGEST_BODY)
    return bytes(body)


def _with_details(
    connection: Connection,
    installation: InstallationRecord,
    webhooks: Sequence[Row[Any]],
    events: Sequence[Row[Any]],
) -> OrderRows:
    ids = [event.id for event in events]
    digests = [bytes(webhook.digest) for webhook in webhooks]
    subjects = {bytes(s) for e in events for s in (e.order_subject, e.visitor_subject) if s}
    return OrderRows(
        installation=installation,
        webhooks=webhooks,
        copies={bytes(r.digest): r for r in connection.execute(select(_key).where(_key.c.digest.in_(digests)))},
        events=events,
        attempts=_attempts(connection, ids),
        work={row.id: row for row in connection.execute(select(_event_work).where(_event_work.c.id.in_(ids)))},
        webhook_work={
            row.id: row
            for row in connection.execute(
                select(_webhook_work).where(_webhook_work.c.id.in_([webhook.id for webhook in webhooks]))
            )
        },
        consents=connection.execute(
            select(_consent)
            .where(_consent.c.subject.in_(list(subjects)), _consent.c.installation_id == installation.id)
            .order_by(_consent.c.id)
            .limit(MOST_WEBHOOKS)
        ).all(),
        notices=connection.execute(
            select(_notice).where(_notice.c.installation_id == installation.id, _notice.c.resolved_at.is_(None))
        ).all(),
        subscriptions=connection.execute(
            select(_subscription).where(_subscription.c.installation_id == installation.id)
        ).all(),
    )


def _attempts(connection: Connection, event_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = {}
    statement = (
        select(_attempt_event.c.event_row_id, _attempt)
        .join(_attempt, _attempt.c.id == _attempt_event.c.attempt_id)
        .where(_attempt_event.c.event_row_id.in_(event_ids))
        .order_by(_attempt.c.id.desc())
        .limit(_MOST_ATTEMPTS)
    )
    for row in reversed(connection.execute(statement).all()):  # the newest say how it stands
        found.setdefault(row.event_row_id, []).append(row)
    return found
