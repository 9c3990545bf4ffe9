"""What retention changes and removes, a few hundred rows per transaction, each found by an index.

Every function does one step and tells how many rows it took; 0 means that nothing is left. Walks that leave their
rows in place (bodies, payloads, keys) remember how far they have come.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from connector.core.states import EventState, WebhookState
from connector.storage.engine import Database
from connector.storage.queue import event_queue
from connector.storage.tables import (
    AttemptEvent,
    ConsentRecord,
    DeliveryAttempt,
    Event,
    ProcessHeartbeat,
    RefusalCount,
    RefusedWebhook,
    SearchTerm,
    Webhook,
    WebhookKey,
    WebhookWork,
)
from connector.storage.tables_console import ReplayItem, ReplayJob, RollupHour
from connector.storage.tables_reconcile import HousekeepingCursor, ReconcileRun

__all__ = [
    "STEP",
    "close_unread",
    "end_too_old",
    "expire_bodies",
    "expire_payloads",
    "forget_keys",
    "forget_processes",
    "remove_attempts",
    "remove_consents",
    "remove_counts",
    "remove_events",
    "remove_refusals",
    "remove_replay_items",
    "remove_replays",
    "remove_runs",
    "remove_terms",
    "remove_webhooks",
]

STEP = 500
_KEPT_AS_IT_IS = (EventState.PENDING, EventState.HELD)

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_work = WebhookWork.__table__  # type: ignore[attr-defined]
_key = WebhookKey.__table__  # type: ignore[attr-defined]
_term = SearchTerm.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]
_attempt_event = AttemptEvent.__table__  # type: ignore[attr-defined]
_consent = ConsentRecord.__table__  # type: ignore[attr-defined]
_refused = RefusedWebhook.__table__  # type: ignore[attr-defined]
_refusals = RefusalCount.__table__  # type: ignore[attr-defined]
_rollups = RollupHour.__table__  # type: ignore[attr-defined]
_replay = ReplayJob.__table__  # type: ignore[attr-defined]
_item = ReplayItem.__table__  # type: ignore[attr-defined]
_run = ReconcileRun.__table__  # type: ignore[attr-defined]
_process = ProcessHeartbeat.__table__  # type: ignore[attr-defined]
_cursor = HousekeepingCursor.__table__  # type: ignore[attr-defined]


def expire_bodies(database: Database, below: int, step: int = STEP) -> int:
    """Empty the bodies of webhooks with smaller ids; the rows stay listed and say so. Unread ones stay whole."""
    with database.write() as connection:
        ids = _next_ids(connection, "bodies", _webhook, below, step)
        if ids:
            done = (_webhook.c.state != WebhookState.RECEIVED, _webhook.c.body_encoding != "expired")
            here = update(_webhook).where(_webhook.c.id >= ids[0], _webhook.c.id <= ids[-1], *done)
            connection.execute(here.values(body=b"", body_encoding="expired"))
    return len(ids)


def expire_payloads(database: Database, below: int, step: int = STEP) -> int:
    """Empty the payloads of events with smaller ids that are over: the hashed identity goes with them."""
    with database.write() as connection:
        ids = _next_ids(connection, "payloads", _event, below, step)
        if ids:
            over = (_event.c.state.not_in(_KEPT_AS_IT_IS), _event.c.payload.is_not(None))
            here = update(_event).where(_event.c.id >= ids[0], _event.c.id <= ids[-1], *over)
            connection.execute(here.values(payload=None))
    return len(ids)


def end_too_old(database: Database, below: int, step: int = STEP, *, now: datetime) -> int:
    """Give up events with smaller ids that still wait, for a person or for a paused store: none of them can leave any
    more. Those that `expire_payloads` passed by while they waited lose their payload too. What is on its way stays.
    """
    with database.write() as connection:
        ids = _next_ids(connection, "too_old", _event, below, step)
        if ids:
            here = (_event.c.id >= ids[0], _event.c.id <= ids[-1])
            waiting = select(_event.c.id, _event.c.state).where(*here, _event.c.state.in_(_KEPT_AS_IT_IS))
            rows = connection.execute(waiting).all()
            pending = [row.id for row in rows if row.state == EventState.PENDING]
            given_up = event_queue.withdraw(connection, pending, now)
            given_up |= {row.id for row in rows if row.state == EventState.HELD}
            gone: dict[str, Any] = {"state": EventState.DEAD, "reason": "too_old", "payload": None, "match_keys": ""}
            gone |= {"next_attempt_at": None, "updated_at": now}
            if given_up:
                connection.execute(update(_event).where(_event.c.id.in_(given_up)).values(gone))
    return len(ids)


def close_unread(database: Database, below: int, step: int = STEP) -> int:
    """Take webhooks with smaller ids that nobody ever read out of the queue, so that they go like all others."""
    with database.write() as connection:
        ids = _oldest(connection, _work, below, step)
        if ids:
            connection.execute(delete(_work).where(_work.c.id.in_(ids)))
            unread = (_webhook.c.id.in_(ids), _webhook.c.state == WebhookState.RECEIVED)
            connection.execute(update(_webhook).where(*unread).values(state=WebhookState.IGNORED, reason="too_old"))
    return len(ids)


def forget_keys(database: Database, below: int, step: int = STEP) -> int:
    """Forget the dedup keys of webhooks with smaller ids."""
    with database.write() as connection:
        ids = _next_ids(connection, "keys", _webhook, below, step)
        if ids:
            here = (_webhook.c.id >= ids[0], _webhook.c.id <= ids[-1])
            digests = connection.execute(select(_webhook.c.digest).where(*here)).scalars().all()
            # A key that was forgotten and written anew belongs to a later webhook.
            connection.execute(delete(_key).where(_key.c.digest.in_(digests), _key.c.webhook_id <= ids[-1]))
    return len(ids)


def remove_webhooks(database: Database, below: int, step: int = STEP) -> int:
    """Remove webhooks with smaller ids, their search terms first. What nobody has read yet is not among them."""
    with database.write() as connection:
        ids = _oldest(connection, _webhook, below, step, _webhook.c.state != WebhookState.RECEIVED)
        if ids:
            connection.execute(delete(_term).where(_term.c.webhook_id.in_(ids)))
            connection.execute(delete(_webhook).where(_webhook.c.id.in_(ids)))
    return len(ids)


def remove_terms(database: Database, below: int, step: int = STEP) -> int:
    """Remove search terms of webhooks with smaller ids."""
    with database.write() as connection:
        oldest = select(_term.c.webhook_id).where(_term.c.webhook_id < below).order_by(_term.c.webhook_id)
        ids = set(connection.execute(oldest.limit(step)).scalars())
        if ids:
            connection.execute(delete(_term).where(_term.c.webhook_id.in_(ids)))
    return len(ids)


def remove_events(database: Database, below: int, step: int = STEP) -> int:
    """Remove events with smaller ids that wait for nothing. The ledger of orders remembers their purchase."""
    with database.write() as connection:
        waits = _event.c.state == EventState.PENDING
        ids = _oldest(connection, _event, below, step, ~waits)
        if ids:
            connection.execute(delete(_attempt_event).where(_attempt_event.c.event_row_id.in_(ids)))
            connection.execute(delete(_event).where(_event.c.id.in_(ids)))
    return len(ids)


def remove_attempts(database: Database, below: int, step: int = STEP) -> int:
    """Remove calls to TikTok with smaller ids."""
    return _remove(database, _attempt, below, step)


def remove_consents(database: Database, below: int, step: int = STEP) -> int:
    """Remove consent records with smaller ids."""
    return _remove(database, _consent, below, step)


def remove_refusals(database: Database, below: int, step: int = STEP) -> int:
    """Remove samples of refused webhooks with smaller ids."""
    return _remove(database, _refused, below, step)


def remove_runs(database: Database, below: int, step: int = STEP) -> int:
    """Remove finished comparisons with stores."""
    return _remove(database, _run, below, step)


def remove_replays(database: Database, below: int, step: int = STEP) -> int:
    """Remove replay jobs that are over."""
    return _remove(database, _replay, below, step, _replay.c.state.not_in(("running", "cancelling")))


def remove_replay_items(database: Database, below: int, step: int = STEP) -> int:
    """Forget how events and webhooks stood before replays with smaller ids."""
    with database.write() as connection:
        oldest = select(_item.c.row_id).where(_item.c.job_id < below).order_by(_item.c.job_id, _item.c.row_id)
        ids = list(connection.execute(oldest.limit(step)).scalars())
        if ids:
            connection.execute(delete(_item).where(_item.c.row_id.in_(ids)))
    return len(ids)


def remove_counts(database: Database, before: datetime, _step: int = STEP) -> int:
    """Remove the counts of the oldest hour before then."""
    removed = 0
    for table in (_refusals, _rollups):
        with database.write() as connection:
            hour = connection.execute(select(func.min(table.c.hour))).scalar()
            if hour is not None and hour < before:
                removed += connection.execute(delete(table).where(table.c.hour == hour)).rowcount
    return removed


def forget_processes(database: Database, now: datetime) -> int:
    """Forget processes that were not heard of for a week; there are never many."""
    with database.write() as connection:
        gone = delete(_process).where(_process.c.seen_at < now - timedelta(days=7))
        return connection.execute(gone).rowcount


def _remove(database: Database, table: Any, below: int, step: int, *conditions: Any) -> int:
    with database.write() as connection:
        ids = _oldest(connection, table, below, step, *conditions)
        if ids:
            connection.execute(delete(table).where(table.c.id.in_(ids)))
    return len(ids)


def _oldest(connection: Connection, table: Any, below: int, step: int, *conditions: Any) -> list[int]:
    statement = select(table.c.id).where(table.c.id < below, *conditions).order_by(table.c.id).limit(step)
    return list(connection.execute(statement).scalars())


def _next_ids(connection: Connection, name: str, table: Any, below: int, step: int) -> list[int]:
    """The next ids of a walk, which has then passed them."""
    at = connection.execute(select(_cursor.c.position).where(_cursor.c.name == name)).scalar()
    here = (table.c.id > (at or 0), table.c.id < below)
    ids = list(connection.execute(select(table.c.id).where(*here).order_by(table.c.id).limit(step)).scalars())
    if ids and at is None:
        connection.execute(insert(_cursor), {"name": name, "position": ids[-1]})
    elif ids:
        connection.execute(update(_cursor).where(_cursor.c.name == name).values(position=ids[-1]))
    return ids
