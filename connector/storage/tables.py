"""Every table of the road, as one schema that can be read at a sitting. When you add a column here, add a
migration too (a test compares the two).

Hot tables carry no foreign keys: an installation's row is never deleted, only marked removed, and a check per
insert would cost more than it could ever find. Ids are made by `core.row_ids` and sort by time.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from connector.storage.columns import BigId, DecimalText, UtcTime

__all__ = [
    "AttemptEvent",
    "ConsentRecord",
    "Credential",
    "DeliveryAttempt",
    "Event",
    "EventWork",
    "Installation",
    "Notice",
    "OrderLedger",
    "ProcessHeartbeat",
    "RefusalCount",
    "RefusedWebhook",
    "SearchTerm",
    "Webhook",
    "WebhookKey",
    "WebhookWork",
]


def _id(**options: Any) -> Any:
    return Field(sa_type=BigId, sa_column_kwargs={"autoincrement": False}, primary_key=True, **options)


def _time(**options: Any) -> Any:
    return Field(sa_type=UtcTime, **options)


class Installation(SQLModel, table=True):
    """One store of one owner. `id` is in webhook addresses, `public_id` in script addresses."""

    id: str = Field(primary_key=True, max_length=40)
    public_id: str = Field(unique=True, max_length=40)
    platform: str = Field(max_length=20)
    store_url: str = Field(max_length=500)
    store_name: str = Field(default="", max_length=200)
    state: str = Field(default="active", max_length=12)  # installing, active, paused, removed
    access: str = Field(default="ok", max_length=8)  # ok, lost
    access_reason: str = Field(default="", max_length=60)
    pixel_code: str = Field(default="", max_length=64)
    currency: str = Field(default="", max_length=3)
    settings: str = Field(default="{}", sa_type=Text)  # InstallationSettings as JSON
    created_at: datetime = _time()
    updated_at: datetime = _time()


class Credential(SQLModel, table=True):
    """One secret, encrypted and bound to this row. Several of one kind may be live during a rotation."""

    __table_args__ = (Index("credential_owner", "installation_id", "kind"),)

    id: int = _id()
    installation_id: str = Field(max_length=40)
    kind: str = Field(max_length=24)  # webhook_secret, access_token, consumer_key, consumer_secret, link_secret
    ciphertext: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = _time()
    expires_at: datetime | None = _time(default=None)


class Webhook(SQLModel, table=True):
    """One authentic inbound call, its body byte for byte (`body_encoding`: raw, zstd or expired)."""

    __table_args__ = (
        Index("webhook_of_installation", "installation_id", "id"),
        Index("webhook_of_order", "installation_id", "order_id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: int = _id()
    installation_id: str = Field(max_length=40)
    topic: str = Field(max_length=100)
    received_at: datetime = _time()
    digest: bytes = Field(sa_type=LargeBinary)  # the key of webhook_key
    headers: str = Field(default="{}", sa_type=Text)  # the few that are kept, as JSON
    body: bytes = Field(default=b"", sa_type=LargeBinary)
    body_encoding: str = Field(default="raw", max_length=8)
    source: str = Field(default="store", max_length=12)  # store, browser, reconcile, spool
    state: str = Field(default="received", max_length=12)
    reason: str = Field(default="", max_length=80)
    order_id: str | None = Field(default=None, max_length=24)
    processed_at: datetime | None = _time(default=None)


class WebhookKey(SQLModel, table=True):
    """Who has been here: digest of installation, topic and body. Never partitioned, kept 8 days and longer."""

    __tablename__ = "webhook_key"
    __table_args__ = ({"sqlite_with_rowid": False},)

    digest: bytes = Field(sa_type=LargeBinary, primary_key=True)
    webhook_id: int = Field(sa_type=BigId)
    copies: int = 0
    last_copy_at: datetime | None = _time(default=None)


class WebhookWork(SQLModel, table=True):
    """Stored webhooks that wait to be read. Narrow and hot: a row goes when its work is done."""

    __tablename__ = "webhook_work"
    __table_args__ = (Index("webhook_work_turn", "lane", "installation_id", "run_at", "id"),)

    id: int = _id()  # the webhook's
    installation_id: str = Field(max_length=40)
    lane: str = Field(default="fresh", max_length=10)
    run_at: datetime = _time()  # due from then on; a lease moves it to the lease's end
    lease_token: int = Field(default=0, sa_type=BigId)  # 0: nobody's
    tries: int = 0


class EventWork(SQLModel, table=True):
    """Pending events that wait to be sent; same shape, same rules."""

    __tablename__ = "event_work"
    __table_args__ = (Index("event_work_turn", "lane", "installation_id", "run_at", "id"),)

    id: int = _id()  # the event's
    installation_id: str = Field(max_length=40)
    lane: str = Field(default="fresh", max_length=10)
    run_at: datetime = _time()
    lease_token: int = Field(default=0, sa_type=BigId)
    tries: int = 0


class OrderLedger(SQLModel, table=True):
    """One row per order for ever: outlives retention and erasure, so that no order is ever sold twice."""

    __tablename__ = "order_ledger"
    __table_args__ = (
        Index("order_ledger_number", "installation_id", "order_id"),
        {"sqlite_with_rowid": False},
    )

    digest: bytes = Field(sa_type=LargeBinary, primary_key=True)  # installation, order id and order key
    installation_id: str = Field(max_length=40)
    order_id: str = Field(max_length=24)
    status: str = Field(default="", max_length=40)
    modified_at: datetime | None = _time(default=None)
    event_row_id: int | None = Field(default=None, sa_type=BigId)


class Event(SQLModel, table=True):
    """One conversion with its state. `payload` is TikTok's JSON for it; withheld and filtered rows have none."""

    __table_args__ = (
        UniqueConstraint("event_id", "installation_id", name="event_once"),
        Index("event_of_installation", "installation_id", "id"),
        Index("event_of_state", "installation_id", "state", "id"),
        Index("event_of_order", "installation_id", "order_id"),
        Index("event_of_visitor", "visitor_subject"),
    )

    id: int = _id()
    installation_id: str = Field(max_length=40)
    webhook_id: int = Field(sa_type=BigId)
    event_id: str = Field(max_length=128)
    name: str = Field(max_length=50)
    state: str = Field(max_length=10)
    reason: str = Field(default="", max_length=80)
    value: Decimal | None = Field(default=None, sa_type=DecimalText)
    currency: str | None = Field(default=None, max_length=3)
    order_id: str | None = Field(default=None, max_length=24)
    event_time: datetime = _time()
    pixel_code: str = Field(default="", max_length=64)
    test_event_code: str | None = Field(default=None, max_length=40)
    payload: bytes | None = Field(default=None, sa_type=LargeBinary)
    match_keys: str = Field(default="", max_length=120)
    warnings: str = Field(default="", max_length=200)
    consent: str = Field(default="", max_length=60)  # the decision's reason
    consent_policy: str = Field(default="", max_length=12)
    country: str | None = Field(default=None, max_length=2)
    visitor_subject: bytes | None = Field(default=None, sa_type=LargeBinary)
    order_subject: bytes | None = Field(default=None, sa_type=LargeBinary)
    browser_copy: bool = False
    attempts: int = 0
    next_attempt_at: datetime | None = _time(default=None)
    created_at: datetime = _time()
    updated_at: datetime = _time()
    delivered_at: datetime | None = _time(default=None)


