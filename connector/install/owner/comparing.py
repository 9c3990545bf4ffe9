"""What the comparisons with the store's own orders found, with what has become of each order since."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from connector.core.states import EventState
from connector.install.owner.figures import PURCHASES
from connector.storage.reconciling import last_runs
from connector.storage.tables import Event

__all__ = ["Compared", "MissingOrder", "Run", "compared"]

_RUNS_READ = 60  # hourly ones of two days and more
_RUNS_SHOWN = 6
_ORDERS_SHOWN = 10
_SPEAKS_FOR = timedelta(days=1)
_event = Event.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class MissingOrder:
    """A paid order that TikTok has not accepted. `state` is a word of the catalogue's `gap`."""

    number: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Run:
    """One comparison. `accepted` counts what TikTok has taken since, too."""

    reason: str
    state: str
    since: datetime
    until: datetime | None
    finished_at: datetime | None
    paid: int
    accepted: int
    fetched: int
    fault: str
    missing: tuple[MissingOrder, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """`widest` is the last day's comparison over the longest time; `missing` are the orders of all those shown."""

    widest: Run | None
    runs: tuple[Run, ...]
    missing: tuple[MissingOrder, ...]
    more: int  # missing ones that are not among them
    waits: bool  # one was asked for and is not done yet


def compared(connection: Connection, installation_id: str, now: datetime) -> Compared:
    """Of one installation."""
    rows = last_runs(connection, installation_id, _RUNS_READ)
    kept = {row.id: _gaps(row) for row in rows}
    states = _states_now(connection, installation_id, {gap["order_id"] for gaps in kept.values() for gap in gaps})
    runs = [_run(row, kept[row.id], states) for row in rows]
    done = [run for run in runs if run.state == "done"]
    fresh = [run for run in done if run.finished_at and now - run.finished_at < _SPEAKS_FOR]
    missing = list({order.number: order for run in done for order in run.missing}.values())
    return Compared(
        widest=max(fresh, key=_span, default=done[0] if done else None),
        runs=tuple(run for run in runs if run.state in ("done", "failed"))[:_RUNS_SHOWN],
        missing=tuple(missing[:_ORDERS_SHOWN]),
        more=max(len(missing) - _ORDERS_SHOWN, 0),
        waits=any(run.state in ("asked", "running") for run in runs),
    )


def _span(run: Run) -> timedelta:
    return (run.until or run.since) - run.since


def _gaps(row: Any) -> list[dict[str, str]]:
    found = json.loads(row.report).get("gaps", []) if row.state == "done" else []
    return [gap for gap in found if isinstance(gap, dict)]


def _states_now(connection: Connection, installation_id: str, order_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """State and reason of each order's purchase; a delivered one wins."""
    found: dict[str, tuple[str, str]] = {}
    ids = sorted(order_ids)
    for part in (ids[start : start + 200] for start in range(0, len(ids), 200)):
        mine = (_event.c.installation_id == installation_id, _event.c.order_id.in_(part))
        columns = (_event.c.order_id, _event.c.state, _event.c.reason)
        for order_id, state, reason in connection.execute(
            select(*columns).where(*mine, _event.c.name.in_(PURCHASES)).order_by(_event.c.id)
        ):
            if found.get(order_id, ("",))[0] != EventState.DELIVERED:
                found[order_id] = (state, reason)
    return found


def _run(row: Any, gaps: Sequence[dict[str, str]], states: dict[str, tuple[str, str]]) -> Run:
    missing = [
        MissingOrder(gap["number"], *states.get(gap["order_id"], (gap["state"], gap.get("reason", ""))))
        for gap in gaps
    ]
    still = tuple(order for order in missing if order.state != EventState.DELIVERED)
    return Run(
        reason=row.reason,
        state=row.state,
        since=row.since,
        until=row.until,
        finished_at=row.finished_at,
        paid=row.paid,
        accepted=row.accepted + len(missing) - len(still),
        fetched=row.fetched,
        fault=row.fault,
        missing=still,
    )
