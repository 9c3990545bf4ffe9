"""Tables of the support console: staff, sessions, audit, replays, rollups, alert rules, saved links."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, Text, text
from sqlmodel import Field, SQLModel

from connector.storage.columns import BigId, UtcTime
from connector.storage.tables import AttemptEvent, DeliveryAttempt, Event, Webhook

__all__ = [
    "AlertRule",
    "AuditEntry",
    "AuditHead",
    "ReplayItem",
    "ReplayJob",
    "RollupCursor",
    "RollupHour",
    "SavedLink",
    "SignInCount",
    "Staff",
    "StaffSession",
]


def _id(**options: Any) -> Any:
    return Field(sa_type=BigId, sa_column_kwargs={"autoincrement": False}, primary_key=True, **options)


def _time(**options: Any) -> Any:
    return Field(sa_type=UtcTime, **options)


class Staff(SQLModel, table=True):
    """One person who may sign in to the console. Without a password hash only single sign-on lets them in."""

    id: int = _id()
    email: str = Field(unique=True, max_length=254)  # normal form: trimmed, lower-case
    role: str = Field(max_length=12)  # support, admin
    password_hash: str = Field(default="", max_length=200)
    active: bool = True
    created_at: datetime = _time()
    last_sign_in_at: datetime | None = _time(default=None)


class StaffSession(SQLModel, table=True):
    """One signed-in browser. Only the token's digest is here, so that reading the table opens no session."""

    __tablename__ = "staff_session"
    __table_args__ = (Index("session_of_staff", "staff_id"),)

    digest: bytes = Field(sa_type=LargeBinary, primary_key=True)
    staff_id: int = Field(sa_type=BigId)
    created_at: datetime = _time()
    seen_at: datetime = _time()
    revoked_at: datetime | None = _time(default=None)


class SignInCount(SQLModel, table=True):
    """Attempts to sign in since a time, by a keyed hash of the account or address. Bounded by its buckets."""

    __tablename__ = "sign_in_count"

    bucket: int = Field(sa_column_kwargs={"autoincrement": False}, primary_key=True)
    since: datetime = _time()
    count: int = 0


class AuditEntry(SQLModel, table=True):
    """Who did what and why. Each entry's hash covers the one before; triggers refuse change and removal."""

    __tablename__ = "audit_log"

    number: int = Field(sa_type=BigId, sa_column_kwargs={"autoincrement": False}, primary_key=True)  # 1, 2, 3, ...
    at: datetime = _time()
    actor: str = Field(max_length=254)  # a staff member's e-mail, `command line` or `system`
    action: str = Field(max_length=40)
    installation_id: str = Field(default="", max_length=40)
    target: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=500)
    details: str = Field(default="{}", sa_type=Text)
    hash: bytes = Field(sa_type=LargeBinary)


class AuditHead(SQLModel, table=True):
    """Where the chain ends, sealed: an end that was cut off shows."""

    __tablename__ = "audit_head"

    id: int = Field(primary_key=True)  # always 1
    number: int = Field(default=0, sa_type=BigId)
    seal: bytes = Field(sa_type=LargeBinary)


class ReplayJob(SQLModel, table=True):
    """One replay: what was asked, how far it is. `position` is the last row that was looked at; while the replay is
    taken back, the row down to which that was done.
    """

    __tablename__ = "replay_job"

    id: int = _id()
    installation_id: str = Field(max_length=40)
    actor: str = Field(max_length=254)
    reason: str = Field(max_length=500)
    selection: str = Field(sa_type=Text)  # ReplaySelection as JSON
    state: str = Field(default="running", max_length=12)  # running, done, cancelling, cancelled, failed
    total: int = 0  # events that the dry run counted
    replayed: int = 0
    skipped: int = 0
    taken_back: int = 0
    position: int = Field(default=0, sa_type=BigId)
    created_at: datetime = _time()
    updated_at: datetime = _time()


class ReplayItem(SQLModel, table=True):
    """What a replay put into the queue, an event or a webhook, and how it stood before: so it can be taken back.

    The newest replay of a row has it; rows go when they were taken back, and after days.
    """

    __tablename__ = "replay_item"
    __table_args__ = (Index("replay_item_of_job", "job_id", "row_id"), {"sqlite_with_rowid": False})

    row_id: int = _id()  # the event's or the webhook's
    job_id: int = Field(sa_type=BigId)
    state: str = Field(max_length=12)
    reason: str = Field(default="", max_length=80)
    changed_at: datetime | None = _time(default=None)  # of an event


class RollupHour(SQLModel, table=True):
    """Counts of one hour, one installation and one metric; dashboards read nothing else."""

    __tablename__ = "rollup_hour"
    __table_args__ = (Index("rollup_of_installation", "installation_id", "hour"), {"sqlite_with_rowid": False})

    hour: datetime = _time(primary_key=True)
    installation_id: str = Field(max_length=40, primary_key=True)
    metric: str = Field(max_length=40, primary_key=True)
    count: int = Field(default=0, sa_type=BigId)


class RollupCursor(SQLModel, table=True):
    """How far each source of the rollups has been counted."""

    __tablename__ = "rollup_cursor"

    source: str = Field(primary_key=True, max_length=20)
    position: int = Field(default=0, sa_type=BigId)


class AlertRule(SQLModel, table=True):
    """When to tell whom. `secret` signs an outgoing webhook, sealed like any credential."""

    __tablename__ = "alert_rule"

    id: int = _id()
    installation_id: str = Field(default="", max_length=40)  # empty: every installation
    kind: str = Field(max_length=20)  # silence, access_lost, rejection_rate, backlog_age
    threshold: int = 0  # hours, -, per cent, minutes
    channel: str = Field(max_length=8)  # email, webhook
    target: str = Field(max_length=500)
    secret: bytes | None = Field(default=None, sa_type=LargeBinary)
    enabled: bool = True
    firing: str = Field(default="[]", sa_type=Text)  # installations that are in alarm now, as JSON
    last_fired_at: datetime | None = _time(default=None)
    last_result: str = Field(default="", max_length=200)
    created_by: str = Field(default="", max_length=254)
    created_at: datetime = _time()


class SavedLink(SQLModel, table=True):
    """A list with its filters and columns under a name, seen by all staff."""

    __tablename__ = "saved_link"

    id: int = _id()
    title: str = Field(max_length=80)
    address: str = Field(max_length=1000)  # path and query inside the console
    created_by: str = Field(default="", max_length=254)
    created_at: datetime = _time()


# What only the console looks for. Narrow or partial, so that the road hardly pays for them: rare states only,
# one row per call to TikTok, and indexes that grow at their end.
_TROUBLE = "state = 'held' OR state = 'rejected' OR state = 'dead'"
_event = Event.__table__  # type: ignore[attr-defined]
_webhook = Webhook.__table__  # type: ignore[attr-defined]
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]
_attempt_event = AttemptEvent.__table__  # type: ignore[attr-defined]
Index("event_trouble", _event.c.state, _event.c.id, sqlite_where=text(_TROUBLE), postgresql_where=text(_TROUBLE))
Index(
    "webhook_unreadable",
    _webhook.c.id,
    sqlite_where=text("state = 'unreadable'"),
    postgresql_where=text("state = 'unreadable'"),
)
Index("attempt_of_request", _attempt.c.request_id)
Index("event_of_attempt", _attempt_event.c.attempt_id)