class DeliveryAttempt(SQLModel, table=True):
    """One call to TikTok and what it answered."""

    __tablename__ = "delivery_attempt"
    __table_args__ = (Index("attempt_of_installation", "installation_id", "id"),)

    id: int = _id()
    installation_id: str = Field(max_length=40)
    pixel_code: str = Field(default="", max_length=64)
    started_at: datetime = _time()
    duration_ms: int = 0
    event_count: int = 0
    is_test: bool = False
    http_status: int | None = None
    code: int | None = None
    message: str = Field(default="", max_length=500)
    request_id: str = Field(default="", max_length=100)
    result: str = Field(default="", max_length=20)  # accepted, rejected, split, retry, throttled, access_lost
    reason: str = Field(default="", max_length=80)


class AttemptEvent(SQLModel, table=True):
    """Which events were in which attempt."""

    __tablename__ = "attempt_event"
    __table_args__ = ({"sqlite_with_rowid": False},)

    event_row_id: int = Field(sa_type=BigId, primary_key=True, sa_column_kwargs={"autoincrement": False})
    attempt_id: int = Field(sa_type=BigId, primary_key=True, sa_column_kwargs={"autoincrement": False})


class ConsentRecord(SQLModel, table=True):
    """What a visitor or an order's stamp said, appended and never changed. `subject` is a keyed hash."""

    __tablename__ = "consent_record"
    __table_args__ = (Index("consent_of_subject", "subject", "id"),)

    id: int = _id()
    installation_id: str = Field(max_length=40)
    subject: bytes = Field(sa_type=LargeBinary)
    status: str = Field(max_length=8)
    source: str = Field(default="", max_length=40)
    global_privacy_control: bool = False
    stated_at: datetime | None = _time(default=None)
    recorded_at: datetime = _time()
    webhook_id: int = Field(sa_type=BigId)


class SearchTerm(SQLModel, table=True):
    """Keyed hashes of e-mail, phone, order number, click id: exact search without a second copy of the text."""

    __tablename__ = "search_term"
    __table_args__ = (Index("search_term_of_webhook", "webhook_id"), {"sqlite_with_rowid": False})

    term: bytes = Field(sa_type=LargeBinary, primary_key=True)
    webhook_id: int = Field(sa_type=BigId, primary_key=True, sa_column_kwargs={"autoincrement": False})


class RefusedWebhook(SQLModel, table=True):
    """A bounded sample of what was refused; the newest rows stay."""

    __tablename__ = "refused_webhook"
    __table_args__ = (Index("refused_of_installation", "installation_id", "id"),)

    id: int = _id()
    installation_id: str = Field(default="", max_length=40)  # as asked for; may be nobody's
    received_at: datetime = _time()
    status: int
    reason: str = Field(max_length=40)
    topic: str = Field(default="", max_length=100)
    size: int = 0


class RefusalCount(SQLModel, table=True):
    """All refusals, counted per hour."""

    __tablename__ = "refusal_count"

    hour: datetime = _time(primary_key=True)
    installation_id: str = Field(default="", max_length=40, primary_key=True)
    reason: str = Field(max_length=40, primary_key=True)
    count: int = 0


class Notice(SQLModel, table=True):
    """Something the owner or the operator should know; one row per kind until it is resolved."""

    __table_args__ = (UniqueConstraint("installation_id", "kind", name="notice_once"),)

    id: int = _id()
    installation_id: str = Field(max_length=40)
    kind: str = Field(max_length=40)
    details: str = Field(default="", max_length=500)
    count: int = 1
    first_at: datetime = _time()
    last_at: datetime = _time()
    resolved_at: datetime | None = _time(default=None)


class ProcessHeartbeat(SQLModel, table=True):
    """Which processes are alive and what they do; `readyz` and `doctor` read it."""

    __tablename__ = "process_heartbeat"

    name: str = Field(primary_key=True, max_length=80)
    role: str = Field(max_length=12)  # serve, deliver
    seen_at: datetime = _time()
    details: str = Field(default="{}", sa_type=Text)
