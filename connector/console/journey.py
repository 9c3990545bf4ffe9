"""The journey of an order: rows of the database to facts, facts to a timeline. Pure; `now` comes in.

Bodies are read again by the platform's reader, so that the page says what today's reader understands. Nothing
personal leaves this module: of a buyer only which match keys are there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from connector.console.diagnosis.case import AttemptFacts, Case, EventFacts, WebhookFacts
from connector.console.redaction import masked_address, masked_text
from connector.core.json_objects import json_object
from connector.core.mapping import Conversion, MappingContext, map_event
from connector.core.order_rules import is_paid
from connector.core.states import EventState, WebhookState
from connector.core.store_events import ConsentStatement, Order, StoreEvent
from connector.errors import UnreadablePayload
from connector.platforms import PLATFORMS
from connector.platforms.base import ReadContext, VerifiedWebhook
from connector.storage.installations import InstallationRecord
from connector.storage.journeys import OrderRows, stored_body

__all__ = ["ConsentFacts", "Step", "case_of", "steps_of"]

_NOT_SENT = frozenset({"paused", "disabled", "missing", "deleted"})
# At the same moment things happened in this order.
_RANK = {"webhook": 0, "copy": 1, "reading": 2, "consent": 3, "event": 4, "attempt": 5, "outcome": 6, "next": 7}


@dataclass(frozen=True, slots=True)
class ConsentFacts:
    """One statement on record about the order or its visitor."""

    recorded_at: datetime
    stated_at: datetime | None
    status: str
    source: str
    privacy_control: bool
    webhook_id: int


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of the timeline; the facts that its kind needs are set."""

    at: datetime
    kind: str  # webhook, copy, reading, consent, event, attempt, outcome, next
    webhook: WebhookFacts | None = None
    event: EventFacts | None = None
    attempt: AttemptFacts | None = None
    consent: ConsentFacts | None = None


def case_of(rows: OrderRows, now: datetime) -> Case:
    """Everything the checks and the page want to know."""
    installation = rows.installation
    return Case(
        now=now,
        installation_state=installation.state,
        access=installation.access,
        access_reason=installation.access_reason,
        paid_statuses=installation.settings.paid_statuses,
        consent_policy=installation.settings.consent_policy,
        webhooks=tuple(_webhook_facts(rows, row) for row in rows.webhooks),
        events=tuple(_event_facts(rows, row, now) for row in rows.events),
        notices={row.kind: row.details for row in rows.notices},
        silent_topics=tuple(
            row.topic for row in rows.subscriptions if row.status in _NOT_SENT and row.topic.startswith("order.")
        ),
    )


def steps_of(rows: OrderRows, case: Case) -> list[Step]:
    """The timeline, oldest first; what comes next stands at its end."""
    steps: list[Step] = []
    for webhook in case.webhooks:
        steps.append(Step(webhook.received_at, "webhook", webhook=webhook))
        if webhook.copies:
            steps.append(Step(webhook.last_copy_at or webhook.received_at, "copy", webhook=webhook))
        if webhook.processed_at is not None:
            steps.append(Step(webhook.processed_at, "reading", webhook=webhook))
    for row in rows.consents:
        steps.append(Step(row.recorded_at, "consent", consent=_consent_facts(row)))
    for event in case.events:
        steps += _event_steps(event, case.now)
    return sorted(steps, key=lambda step: (step.at, _RANK[step.kind]))


def _event_steps(event: EventFacts, now: datetime) -> list[Step]:
    steps = [Step(event.created_at, "event", event=event)]
    steps += [Step(attempt.started_at, "attempt", event=event, attempt=attempt) for attempt in event.attempts]
    if event.state is EventState.PENDING:
        steps.append(Step(max(event.run_at or now, now), "next", event=event))
    elif event.state is EventState.HELD:
        steps.append(Step(now, "next", event=event))
    elif event.state is not EventState.DELIVERED and event.updated_at > event.created_at:
        steps.append(Step(event.updated_at, "outcome", event=event))
    elif event.delivered_at is not None:
        steps.append(Step(event.delivered_at, "outcome", event=event))
    return steps


def _consent_facts(row: Row[Any]) -> ConsentFacts:
    return ConsentFacts(
        row.recorded_at,
        row.stated_at,
        row.status,
        masked_text(row.source),
        row.global_privacy_control,
        row.webhook_id,
    )


def read_webhook(
    installation: InstallationRecord, topic: str, received_at: datetime, body: bytes
) -> StoreEvent | None:
    """What a body means to today's reader; None when it is not understood."""
    context = ReadContext(installation.store_url, installation.settings.custom_events)
    try:
        return PLATFORMS[installation.platform].read(VerifiedWebhook(topic, body, received_at), context)
    except (UnreadablePayload, KeyError):
        return None


