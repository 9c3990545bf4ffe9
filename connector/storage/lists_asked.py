"""What lists there are, which columns staff may see of them, and what a reader may ask of one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table

from connector.storage.tables import DeliveryAttempt, Event, RefusedWebhook, Webhook

__all__ = ["ATTEMPTS", "EVENTS", "REFUSED", "WEBHOOKS", "ListOf", "Wanted"]

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]
_refused = RefusedWebhook.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class ListOf:
    """One list: its table, what staff may see of a row, and which conditions an index answers."""

    table: Table
    columns: tuple[str, ...]
    equal: tuple[str, ...]  # columns that can be asked for by one value
    time: str  # the column that was set when the row's id was made: its order is that of the ids

    def shown(self) -> list[ColumnElement[Any]]:
        """The columns of the list."""
        return [self.table.c[name] for name in self.columns]


WEBHOOKS = ListOf(
    _webhook,
    ("id", "installation_id", "topic", "received_at", "state", "reason", "source", "order_id", "processed_at"),
    ("topic", "state", "reason", "source"),
    "received_at",
)
EVENTS = ListOf(
    _event,
    (
        "id", "installation_id", "webhook_id", "event_id", "name", "state", "reason", "value", "currency",
        "order_id", "event_time", "match_keys", "warnings", "consent", "country", "attempts", "next_attempt_at",
        "created_at", "delivered_at",
    ),
    ("name", "state", "reason", "consent", "country"),
    "created_at",
)  # fmt: skip
ATTEMPTS = ListOf(
    _attempt,
    (
        "id", "installation_id", "started_at", "duration_ms", "event_count", "is_test", "http_status", "code",
        "message", "request_id", "result", "reason",
    ),
    ("result", "reason", "code", "http_status"),
    "started_at",
)  # fmt: skip
REFUSED = ListOf(
    _refused,
    ("id", "installation_id", "received_at", "status", "reason", "topic", "size"),
    ("status", "reason", "topic"),
    "received_at",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader asked for. `before` and `after` are ids, exclusive; the id of a row sorts by time."""

    installation_id: str = ""
    equal: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    order_id: str = ""
    event_id: str = ""
    request_id: str = ""
    before: int | None = None
    after: int | None = None
    oldest_first: bool = False
    limit: int = 50

    @property
    def pointed(self) -> bool:
        """Whether it names rows by an order number, an event id or a request id."""
        return bool(self.order_id or self.event_id or self.request_id)
