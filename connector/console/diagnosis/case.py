"""What a check may look at, and what it says. Values only; times are aware, money is decimal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from connector.core.states import EventState, WebhookState
from connector.tiktok.explanations import Actor

__all__ = ["Actor", "AttemptFacts", "Case", "EventFacts", "Finding", "Level", "WebhookFacts"]


class Level(StrEnum):
    """How a finding is shown. `act`: somebody must do something; `wait`: it goes on by itself."""

    OK = "ok"
    INFO = "info"
    WAIT = "wait"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class Finding:
    """Cause, who must act, next step: English source texts with `{names}`, filled from `values` once translated."""

    level: Level
    cause: str
    who: Actor
    next_step: str
    values: Mapping[str, object] = field(default_factory=dict)
    reason: str = ""  # the reason word whose explanation this is, when it is one of TikTok's


@dataclass(frozen=True, slots=True)
class WebhookFacts:
    """One stored webhook and what reading its body told; order fields are None when it is no order."""

    id: int
    topic: str
    received_at: datetime
    source: str
    state: WebhookState
    reason: str
    processed_at: datetime | None = None
    copies: int = 0
    last_copy_at: datetime | None = None
    body_kept: bool = True
    body_size: int = 0
    waits: bool = False
    order_number: str | None = None
    order_status: str | None = None
    order_paid: bool = False
    order_total: Decimal | None = None
    order_currency: str | None = None
    order_modified_at: datetime | None = None
    created_via: str | None = None
    read_as: str = ""  # the name of what it was read as, empty when unreadable or expired
    consent_status: str | None = None
    consent_source: str = ""
    consent_at: datetime | None = None
    privacy_control: bool = False
    visible_match_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """One call to TikTok in which the event was."""

    id: int
    started_at: datetime
    duration_ms: int
    event_count: int
    http_status: int | None
    code: int | None
    message: str  # masked
    request_id: str
    result: str
    reason: str
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class EventFacts:
    """One event, its attempts, and its place in the queue (`run_at`, `lane`; None when it waits for nothing)."""

    row_id: int
    webhook_id: int
    event_id: str
    name: str
    state: EventState
    reason: str
    created_at: datetime
    updated_at: datetime
    event_time: datetime
    value: Decimal | None = None
    currency: str | None = None
    delivered_at: datetime | None = None
    match_keys: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    consent: str = ""
    consent_policy: str = ""
    country: str | None = None
    browser_copy: bool = False
    test_event_code: str | None = None
    limited: bool = False
    contents: tuple[Mapping[str, object], ...] = ()
    page_url: str = ""
    attempts: tuple[AttemptFacts, ...] = ()
    run_at: datetime | None = None
    lane: str = ""
    leased: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One order (or one webhook, or one event) at one moment."""

    now: datetime
    installation_state: str
    access: str
    access_reason: str
    paid_statuses: tuple[str, ...]
    consent_policy: str
    webhooks: tuple[WebhookFacts, ...] = ()
    events: tuple[EventFacts, ...] = ()
    notices: Mapping[str, str] = field(default_factory=dict)  # kind to details
    silent_topics: tuple[str, ...] = ()  # order topics whose webhook is paused, disabled or missing in the store

    @property
    def last_order(self) -> WebhookFacts | None:
        """The newest webhook that was read as an order."""
        orders = [webhook for webhook in self.webhooks if webhook.order_status is not None]
        return orders[-1] if orders else None

    def events_in(self, *states: EventState) -> tuple[EventFacts, ...]:
        """Events in one of these states."""
        return tuple(event for event in self.events if event.state in states)
