"""The rows that processing made of a group of webhooks, and their writing: few statements for the whole group."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, update

from connector.storage.bulk import BulkInsert, BulkUpdate
from connector.storage.known import LedgerEntry
from connector.storage.queue import NewWork, event_queue
from connector.storage.search import add_terms
from connector.storage.tables import ConsentRecord, Event, OrderLedger, Webhook

__all__ = ["Written", "write"]

_event = Event.__table__  # type: ignore[attr-defined]
_webhook = Webhook.__table__  # type: ignore[attr-defined]
_ledger = OrderLedger.__table__  # type: ignore[attr-defined]
_consent = ConsentRecord.__table__  # type: ignore[attr-defined]

_EVENT_COLUMNS = tuple(column.name for column in _event.c)
_CONSENT_COLUMNS = tuple(column.name for column in _consent.c)
_WEBHOOK_COLUMNS = ("state", "reason", "order_id", "processed_at", "body", "body_encoding", "id")
_LEDGER_COLUMNS = ("digest", "installation_id", "order_id", "status", "modified_at", "event_row_id")

_NEW_EVENTS = BulkInsert(_event, _EVENT_COLUMNS)
_NEW_CONSENTS = BulkInsert(_consent, _CONSENT_COLUMNS)
_WEBHOOKS_DONE = BulkUpdate(_webhook, _WEBHOOK_COLUMNS)
_LEDGER_ENTRIES = BulkInsert(
    _ledger,
    _LEDGER_COLUMNS,
    conflict=(
        "(digest) DO UPDATE SET status = excluded.status, modified_at = excluded.modified_at,"
        " event_row_id = excluded.event_row_id"
    ),
)


@dataclass(slots=True)
class Written:
    """Everything that a group of webhooks changes, as rows."""

    events: list[dict[str, Any]] = field(default_factory=list)
    work: list[NewWork] = field(default_factory=list)
    event_changes: list[dict[str, Any]] = field(default_factory=list)
    consents: list[dict[str, Any]] = field(default_factory=list)
    terms: list[tuple[bytes, int]] = field(default_factory=list)
    webhooks: list[dict[str, Any]] = field(default_factory=list)


def write(connection: Connection, written: Written, ledger: Iterable[LedgerEntry]) -> None:
    """Write a group's rows. Webhooks give all of `_WEBHOOK_COLUMNS`, events all columns of their table."""
    _NEW_EVENTS.run(connection, _rows(written.events, _EVENT_COLUMNS))
    event_queue.add(connection, written.work)
    for change in written.event_changes:
        connection.execute(update(_event).where(_event.c.id == change.pop("id")).values(**change))
    _NEW_CONSENTS.run(connection, _rows(written.consents, _CONSENT_COLUMNS))
    add_terms(connection, written.terms)
    changed = [tuple(getattr(entry, name) for name in _LEDGER_COLUMNS) for entry in ledger if entry.changed]
    _LEDGER_ENTRIES.run(connection, changed)
    _WEBHOOKS_DONE.run(connection, _rows(written.webhooks, _WEBHOOK_COLUMNS))


def _rows(values: Iterable[dict[str, Any]], names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in values]