def _webhook_facts(rows: OrderRows, row: Row[Any]) -> WebhookFacts:
    body = stored_body(row.body, row.body_encoding)
    event = read_webhook(rows.installation, row.topic, row.received_at, body) if body is not None else None
    key = rows.copies.get(bytes(row.digest))
    facts: dict[str, Any] = {
        "id": row.id,
        "topic": row.topic,
        "received_at": row.received_at,
        "source": row.source,
        "state": WebhookState(row.state),
        "reason": masked_text(row.reason),
        "processed_at": row.processed_at,
        "copies": key.copies if key is not None and key.webhook_id == row.id else 0,
        "last_copy_at": key.last_copy_at if key is not None else None,
        "body_kept": body is not None,
        "body_size": len(body or b""),
        "waits": row.id in rows.webhook_work,
        "read_as": type(event).__name__ if event is not None else "",
    }
    if event is not None:
        facts |= _consent_of(event) | {"visible_match_keys": _match_keys(rows.installation, event, row.received_at)}
    if isinstance(event, Order):
        facts |= _order_facts(event, rows.installation)
    return WebhookFacts(**facts)


def _order_facts(order: Order, installation: InstallationRecord) -> dict[str, Any]:
    return {
        "order_number": masked_text(order.number),
        "order_status": masked_text(order.status),
        "order_paid": is_paid(order, installation.settings),
        "order_total": order.total,
        "order_currency": order.currency,
        "order_modified_at": order.modified_at,
        "created_via": masked_text(order.created_via),
    }


def _consent_of(event: StoreEvent) -> dict[str, Any]:
    said = getattr(event, "consent", None)
    if not isinstance(said, ConsentStatement):
        return {}
    return {
        "consent_status": said.status.value,
        "consent_source": masked_text(said.source),
        "consent_at": said.stated_at,
        "privacy_control": said.global_privacy_control,
    }


def _match_keys(installation: InstallationRecord, event: StoreEvent, received_at: datetime) -> tuple[str, ...]:
    """Names of the match keys that the body carries, whether or not consent lets them be used."""
    mapped = map_event(event, mapping_context(installation, received_at))
    return mapped.event.user.match_keys() if isinstance(mapped, Conversion) else ()


def mapping_context(installation: InstallationRecord, received_at: datetime) -> MappingContext:
    """What mapping may know of an installation."""
    return MappingContext(
        installation.public_id, installation.store_url, installation.pixel_code, installation.settings, received_at
    )


def _event_facts(rows: OrderRows, row: Row[Any], now: datetime) -> EventFacts:
    payload = json_object(row.payload or b"")
    properties, work = payload.get("properties", {}), rows.work.get(row.id)
    return EventFacts(
        row_id=row.id,
        webhook_id=row.webhook_id,
        event_id=row.event_id,
        name=row.name,
        state=EventState(row.state),
        reason=masked_text(row.reason),
        created_at=row.created_at,
        updated_at=row.updated_at,
        event_time=row.event_time,
        value=row.value,
        currency=row.currency,
        delivered_at=row.delivered_at,
        match_keys=tuple(key for key in row.match_keys.split(",") if key),
        warnings=tuple(word for word in row.warnings.replace(" ", ",").split(",") if word),
        consent=row.consent,
        consent_policy=row.consent_policy,
        country=row.country,
        browser_copy=row.browser_copy,
        test_event_code=row.test_event_code,
        limited=bool(payload.get("limited_data_use")),
        contents=tuple(_content(item) for item in properties.get("contents", ())),
        page_url=masked_address(str(payload.get("page", {}).get("url", ""))),
        attempts=_attempts(rows.attempts.get(row.id, ())),
        run_at=work.run_at if work is not None else None,
        lane=work.lane if work is not None else "",
        leased=work is not None and work.lease_token != 0 and work.run_at > now,
    )


def _content(item: dict[str, Any]) -> dict[str, object]:
    return {
        "id": masked_text(str(item.get("content_id", ""))),
        "name": masked_text(str(item.get("content_name") or "")),
        "price": item.get("price"),
        "quantity": item.get("quantity"),
    }


def _attempts(rows: Sequence[Row[Any]]) -> tuple[AttemptFacts, ...]:
    return tuple(
        AttemptFacts(
            id=row.id,
            started_at=row.started_at,
            duration_ms=row.duration_ms,
            event_count=row.event_count,
            http_status=row.http_status,
            code=row.code,
            message=masked_text(row.message),
            request_id=row.request_id,
            result=row.result,
            reason=row.reason,
            is_test=row.is_test,
        )
        for row in rows
    )
