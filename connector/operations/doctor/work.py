"""Whether the service works: keys, backlog, processes."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from connector.core.row_ids import time_of
from connector.errors import CredentialUnreadable
from connector.operations.doctor.check import Check, fine, warning, wrong
from connector.storage.audit import verify_chain
from connector.storage.installations import open_credentials
from connector.storage.opening import Storage
from connector.storage.tables import Credential, EventWork, Installation, ProcessHeartbeat, WebhookWork

__all__ = ["audit_chain", "event_backlog", "keys", "processes", "webhook_backlog"]

_credential = Credential.__table__  # type: ignore[attr-defined]
_event_work = EventWork.__table__  # type: ignore[attr-defined]
_webhook_work = WebhookWork.__table__  # type: ignore[attr-defined]
_installation = Installation.__table__  # type: ignore[attr-defined]
_heartbeat = ProcessHeartbeat.__table__  # type: ignore[attr-defined]

_LATE = timedelta(minutes=5)
_ALIVE = timedelta(seconds=30)
_DELIVERS = frozenset({"serve", "deliver"})


def keys(storage: Storage) -> Check:
    """Whether the secret keys open every stored credential."""
    closed: set[str] = set()
    with storage.database.read() as connection:
        kinds = connection.execute(select(_credential.c.installation_id, _credential.c.kind).distinct()).all()
        for installation_id, kind in kinds:
            try:
                open_credentials(connection, storage.keys, installation_id, kind, storage.now())
            except CredentialUnreadable:
                closed.add(installation_id)
    if closed:
        remedy = "put the missing key back into CONNECTOR_SECRET_KEYS, or reconnect these installations"
        return wrong("secret_keys", f"credentials do not open: {', '.join(sorted(closed)[:20])}", remedy)
    return fine("secret_keys", f"{len(kinds)} kinds of credentials open")


def webhook_backlog(storage: Storage) -> Check:
    """How long the oldest stored webhook has waited to be processed. What waits for its store's owner to connect
    TikTok, or for another try, waits rightly.
    """
    c = _webhook_work.c
    maps = select(_installation.c.id).where(_installation.c.pixel_code != "")
    due = select(func.count(), func.min(c.id)).where(c.run_at <= storage.now(), c.installation_id.in_(maps))
    with storage.database.read() as connection:
        count, oldest = connection.execute(due).one()
    if not count:
        return fine("webhook_backlog", "no webhook waits")
    waited = storage.now().timestamp() - time_of(int(oldest)) / 1000
    text = f"{count:,} webhooks wait, the oldest for {_span(waited)}"
    if waited > _LATE.total_seconds():
        return wrong("webhook_backlog", text, "start `connector serve` or `connector deliver`, or more of them")
    return fine("webhook_backlog", text)


def event_backlog(storage: Storage) -> Check:
    """How overdue the events are that may be sent; those that wait for a retry or a token are not overdue."""
    now, c = storage.now(), _event_work.c
    sends = select(_installation.c.id).where(_installation.c.state == "active", _installation.c.access == "ok")
    due = select(func.count(), func.min(c.run_at)).where(c.run_at <= now, c.installation_id.in_(sends))
    with storage.database.read() as connection:
        count, oldest = connection.execute(due).one()
    if not count:
        return fine("event_backlog", "no event is overdue")
    late: timedelta = now - oldest
    text = f"{count:,} events are due, the oldest for {_span(late.total_seconds())}"
    if late > _LATE:
        return wrong("event_backlog", text, "start `connector serve` or `connector deliver`, or more of them")
    return fine("event_backlog", text)


def processes(storage: Storage) -> Check:
    """Which processes were heard of within half a minute, and whether one of them sends."""
    with storage.database.read() as connection:
        rows = connection.execute(select(_heartbeat).order_by(_heartbeat.c.seen_at)).all()
    alive = [row for row in rows if row.seen_at > storage.now() - _ALIVE]
    if not rows:
        return warning("processes", "none has run yet", "start `connector serve`")
    if not alive:
        return wrong("processes", f"none runs; the last was seen {_time(rows[-1])}", "start `connector serve`")
    text = ", ".join(f"{row.role} ({row.name})" for row in alive)
    if not any(row.role in _DELIVERS for row in alive):
        return wrong("processes", f"{text}: nothing sends", "start `connector deliver`")
    return fine("processes", text)


def _time(row: Any) -> str:
    seen: datetime = row.seen_at
    return f"{seen:%Y-%m-%d %H:%M:%S} UTC"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def audit_chain(storage: Storage) -> Check:
    """Whether the audit log is as it was written, from its first entry to its sealed end."""
    broken = verify_chain(storage)
    if broken is not None:
        remedy = "somebody changed the database by hand: compare with a backup, and find out who had its password"
        return wrong("audit_log", broken.fault, remedy)
    return fine("audit_log", "every entry is as it was written")
