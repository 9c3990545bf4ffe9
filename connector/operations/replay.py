"""Replays: select, look first (dry run), then send again in their own lane, step by step, until done or cancelled.

A step reads and maps outside any write transaction and then changes at most `STEP` rows, so that live orders
never wait for a replay. An event changes only if it still stands as it stood when it was judged.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.core.states import EventState, Lane, WebhookState
from connector.errors import UsageError
from connector.operations.replay_cancelling import (
    begin_to_cancel,
    count_waiting,
    forget_item,
    note_items,
    take_back_part,
)
from connector.operations.replay_rules import GOES, verdict_of
from connector.operations.replay_selection import (
    PLAN_LIMIT,
    STEP,
    ReplayPlan,
    ReplaySelection,
    plan_replay,
    selected_events,
    selected_installation,
    todays_payloads,
)
from connector.operations.replay_webhooks import plan_webhooks, read_anew, selected_webhooks
from connector.storage.audit import audit_in
from connector.storage.opening import Storage
from connector.storage.tables import Event, EventWork, Webhook, WebhookWork
from connector.storage.tables_console import ReplayJob

__all__ = [
    "JobProgress",
    "ReplayPlan",
    "ReplaySelection",
    "cancel_replay",
    "decide_held",
    "find_job",
    "last_jobs",
    "look",
    "plan_replay",
    "replay_webhook",
    "run_replay_steps",
    "start_replay",
]

_REPLAYED = "replayed"
_BACK_AT_ONCE = 10  # parts that are taken back while a person waits

_event = Event.__table__  # type: ignore[attr-defined]
_webhook = Webhook.__table__  # type: ignore[attr-defined]
_event_work = EventWork.__table__  # type: ignore[attr-defined]
_webhook_work = WebhookWork.__table__  # type: ignore[attr-defined]
_job = ReplayJob.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class JobProgress:
    """One job as pages and commands show it."""

    id: int
    installation_id: str
    actor: str
    reason: str
    selection: ReplaySelection
    state: str
    total: int
    replayed: int
    skipped: int
    taken_back: int
    created_at: datetime
    updated_at: datetime
    waiting: int = 0  # in the replay lane of its installation now, counted up to `MOST_COUNTED`; of one job only

    @property
    def can_be_cancelled(self) -> bool:
        """Whether there is something to stop or to take back."""
        return self.state == "running" or (self.state == "done" and self.waiting > 0)

    @property
    def gone(self) -> int:
        """How many left the queue before the job was cancelled."""
        return self.replayed - self.taken_back


def start_replay(storage: Storage, selection: ReplaySelection, *, actor: str, reason: str, total: int) -> int:
    """Write the job and its audit entry; the background work does the rest. Raises UsageError."""
    if not reason.strip():
        raise UsageError("a replay needs a reason")
    job_id, now = storage.new_id(), storage.now()
    with storage.database.write() as connection:
        if selected_installation(connection, selection).state == "removed":
            raise UsageError("this installation was removed: nothing of it is sent any more")
        connection.execute(
            insert(_job),
            {
                "id": job_id,
                "installation_id": selection.installation_id,
                "actor": actor,
                "reason": reason.strip()[:500],
                "selection": selection.as_json(),
                "state": "running",
                "total": total,
                "created_at": now,
                "updated_at": now,
            },
        )
        details = {"selection": json.loads(selection.as_json()), "total": total}
        audit_in(
            connection, storage, actor, "replay",
            installation_id=selection.installation_id, target=str(job_id), reason=reason, details=details,
        )  # fmt: skip
    return job_id


def cancel_replay(storage: Storage, job_id: int, *, actor: str) -> bool:
    """Stop a job, and take back what it queued and has not left; some of it at once, the rest by later steps.

    False when there is nothing to stop: it is over, or nothing waits any more.
    """
    job = find_job(storage, job_id)
    if job is None or not begin_to_cancel(storage, job_id, webhooks=job.selection.webhooks, actor=actor):
        return False
    for _ in range(_BACK_AT_ONCE):
        if not take_back_part(storage, job_id, webhooks=job.selection.webhooks):
            break
    return True


def run_replay_steps(storage: Storage, most: int = 1) -> int:
    """Up to `most` steps over the jobs that are not over, those that are cancelled first. Returns how many were
    done; 0: nothing to do.
    """
    done = 0
    while done < most:
        with storage.database.read() as connection:
            job = _next_job(connection)
        if job is None:
            break
        _step(storage, job)
        done += 1
    return done


def _next_job(connection: Connection) -> Row[Any] | None:
    open_jobs = select(_job).where(_job.c.state.in_(("running", "cancelling")))
    return connection.execute(open_jobs.order_by(_job.c.state, _job.c.updated_at).limit(1)).first()


def find_job(storage: Storage, job_id: int) -> JobProgress | None:
    """One job."""
    with storage.database.read() as connection:
        row = connection.execute(select(_job).where(_job.c.id == job_id)).first()
        if row is None:
            return None
        job = _progress(row)
        waiting = count_waiting(connection, job.installation_id, webhooks=job.selection.webhooks)
    return replace(job, waiting=waiting)


def last_jobs(storage: Storage, limit: int = 50) -> list[JobProgress]:
    """The newest jobs."""
    with storage.database.read() as connection:
        rows = connection.execute(select(_job).order_by(_job.c.id.desc()).limit(limit)).all()
    return [_progress(row) for row in rows]


def replay_webhook(storage: Storage, webhook_id: int, *, actor: str, reason: str) -> None:
    """Have one stored webhook read and mapped anew, in the replay lane. Raises UsageError.

    Reading is idempotent: an order that has its purchase gets no second one.
    """
    if not reason.strip():
        raise UsageError("a replay needs a reason")
    with storage.database.write() as connection:
        columns = (_webhook.c.installation_id, _webhook.c.body_encoding)
        row = connection.execute(select(*columns).where(_webhook.c.id == webhook_id)).first()
        if row is None:
            raise UsageError("there is no such webhook")
        if row.body_encoding == "expired":
            raise UsageError("the body of this webhook is no longer kept")
        work = {
            "id": webhook_id,
            "installation_id": row.installation_id,
            "lane": Lane.REPLAY,
            "run_at": storage.now(),
        }
        _add_work(connection, _webhook_work, [work])
        forget_item(connection, webhook_id)
        connection.execute(
            update(_webhook).where(_webhook.c.id == webhook_id).values(state=WebhookState.RECEIVED, reason="")
        )
        audit_in(
            connection, storage, actor, "replay",
            installation_id=row.installation_id, target=f"webhook {webhook_id}", reason=reason,
        )  # fmt: skip


def decide_held(storage: Storage, event_row_id: int, *, send: bool, actor: str, reason: str) -> None:
    """Send a held event, or let it go. Raises UsageError when it is not held any more, or too old to be sent."""
    if not reason.strip():
        raise UsageError("a decision needs a reason")
    now, c = storage.now(), _event.c
    with storage.database.write() as connection:
        row = connection.execute(select(c.installation_id, c.event_id, c.state).where(c.id == event_row_id)).first()
        if row is None or row.state != EventState.HELD:
            raise UsageError("this event is not held any more")
        values: dict[str, Any] = {"updated_at": now}
        if send:
            # The person has looked: no copy of the browser is in the way now.
            values |= {"state": EventState.PENDING, "reason": "sent_by_decision", "browser_copy": False}
            values |= {"next_attempt_at": now}
        else:
            values |= {"state": EventState.WITHDRAWN, "reason": "let_go_by_decision", "next_attempt_at": None}
            values |= {"payload": None, "match_keys": ""}
        connection.execute(update(_event).where(c.id == event_row_id).values(values))
        forget_item(connection, event_row_id)
        if send:
            work = {"id": event_row_id, "installation_id": row.installation_id, "lane": Lane.REPLAY, "run_at": now}
            _add_work(connection, _event_work, [work])
        audit_in(
            connection, storage, actor, "decide_held",
            installation_id=row.installation_id, target=row.event_id, reason=reason,
            details={"decision": "send" if send else "let_go"},
        )  # fmt: skip


def look(storage: Storage, selection: ReplaySelection, limit: int = PLAN_LIMIT) -> ReplayPlan:
    """The dry run over events, or over webhooks when the selection names those. Raises UsageError."""
    plan = plan_webhooks if selection.webhooks else plan_replay
    return plan(storage, selection, limit)


def _step(storage: Storage, job: Row[Any]) -> None:
    selection = ReplaySelection.from_json(job.selection)
    if job.state == "cancelling":
        take_back_part(storage, job.id, webhooks=selection.webhooks)
        return
    (_webhook_step if selection.webhooks else _event_step)(storage, job, selection)


def _webhook_step(storage: Storage, job: Row[Any], selection: ReplaySelection) -> None:
    with storage.database.read() as connection:
        selected_installation(connection, selection)
        part = next(selected_webhooks(connection, selection, job.position))
    with storage.database.write() as connection:
        if not _still_stands(connection, job):
            return
        going = read_anew(connection, selection.installation_id, part.rows, storage.now())
        note_items(connection, job.id, [(row.id, row.state, row.reason, None) for row in going])
        read = len(going)
        _note_progress(connection, storage, job, part.passed, read, len(part.rows) - read, last=part.last)


def _still_stands(connection: Connection, job: Row[Any]) -> bool:
    """Whether the job goes on from where this step began: it was not cancelled, nobody else did the step."""
    columns = (_job.c.state, _job.c.position)
    row = connection.execute(select(*columns).where(_job.c.id == job.id).with_for_update()).first()
    return row is not None and (row.state, row.position) == ("running", job.position)


def _note_progress(
    connection: Connection, storage: Storage, job: Row[Any], position: int, replayed: int, skipped: int, *, last: bool
) -> None:
    connection.execute(
        update(_job)
        .where(_job.c.id == job.id)
        .values(
            position=position,
            replayed=_job.c.replayed + replayed,
            skipped=_job.c.skipped + skipped,
            state="done" if last else "running",
            updated_at=storage.now(),
        )
    )


def _event_step(storage: Storage, job: Row[Any], selection: ReplaySelection) -> None:
    now = storage.now()
    with storage.database.read() as connection:
        installation = selected_installation(connection, selection)
        found: Sequence[Row[Any]] = []
        rows = next(selected_events(connection, selection, job.position), found)
        going = [row for row in rows if verdict_of(row, now) in GOES]
        mapped = {row.id: new or row.payload for row, new in todays_payloads(connection, installation, going)}
    with storage.database.write() as connection:
        if not _still_stands(connection, job):
            return
        sent = _send_again(connection, selection.installation_id, going, mapped, now)
        note_items(connection, job.id, [(row.id, row.state, row.reason, row.updated_at) for row in sent])
        replayed = len(sent)
        position = rows[-1].id if rows else job.position
        _note_progress(connection, storage, job, position, replayed, len(rows) - replayed, last=len(rows) < STEP)


def _send_again(
    connection: Connection, installation_id: str, going: Sequence[Row[Any]], payloads: dict[int, bytes], now: datetime
) -> list[Row[Any]]:
    """Back to pending those that still stand as they were judged. Returns them."""
    sent = []
    for row in going:
        changed = connection.execute(
            update(_event)
            .where(_event.c.id == row.id, _event.c.state == row.state)
            .values(
                state=EventState.PENDING,
                reason=_REPLAYED,
                payload=payloads[row.id],
                next_attempt_at=now,
                updated_at=now,
            )
        ).rowcount
        if changed:
            sent.append(row)
    work = [{"id": row.id, "installation_id": installation_id, "lane": Lane.REPLAY, "run_at": now} for row in sent]
    _add_work(connection, _event_work, work)
    return sent


def _add_work(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    """Work that is there already stays as it is."""
    if rows:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        full = [{"lease_token": 0, "tries": 0, **row} for row in rows]
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), full)


def _progress(row: Row[Any]) -> JobProgress:
    names = (
        "id",
        "installation_id",
        "actor",
        "reason",
        "state",
        "total",
        "replayed",
        "skipped",
        "taken_back",
        "created_at",
        "updated_at",
    )
    values = {name: getattr(row, name) for name in names}
    return JobProgress(selection=ReplaySelection.from_json(row.selection), **values)
