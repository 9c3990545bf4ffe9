"""`connector events list`, `connector webhooks list` and `connector webhooks show`."""

import json
from typing import Annotated, Any

import typer

from connector.cli.environment import opened
from connector.cli.options import AsJson, InstallationOption, Limit, OptionalInstallation
from connector.cli.output import say, write_json, write_json_list, write_table
from connector.core.states import EventState
from connector.errors import UsageError
from connector.operations.history import (
    EventLine,
    WebhookLine,
    attempts_of,
    events_of_webhook,
    find_webhook,
    list_events,
    list_webhooks,
)
from connector.operations.installations import require_installation
from connector.storage.journeys import stored_body
from connector.storage.opening import Storage

events = typer.Typer(help="What became of each conversion event.", rich_markup_mode=None)
webhooks = typer.Typer(help="What the stores sent, as it was received.", rich_markup_mode=None)


@events.callback()
def _events() -> None:
    """What became of each conversion event."""


@events.command("list", short_help="Every event with its state and reason.")
def events_list(
    installation: InstallationOption,
    state: Annotated[EventState | None, typer.Option(help="Only events in this state.", show_default=False)] = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """Every event of an installation, oldest first, with its state and the reason for it.

    \b
    Examples:
      connector events list --installation ID --state rejected
      connector events list --installation ID --json > events.json
    """
    with opened() as storage:
        _require(storage, installation)
        lines = list_events(storage.database, installation, state=state, limit=limit)
        if as_json:
            write_json_list(_event_document(line) for line in lines)
            return
        columns = (
            "event id",
            "event",
            "state",
            "reason",
            "value",
            "currency",
            "order",
            "attempts",
            "created",
        )
        rows = (
            (e.event_id, e.name, e.state, e.reason, e.value, e.currency, e.order_id, e.attempts, e.created_at)
            for e in lines
        )
        write_table(columns, rows, "No events.")


@webhooks.command("list", short_help="Every stored webhook.")
def webhooks_list(installation: OptionalInstallation = None, limit: Limit = None, as_json: AsJson = False) -> None:
    """Every stored webhook, oldest first, with what was made of it.

    \b
    Example:
      connector webhooks list --installation ID --limit 20
    """
    with opened() as storage:
        if installation is not None:
            _require(storage, installation)
        lines = list_webhooks(storage.database, installation, limit=limit)
        if as_json:
            write_json_list(_webhook_document(line) for line in lines)
            return
        columns = ("webhook id", "topic", "received", "state", "reason", "events")
        rows = ((w.id, w.topic, w.received_at, w.state, w.reason, " ".join(w.event_ids)) for w in lines)
        write_table(columns, rows, "No webhooks.")


@webhooks.command("show", short_help="One webhook with what came of it.")
def webhooks_show(
    webhook_id: Annotated[str, typer.Argument(metavar="ID", help="The webhook's id.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """One webhook: its kept headers, its body with personal data masked, its events and what TikTok answered."""
    if not (webhook_id.isascii() and webhook_id.isdigit() and len(webhook_id) < 19):
        raise UsageError(f"there is no webhook {webhook_id[:40]!r} (see `connector webhooks list`)")
    with opened() as storage:
        document = _whole_webhook(storage, int(webhook_id))
    if as_json:
        write_json(document)
        return
    made, calls, body = document.pop("events"), document.pop("attempts"), document.pop("body")
    rows = [
        (name, json.dumps(value) if isinstance(value, dict | list) else value) for name, value in document.items()
    ]
    write_table(("name", "value"), rows, "")
    write_table(("event id", "event", "state", "reason"), [_first(e, 4) for e in made], "No events came of it.")
    if calls:
        write_table(tuple(calls[0]), [tuple(call.values()) for call in calls], "")
    say(body)


def _whole_webhook(storage: Storage, webhook_id: int) -> dict[str, Any]:
    from connector.console.redaction import masked_body, masked_headers

    with storage.database.read() as connection:
        row, copies = find_webhook(connection, webhook_id)
        made = events_of_webhook(connection, row)
        attempts = attempts_of(connection, [line.id for line in made])
    body = stored_body(row.body, row.body_encoding)
    return {
        "webhook_id": str(row.id),
        "installation_id": row.installation_id,
        "topic": row.topic,
        "received_at": row.received_at,
        "processed_at": row.processed_at,
        "state": row.state,
        "reason": row.reason,
        "event_ids": [line.event_id for line in made],
        "order_id": row.order_id,
        "source": row.source,
        "copies": copies,
        "headers": masked_headers(json.loads(row.headers)),
        "size": None if body is None else len(body),
        "body": "(no longer kept)" if body is None else masked_body(body),
        "events": [_event_document(line) for line in made],
        "attempts": [_attempt_document(attempt) for attempt in attempts],
    }


def _attempt_document(attempt: Any) -> dict[str, Any]:
    from connector.console.redaction import masked_text

    names = "started_at duration_ms event_count http_status code request_id result reason".split()
    return {
        "attempt_id": str(attempt.id),
        **{name: getattr(attempt, name) for name in names},
        "message": masked_text(attempt.message),
    }


def _event_document(line: EventLine) -> dict[str, Any]:
    return {
        "event_id": line.event_id,
        "event": line.name,
        "state": line.state,
        "reason": line.reason,
        "value": line.value,
        "currency": line.currency,
        "order_id": line.order_id,
        "attempts": line.attempts,
        "created_at": line.created_at,
        "delivered_at": line.delivered_at,
        "webhook_id": str(line.webhook_id),
    }


def _webhook_document(line: WebhookLine) -> dict[str, Any]:
    return {
        "webhook_id": str(line.id),
        "installation_id": line.installation_id,
        "topic": line.topic,
        "received_at": line.received_at,
        "state": line.state,
        "reason": line.reason,
        "event_ids": list(line.event_ids),
    }


def _first(document: dict[str, Any], count: int) -> tuple[Any, ...]:
    return tuple(document.values())[:count]


def _require(storage: Storage, installation_id: str) -> None:
    with storage.database.read() as connection:
        require_installation(connection, installation_id)
