"""Runs of reconciliation, and what the database knows of the orders that a store tells."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select, text, update

from connector.core.states import EventState
from connector.storage.known import GONE
from connector.storage.tables import Event, OrderLedger
from connector.storage.tables_reconcile import MaintenanceTask, ReconcileRun

__all__ = [
    "Standing",
    "add_run",
    "change_run",
    "finish_run",
    "last_reconciled",
    "last_runs",
    "order_standings",
    "remember_time",
    "remembered_time",
    "start_again",
    "waiting_runs",
]

_run = ReconcileRun.__table__  # type: ignore[attr-defined]
_ledger = OrderLedger.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_task = MaintenanceTask.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one order. `event_state` is empty when it made no event, or its row is no longer kept.

    `event_row_id` is `known.GONE` after an erasure; the state of what had left before is told all the same.
    """

    modified_at: datetime | None
    event_row_id: int | None
    event_state: str = ""
    event_reason: str = ""
    event_id: str = ""


def order_standings(connection: Connection, digests: Sequence[bytes]) -> dict[bytes, Standing]:
    """By the ledger's digest; orders that were never processed are left out."""
    found: dict[bytes, Standing] = {}
    columns = (_ledger.c.digest, _ledger.c.modified_at, _ledger.c.event_row_id)
    of_event = (_event.c.state, _event.c.reason, _event.c.event_id)
    joined = _ledger.outerjoin(_event, _event.c.id == _ledger.c.event_row_id)
    for part in _parts(digests):
        statement = select(*columns, *of_event).select_from(joined).where(_ledger.c.digest.in_(part))
        for digest, modified_at, row_id, state, reason, event_id in connection.execute(statement):
            found[bytes(digest)] = Standing(modified_at, row_id, state or "", reason or "", event_id or "")
    _add_erased(connection, found)
    return found


def _add_erased(connection: Connection, found: dict[bytes, Standing]) -> None:
    """What became of erased orders before: their ledger row points to no event any more."""
    gone = [digest for digest, standing in found.items() if standing.event_row_id == GONE]
    same = (_event.c.installation_id == _ledger.c.installation_id, _event.c.order_id == _ledger.c.order_id)
    columns = (_ledger.c.digest, _event.c.state, _event.c.reason, _event.c.event_id)
    for part in _parts(gone):
        statement = select(*columns).select_from(_ledger.join(_event, and_(*same)))
        statement = statement.where(_ledger.c.digest.in_(part), _event.c.payload.is_(None)).order_by(_event.c.id)
        for digest, state, reason, event_id in connection.execute(statement):
            before = found[bytes(digest)]
            if before.event_state != EventState.DELIVERED:
                found[bytes(digest)] = Standing(before.modified_at, GONE, state, reason, event_id)


def add_run(
    connection: Connection,
    *,
    row_id: int,
    installation_id: str,
    reason: str,
    since: datetime,
    now: datetime,
    state: str = "asked",
) -> None:
    """Ask for a run; whoever has the lease of the periodic tasks does it."""
    values = {"id": row_id, "installation_id": installation_id, "reason": reason, "since": since}
    connection.execute(insert(_run), values | {"created_at": now, "state": state})


def change_run(connection: Connection, row_id: int, **values: Any) -> None:
    """Change columns of one run."""
    connection.execute(update(_run).where(_run.c.id == row_id).values(**values))


def finish_run(connection: Connection, row_id: int, *, now: datetime, fault: str = "", **values: Any) -> None:
    """It is over, well or with a fault."""
    state = "failed" if fault else "done"
    change_run(connection, row_id, state=state, fault=fault[:40], finished_at=now, **values)


def waiting_runs(connection: Connection, limit: int = 100) -> list[Row[Any]]:
    """Runs that were asked for, oldest first. One that its process left unfinished is still among them."""
    # The literal, not a parameter: only so does the partial index serve.
    return list(connection.execute(select(_run).where(text("state = 'asked'")).order_by(_run.c.id).limit(limit)))


def last_reconciled(connection: Connection, installation_ids: Iterable[str]) -> dict[str, datetime]:
    """Up to when each installation's orders were compared without a hole; those that never were are left out.

    Only hourly runs count: each begins where the one before ended. Another may begin later, and says nothing of the
    time before.
    """
    found: dict[str, datetime] = {}
    for part in _parts(list(installation_ids)):
        statement = (
            select(_run.c.installation_id, func.max(_run.c.until))
            .where(_run.c.installation_id.in_(part), _run.c.state == "done", _run.c.reason == "hourly")
            .group_by(_run.c.installation_id)
        )
        found.update((row[0], row[1]) for row in connection.execute(statement) if row[1] is not None)
    return found


def last_runs(connection: Connection, installation_id: str, limit: int = 20) -> list[Row[Any]]:
    """The newest runs of one installation, for pages."""
    mine = select(_run).where(_run.c.installation_id == installation_id)
    return list(connection.execute(mine.order_by(_run.c.id.desc()).limit(limit)))


def remembered_time(connection: Connection, name: str) -> datetime | None:
    """A time that periodic tasks keep under that name."""
    return connection.execute(select(_task.c.finished_at).where(_task.c.name == name)).scalar()


def remember_time(connection: Connection, name: str, at: datetime) -> None:
    """Keep it."""
    if connection.execute(update(_task).where(_task.c.name == name).values(finished_at=at)).rowcount == 0:
        connection.execute(insert(_task), {"name": name, "finished_at": at})


def start_again(connection: Connection, task: str, as_if_started: datetime | None = None) -> None:
    """Make a periodic task due at once, or when its time since `as_if_started` has passed."""
    connection.execute(update(_task).where(_task.c.name == task).values(started_at=as_if_started))


def _parts(values: Sequence[Any], size: int = 200) -> Iterable[Sequence[Any]]:
    return (values[start : start + size] for start in range(0, len(values), size))
