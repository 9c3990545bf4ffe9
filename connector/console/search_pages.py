"""Search by an exact e-mail, phone, order number, event id, click id or request id. Posted, never in an address:
addresses end in logs and histories."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connector.console.rendering import ConsolePages
from connector.console.services import ConsoleServices
from connector.storage.installations import InstallationRecord, all_installations
from connector.storage.search import find_webhooks, terms_of
from connector.storage.tables import AttemptEvent, DeliveryAttempt, Event, Webhook

__all__ = ["Found", "SearchPages", "search"]

_LIMIT = 100
# Tried for a phone number typed without its international prefix.
_PHONE_COUNTRIES = ("DE", "AT", "CH", "FR", "ES", "IT", "NL", "BE", "PL", "GB", "US", "CA", "AU")
_webhook = Webhook.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]
_attempt_event = AttemptEvent.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Found:
    """What a text led to: orders (installation id, order id, newest webhook id), other webhooks, events; and by
    which kinds of term."""

    kinds: tuple[str, ...]
    orders: tuple[tuple[str, str, int], ...]
    webhooks: tuple[Any, ...]
    events: tuple[Any, ...]


class SearchPages:
    """The one box at the top of every page."""

    def __init__(self, services: ConsoleServices, pages: ConsolePages) -> None:
        self._services = services
        self._pages = pages

    async def search(self, request: Request) -> Response:
        """Straight to the journey when there is exactly one order, else a list."""
        form = await self._services.guard.read(request)
        text = form.get("q")[:300]
        key = self._services.storage.hash_key
        found = await self._services.read(lambda connection: search(connection, key, text))
        if len(found.orders) == 1 and not found.webhooks:
            installation_id, order_id, _ = found.orders[0]
            return RedirectResponse(f"/console/installations/{installation_id}/orders/{order_id}", 303)
        if not found.orders and not found.webhooks and len(found.events) == 1:
            return RedirectResponse(f"/console/events/{found.events[0].id}", 303)
        return self._pages.show(request, "search.html", found=found, asked=bool(text))


def search(connection: Connection, hash_key: bytes, text: str) -> Found:
    """Everything that this exact text leads to, at most 100 of each."""
    installations = all_installations(connection)
    ids = [one.id for one in installations]
    kinds: list[str] = []
    webhook_ids: set[int] = set()
    for kind, terms in terms_of(hash_key, ids, text, _PHONE_COUNTRIES).items():
        if matches := find_webhooks(connection, terms, _LIMIT):
            kinds.append(kind)
            webhook_ids.update(matches)
    events = _events(connection, ids, text) if text else []
    if events:
        kinds.append("event_id")
    number = text.removeprefix("#").strip()
    if by_order := _by_order_id(connection, installations, number):
        kinds.append("order_id")
    webhooks = [*_webhooks(connection, sorted(webhook_ids, reverse=True)[:_LIMIT]), *by_order]
    orders: dict[tuple[str, str], int] = {}
    for row in (*webhooks, *(event for event in events if event.order_id)):
        if row.order_id:
            place = (row.installation_id, row.order_id)
            orders[place] = max(orders.get(place, 0), row.id)
    return Found(
        tuple(dict.fromkeys(kinds)),
        tuple((installation, order, newest) for (installation, order), newest in orders.items()),
        tuple(row for row in webhooks if not row.order_id),
        tuple(event for event in events if not event.order_id),
    )


def _webhooks(connection: Connection, ids: Sequence[int]) -> Sequence[Any]:
    c = _webhook.c
    columns = (c.id, c.installation_id, c.order_id, c.topic, c.received_at, c.state)
    return connection.execute(select(*columns).where(c.id.in_(ids)).order_by(c.id.desc())).all()


def _by_order_id(connection: Connection, installations: Sequence[InstallationRecord], number: str) -> Sequence[Any]:
    if not number.isascii() or not number.isdigit() or len(number) > 20:
        return []
    c = _webhook.c
    columns = (c.id, c.installation_id, c.order_id, c.topic, c.received_at, c.state)
    ids = [one.id for one in installations]
    where = (c.installation_id.in_(ids), c.order_id == number)
    return connection.execute(select(*columns).where(*where).limit(_LIMIT)).all()


def _events(connection: Connection, installation_ids: Sequence[str], text: str) -> Sequence[Any]:
    """By event id, else by the request id of a call to TikTok."""
    c = _event.c
    columns = (c.id, c.installation_id, c.order_id, c.name, c.state, c.created_at)
    found = connection.execute(
        select(*columns).where(c.installation_id.in_(installation_ids), c.event_id == text).limit(_LIMIT)
    ).all()
    if found:
        return found
    attempts = select(_attempt.c.id).where(_attempt.c.request_id == text).limit(_LIMIT)
    inside = select(_attempt_event.c.event_row_id).where(_attempt_event.c.attempt_id.in_(attempts)).limit(_LIMIT)
    return connection.execute(select(*columns).where(c.id.in_(inside)).order_by(c.id.desc())).all()
