"""Periodic tasks, run by one process at a time: the one that holds the lease in the database.

When tasks were due last stands in the database too, so that a restart repeats nothing and a new holder goes on
where the old one stopped. A task that fails is logged and comes again; it never stops the others.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.logs import log
from connector.storage.leases import take_lease
from connector.storage.opening import Storage
from connector.storage.tables_reconcile import MaintenanceTask

__all__ = ["Schedule", "ScheduleThread", "Task", "Turn"]

LEASE = timedelta(seconds=60)
ROUND_SECONDS = 2.0
_REMEMBERED = timedelta(minutes=1)  # tasks that come more often keep their times in memory only
_table = MaintenanceTask.__table__  # type: ignore[attr-defined]


class Turn:
    """What a running task asks now and then: whether it may go on. Renews the lease meanwhile."""

    def __init__(self, schedule: "Schedule", stop: threading.Event) -> None:
        self._schedule = schedule
        self._stop = stop

    def go_on(self) -> bool:
        """False when the process stops or another one has the lease now."""
        return not self._stop.is_set() and self._schedule.lead()

    def sleep(self, seconds: float) -> None:
        """Wait, but not past the process' stop."""
        self._stop.wait(seconds)


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done each `every`; what `run` returns is kept as its last result."""

    name: str
    every: timedelta
    run: Callable[[Turn], object]


class Schedule:
    """Tasks that one process at a time does, one after another. `name` is the lease's: groups do not wait for
    each other. `run_round` is all there is to it; a thread calls it every few seconds.
    """

    def __init__(
        self, storage: Storage, name: str, tasks: Sequence[Task], *, stop: threading.Event | None = None
    ) -> None:
        self._storage = storage
        self._lease = f"lease:{name}"[:40]
        self._tasks = tasks
        self._recent: dict[str, datetime | None] = {}
        self._stop = stop or threading.Event()
        self._holder = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._renew_at: datetime | None = None

    def run_round(self) -> list[str]:
        """Run what is due, if the lease is ours. Returns the names of the tasks that ran."""
        if not self.lead():
            return []
        started, ran = self._started(), []
        for task in self._tasks:
            now, last = self._storage.now(), started.get(task.name)
            if last is not None and last <= now < last + task.every:  # later than now: the clock was set back
                continue
            if self._stop.is_set() or not self.lead():
                break
            self._run(task, now)
            ran.append(task.name)
        return ran

    def lead(self) -> bool:
        """Take or keep the lease; asks the database only when a third of it has passed."""
        now = self._storage.now()
        if self._renew_at is not None and self._renew_at - LEASE / 3 <= now < self._renew_at:
            return True
        taken = take_lease(self._storage, self._lease, self._holder, LEASE)
        self._renew_at = now + LEASE / 3 if taken else None
        return self._renew_at is not None

    def release(self) -> None:
        """Let another process lead at once; at the stop."""
        mine = (_table.c.name == self._lease, _table.c.holder == self._holder)
        with self._storage.database.write() as connection:
            connection.execute(update(_table).where(*mine).values(lease_until=self._storage.now()))
        self._renew_at = None

    def _started(self) -> dict[str, datetime | None]:
        names = [task.name for task in self._tasks if task.every >= _REMEMBERED]
        if not names:
            return self._recent
        with self._storage.database.read() as connection:
            rows = connection.execute(select(_table.c.name, _table.c.started_at).where(_table.c.name.in_(names)))
            return self._recent | {row.name: row.started_at for row in rows}

    def _run(self, task: Task, now: datetime) -> None:
        self._note(task, started_at=now)
        try:
            found = task.run(Turn(self, self._stop))
            result = "" if found is None else str(found)
        except Exception as error:
            log.error("task_failed", task=task.name, error=type(error).__name__, exc_info=error)
            result = f"fault:{type(error).__name__}"
        self._note(task, finished_at=self._storage.now(), result=result[:80])

    def _note(self, task: Task, **values: Any) -> None:
        if task.every < _REMEMBERED:
            self._recent[task.name] = values.get("started_at", self._recent.get(task.name))
            return
        dialect = sqlite if self._storage.database.is_sqlite else postgresql
        row = {"name": task.name, "holder": self._holder, "result": "", **values}
        statement: Any = dialect.insert(_table).values(row)
        statement = statement.on_conflict_do_update(
            index_elements=[_table.c.name], set_={"holder": self._holder, **values}
        )
        with self._storage.database.write() as connection:
            connection.execute(statement)


class ScheduleThread:
    """Runs a schedule until stopped."""

    def __init__(
        self, storage: Storage, name: str, tasks: Sequence[Task], round_seconds: float = ROUND_SECONDS
    ) -> None:
        self._stop = threading.Event()
        self.schedule = Schedule(storage, name, tasks, stop=self._stop)
        self._round_seconds = round_seconds
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.last_round = time.monotonic()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let the task in hand come to its next halt; does not wait."""
        self._stop.set()

    def stop(self) -> None:
        """Wait for that; the lease is given back."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.last_round = time.monotonic()
            self._guarded(self.schedule.run_round)
            self._stop.wait(self._round_seconds)
        self._guarded(self.schedule.release)

    def _guarded(self, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception as error:  # the database is out of reach: the next round finds it or not
            log.warning("maintenance_failed", error=type(error).__name__)
