"""Writes what came of calls. Those that end while a transaction is on its way to the disk share the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from connector import failpoints
from connector.delivery.leases import Leases
from connector.logs import log
from connector.storage.deliveries import AttemptRecord, Settlement, record_attempts, settle
from connector.storage.opening import Storage

__all__ = ["InThread", "Outcome", "ResultWrites"]

InThread = Callable[..., Awaitable[Any]]
_MOST_TOGETHER = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call, the events that were in it, and what becomes of events under the claim's `token`."""

    token: int
    record: AttemptRecord
    row_ids: tuple[int, ...]
    settlements: Sequence[Settlement]


_Waiting = tuple[Outcome, "asyncio.Future[None]"]


class ResultWrites:
    """One per worker; used from its event loop. `in_thread` runs a function beside the loop."""

    def __init__(self, storage: Storage, leases: Leases, in_thread: InThread) -> None:
        self._storage = storage
        self._leases = leases
        self._in_thread = in_thread
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, outcome: Outcome) -> None:
        """Returns when it is committed. Raises what its own writing raises: nobody's else."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((outcome, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        await written

    async def finish(self) -> None:
        """Write what still waits, also for those that were cancelled meanwhile."""
        if self._writing is not None:
            await self._writing

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:_MOST_TOGETHER], self._waiting[_MOST_TOGETHER:]
                await self._write_group(group)
        finally:
            self._writing = None

    async def _write_group(self, group: Sequence[_Waiting]) -> None:
        try:
            await self._in_thread(self._commit, [outcome for outcome, _ in group])
        except Exception as error:
            if len(group) == 1:
                _tell(group, error)
                return
            # Nothing of it is written. One is at fault, or the database is: each finds out alone.
            log.warning("results_not_written_together", error=type(error).__name__, calls=len(group))
            for each in group:
                await self._write_group([each])
            return
        _tell(group, None)

    def _commit(self, outcomes: Sequence[Outcome]) -> None:
        with self._storage.database.write() as connection:
            record_attempts(connection, [(each.record, each.row_ids) for each in outcomes])
            now = self._storage.now()
            for each in outcomes:
                settle(connection, each.token, each.settlements, now)
            failpoints.reach("before_result_written")
        for each in outcomes:
            for settlement in each.settlements:
                self._leases.forget(each.token, settlement.row_ids)


def _tell(group: Sequence[_Waiting], error: Exception | None) -> None:
    for _, written in group:
        if written.done():  # whoever waited was cancelled
            continue
        if error is None:
            written.set_result(None)
        else:
            written.set_exception(error)
