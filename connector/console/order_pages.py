"""The journey of an order, and the pages of one webhook, one event and one attempt."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import Response

from connector.console.diagnosis import diagnose
from connector.console.gate import viewer_of
from connector.console.journey import case_of, steps_of
from connector.console.permissions import Action
from connector.console.redaction import MASK, masked_body, masked_headers
from connector.console.rendering import ConsolePages
from connector.console.services import ConsoleServices
from connector.errors import UsageError
from connector.operations.replay import ReplaySelection, plan_replay
from connector.storage.audit import audit
from connector.storage.installations import find_installation
from connector.storage.journeys import OrderRows, event_rows, find_webhook, order_rows, stored_body, webhook_rows
from connector.storage.tables import AttemptEvent, DeliveryAttempt, Event

__all__ = ["OrderPages"]

_REASON_AT_LEAST = 5
_NEVER_SHOWN = frozenset({"authorization", "cookie", "x-wc-webhook-signature", "proxy-authorization"})
_event = Event.__table__  # type: ignore[attr-defined]
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]
_attempt_event = AttemptEvent.__table__  # type: ignore[attr-defined]
_SHOWN_EVENTS = 200


class OrderPages:
    """Handlers; each reads in one transaction and renders."""

    def __init__(self, services: ConsoleServices, pages: ConsolePages) -> None:
        self._services = services
        self._pages = pages

    async def order(self, request: Request) -> Response:
        """`/installations/{id}/orders/{order_id}`: from arrival to TikTok's verdict."""
        installation_id, order_id = request.path_params["id"], request.path_params["order_id"]
        rows = await self._services.read(lambda connection: order_rows(connection, installation_id, order_id))
        if rows is None:
            return self._pages.fault(request, 404, "no_installation")
        return self._journey(request, rows, "order", order_id=order_id)

    async def event(self, request: Request) -> Response:
        """One event with the webhook that made it and what can be done with it."""
        row_id = int(request.path_params["id"])
        rows = await self._services.read(lambda connection: event_rows(connection, row_id))
        if rows is None:
            return self._pages.fault(request, 404, "no_event")
        selection = ReplaySelection(rows.installation.id, event_row_id=row_id)
        plan = await self._services.run(lambda: plan_replay(self._services.storage, selection))
        verdict = next(iter(plan.verdicts), None)
        return self._journey(request, rows, "event", verdict=verdict, plan=plan, order_id=rows.events[0].order_id)

    async def webhook(self, request: Request) -> Response:
        """One webhook: headers and body masked."""
        rows = await self._webhook_rows(request)
        return self._pages.fault(request, 404, "no_webhook") if rows is None else self._webhook(request, rows, None)

    async def reveal(self, request: Request) -> Response:
        """The same in clear, or as a file: admins only, with a reason, after the audit entry is written."""
        form = await self._services.guard.read(request)
        reason, as_file = form.get("reason"), form.has("download")
        rows = await self._webhook_rows(request)
        if rows is None:
            return self._pages.fault(request, 404, "no_webhook")
        if len(reason) < _REASON_AT_LEAST:
            raise UsageError("a reason of a few words is needed")
        row, actor = rows.webhooks[0], viewer_of(request).email
        details = {"as": "file" if as_file else "page"}
        await self._services.run(
            lambda: audit(
                self._services.storage,
                actor,
                Action.REVEAL,
                installation_id=row.installation_id,
                target=f"webhook {row.id}",
                reason=reason,
                details=details,
            )
        )
        body = stored_body(row.body, row.body_encoding) or b""
        if as_file:
            return _file(body, f"webhook-{row.id}.json")
        return self._webhook(request, rows, body)

    async def body(self, request: Request) -> Response:
        """The masked body as a file."""
        webhook_id = int(request.path_params["id"])
        row = await self._services.read(lambda connection: find_webhook(connection, webhook_id))
        if row is None:
            return self._pages.fault(request, 404, "no_webhook")
        body = stored_body(row.body, row.body_encoding) or b""
        return _file(masked_body(body).encode(), f"webhook-{webhook_id}-masked.json")

    async def attempt(self, request: Request) -> Response:
        """One call to TikTok with the events that were in it."""
        attempt_id = int(request.path_params["id"])
        found = await self._services.read(lambda connection: _attempt_with_events(connection, attempt_id))
        if found is None:
            return self._pages.fault(request, 404, "no_attempt")
        attempt, events, name = found
        return self._pages.show(request, "attempt.html", attempt=attempt, events=events, store_name=name)

    async def _webhook_rows(self, request: Request) -> OrderRows | None:
        webhook_id = int(request.path_params["id"])
        return await self._services.read(lambda connection: webhook_rows(connection, webhook_id))

    def _webhook(self, request: Request, rows: OrderRows, clear: bytes | None) -> Response:
        row = rows.webhooks[0]
        body = stored_body(row.body, row.body_encoding)
        headers = _headers(row.headers)
        return self._journey(
            request,
            rows,
            "webhook",
            revealed=clear is not None,
            headers=masked_headers(headers) if clear is None else _without_secrets(headers),
            body=None if body is None else masked_body(body) if clear is None else _readable(clear),
            order_id=row.order_id,
        )

    def _journey(self, request: Request, rows: OrderRows, kind: str, **values: Any) -> Response:
        now: datetime = self._services.storage.now()
        case = case_of(rows, now)
        return self._pages.show(
            request,
            "journey.html",
            kind=kind,
            installation=rows.installation,
            case=case,
            findings=diagnose(case),
            steps=steps_of(rows, case),
            now=now,
            passed_over=rows.passed_over,
            **{"verdict": None, "plan": None, "revealed": False, "headers": {}, "body": None, **values},
        )


def _headers(text: str) -> Mapping[str, str]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return {str(name): str(item) for name, item in value.items()} if isinstance(value, dict) else {}


def _without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: MASK if name.lower() in _NEVER_SHOWN else value for name, value in headers.items()}


def _readable(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def _file(body: bytes, name: str) -> Response:
    # Never shown by a browser: a store's text would run as a page of ours.
    headers = {"content-disposition": f'attachment; filename="{name}"', "x-content-type-options": "nosniff"}
    return Response(body, media_type="application/octet-stream", headers=headers)


def _attempt_with_events(connection: Connection, attempt_id: int) -> tuple[Any, Any, str] | None:
    row = connection.execute(select(_attempt).where(_attempt.c.id == attempt_id)).first()
    if row is None:
        return None
    c = _event.c
    inside = select(_attempt_event.c.event_row_id).where(_attempt_event.c.attempt_id == attempt_id)
    columns = (c.id, c.name, c.state, c.reason, c.order_id, c.value, c.currency, c.event_id, c.installation_id)
    events = connection.execute(select(*columns).where(c.id.in_(inside.limit(_SHOWN_EVENTS))).order_by(c.id)).all()
    installation = find_installation(connection, row.installation_id)
    return row, events, installation.store_name if installation else ""
