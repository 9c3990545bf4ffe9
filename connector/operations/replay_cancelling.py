"""Cancelling a replay: what it has put into the queue and has not left yet is taken back, and stands as before.

Taken back in parts, the last queued first, since the queue leaves from its other end. What a worker holds at that
moment is looked at again later: it has left by then, or waits once more.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.core.states import EventState, Lane, WebhookState
from connector.storage.audit import audit_in
from connector.storage.opening import Storage
from connector.storage.queue import WorkQueue, event_queue, webhook_queue
from connector.storage.tables import Event, Webhook
from connector.storage.tables_console import ReplayItem, ReplayJob

__all__ = ["MOST_COUNTED", "begin_to_cancel", "count_waiting", "forget_item", "note_items", "take_back_part"]

MOST_COUNTED = 1000
_PART = 500
_END = (1 << 63) - 1

_event = Event.__table__  # type: ignore[attr-defined]
_webhook = Webhook.__table__  # type: ignore[attr-defined]
_item = ReplayItem.__table__  # type: ignore[attr-defined]
_job = ReplayJob.__table__  # type: ignore[attr-defined]


def note_items(connection: Connection, job_id: int, rows: Iterable[tuple[int, str, str, datetime | None]]) -> None:
    """Note how rows stood before this replay: id, state, reason and, of an event, when it was changed last."""
    names = ("row_id", "state", "reason", "changed_at")
    values = [{"job_id": job_id, **dict(zip(names, row, strict=True))} for row in rows]
    if values:
        dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
        statement = dialect.insert(_item)
        changes = {name: statement.excluded[name] for name in ("job_id", *names[1:])}
        connection.execute(statement.on_conflict_do_update(index_elements=["row_id"], set_=changes), values)


def forget_item(connection: Connection, row_id: int) -> None:
    """A person has decided about this event or webhook since: no replay takes that back."""
    connection.execute(delete(_item).where(_item.c.row_id == row_id))


def count_waiting(connection: Connection, installation_id: str, *, webhooks: bool) -> int:
    """How many wait in the replay lane of an installation, `MOST_COUNTED` at most."""
    c = _queue(webhooks).rows.c
    here = (c.lane == Lane.REPLAY, c.installation_id == installation_id)
    inner = select(literal_column("1")).select_from(c.id.table).where(*here).limit(MOST_COUNTED).subquery()
    return int(connection.execute(select(func.count()).select_from(inner)).scalar_one())


def begin_to_cancel(storage: Storage, job_id: int, *, webhooks: bool, actor: str) -> bool:
    """Stop a job before its next step, and have what it queued taken back. False when there is nothing to stop."""
    with storage.database.write() as connection:
        row = connection.execute(select(_job).where(_job.c.id == job_id).with_for_update()).first()
        if row is None or row.state not in ("running", "done"):
            return False
        if row.state == "done" and not count_waiting(connection, row.installation_id, webhooks=webhooks):
            return False
        values = {"state": "cancelling", "position": _END, "updated_at": storage.now()}
        connection.execute(update(_job).where(_job.c.id == job_id).values(values))
        audit_in(
            connection, storage, actor, "replay_cancelled",
            installation_id=row.installation_id, target=str(job_id),
        )  # fmt: skip
    return True


def take_back_part(storage: Storage, job_id: int, *, webhooks: bool) -> bool:
    """Take some of a cancelled job back. False when all of it was."""
    with storage.database.write() as connection:
        job = connection.execute(select(_job).where(_job.c.id == job_id).with_for_update()).first()
        if job is None or job.state != "cancelling":
            return False
        c = _item.c
        mine = select(_item).where(c.job_id == job_id, c.row_id < job.position).order_by(c.row_id.desc()).limit(_PART)
        items = connection.execute(mine).all()
        if items:
            taken = _take_back(connection, items, storage.now(), webhooks)
            _note(connection, storage, job, position=items[-1].row_id, taken_back=job.taken_back + taken)
            return True
        if connection.execute(select(c.row_id).where(c.job_id == job_id).limit(1)).first():
            _note(connection, storage, job, position=_END)  # a worker has it: see what became of it
            return True
        _note(connection, storage, job, state="cancelled")
        details = {"gone": job.replayed - job.taken_back, "taken_back": job.taken_back}
        audit_in(
            connection, storage, job.actor, "replay_taken_back",
            installation_id=job.installation_id, target=str(job_id), details=details,
        )  # fmt: skip
    return False


def _queue(webhooks: bool) -> WorkQueue:
    return webhook_queue if webhooks else event_queue


def _note(connection: Connection, storage: Storage, job: Row[Any], **values: Any) -> None:
    connection.execute(update(_job).where(_job.c.id == job.id).values(updated_at=storage.now(), **values))


def _take_back(connection: Connection, items: Sequence[Row[Any]], now: datetime, webhooks: bool) -> int:
    queue = _queue(webhooks)
    work, ids = queue.rows.c, [item.row_id for item in items]
    waiting = select(work.id).where(work.id.in_(ids), work.lane == Lane.REPLAY)
    here = set(connection.execute(waiting).scalars())
    taken = queue.withdraw(connection, sorted(here), now)
    back = [item for item in items if item.row_id in taken]
    count = _restore_webhooks(connection, back) if webhooks else _restore_events(connection, back)
    over = [row_id for row_id in ids if row_id in taken or row_id not in here]
    connection.execute(delete(_item).where(_item.c.row_id.in_(over)))
    return count


def _restore_events(connection: Connection, items: Sequence[Row[Any]]) -> int:
    """What is not pending any more was decided meanwhile, and stays."""
    c = _event.c
    still = select(c.id).where(c.id.in_([item.row_id for item in items]), c.state == EventState.PENDING)
    pending = set(connection.execute(still).scalars())
    rows = [
        {"row": item.row_id, "before": item.state, "why": item.reason, "at": item.changed_at}
        for item in items
        if item.row_id in pending
    ]
    values = {
        "state": bindparam("before"),
        "reason": bindparam("why"),
        "updated_at": bindparam("at", type_=c.updated_at.type),
        "next_attempt_at": None,
    }
    if rows:
        connection.execute(update(_event).where(c.id == bindparam("row")).values(values), rows)
    return len(rows)


def _restore_webhooks(connection: Connection, items: Sequence[Row[Any]]) -> int:
    c = _webhook.c
    rows = [{"row": item.row_id, "before": item.state, "why": item.reason} for item in items]
    values: dict[str, Any] = {"state": bindparam("before"), "reason": bindparam("why")}
    if rows:
        here = (c.id == bindparam("row"), c.state == WebhookState.RECEIVED)
        connection.execute(update(_webhook).where(*here).values(values), rows)
    return len(rows)
