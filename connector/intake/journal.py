"""Group commit: one thread writes whatever is waiting in one transaction, and only then are senders answered.

While a commit is on its way to the disk the next group gathers, so the group grows with the load by itself.
A request that was taken in is finished even when its sender hangs up. When the database refuses, the group goes
to the spool; when that fails too, the senders hear 503.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

import psycopg

from connector import failpoints
from connector.intake.draining import SpoolDrain
from connector.logs import log
from connector.storage.arrivals import Arrival, ArrivalWriter
from connector.storage.opening import Storage
from connector.storage.spool import Spool

__all__ = ["Journal", "Stored"]

_MOST_PER_COMMIT = 512
_MOST_BYTES_PER_COMMIT = 16 * 1024 * 1024
_MOST_WAITING_BYTES = 256 * 1024 * 1024
_DRAIN_EVERY_SECONDS = 1.0
_LAST_DRAIN_SECONDS = 5.0
_TRY_SPOOL_SECONDS = 60.0  # where nothing came by it: told before it is needed, and only while intake is idle
_RETRY_SECONDS = 1.0  # how long a database that failed is left alone while the spool takes what comes

_Waiting = tuple[Arrival, "asyncio.Future[Stored]"]


class Stored(StrEnum):
    """What became of an arrival. `FAILED`: nothing could be stored, the sender must hear 503."""

    NEW = "stored"
    DUPLICATE = "duplicate"
    SPOOLED = "spooled"
    FAILED = "failed"


class Journal:
    """Takes arrivals on the event loop, commits them on its own thread.

    The loop gathers while the thread commits, and hands over the next group when the thread is done: one hand-over
    per commit, no lock between the two. (A lock per arrival cost half of the throughput: its holder waited for the
    interpreter while the loop waited for the lock.)
    """

    def __init__(
        self,
        storage: Storage,
        spool: Spool,
        after_commit: Callable[[], None] = lambda: None,
        *,
        patience_seconds: float = 2.5,
    ) -> None:
        self._storage = storage
        self._spool = spool
        self._writer = ArrivalWriter(storage.database, patience_seconds)
        self.after_commit = after_commit
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._busy = False
        self._stopping = False
        self._quiet: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._groups: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._drain_at = 0.0
        self._drain_more = False
        self._drain = SpoolDrain(storage, spool, self._writer)
        self._retry_at = 0.0
        self._try_spool_at = 0.0
        self.database_ok = True
        self.spool_ok = True
        self.commits = 0
        self.handed_over = 0  # arrivals since the start, whatever came of them
        self.outcomes: Counter[Stored] = Counter()
        self.last_arrival = 0.0

    def start(self) -> None:
        """Begin committing; call on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Commit what waits, then stop. What arrives now hears 503."""
        self._stopping = True
        self._quiet = asyncio.Event()
        if self._busy or self._waiting:
            await self._quiet.wait()
        self._groups.put(None)
        await asyncio.to_thread(self._thread.join)
        self._spool.close()

    def store(self, arrival: Arrival) -> "asyncio.Future[Stored]":
        """Hand over one arrival, on the event loop; the future is done after its commit."""
        assert self._loop is not None
        future: asyncio.Future[Stored] = self._loop.create_future()
        if self._stopping or self._waiting_bytes > _MOST_WAITING_BYTES:
            future.set_result(Stored.FAILED)
            return future
        if not self._waiting and not self._busy:
            self._loop.call_soon(self._hand_over)  # after the other arrivals of this turn of the loop
        self._waiting.append((arrival, future))
        self._waiting_bytes += len(arrival.body)
        return future

    def _hand_over(self) -> None:
        if self._waiting and not self._busy:
            self._busy = True
            self._groups.put(self._take())

    def _take(self) -> list[_Waiting]:
        size = taken = 0
        for arrival, _ in self._waiting[:_MOST_PER_COMMIT]:
            size += len(arrival.body)
            taken += 1
            if size > _MOST_BYTES_PER_COMMIT:
                break
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._waiting_bytes -= size
        self.handed_over += taken
        return group

    def _committed(self, group: list[_Waiting], results: list[Stored]) -> None:
        """On the loop: answer this group, hand over the next."""
        self._busy = False
        self._hand_over()
        if self._quiet is not None and not self._busy:
            self._quiet.set()
        for (_, future), result in zip(group, results, strict=True):
            if not future.done():  # a sender may have hung up meanwhile
                future.set_result(result)

    def _run(self) -> None:
        assert self._loop is not None
        self._try_spool()
        while True:
            try:
                group = self._groups.get(block=not self._drain_more, timeout=_DRAIN_EVERY_SECONDS)
            except queue.Empty:
                self._try_spool()
                self._drain_if_due()
                continue
            if group is None:
                self._finish()
                return
            arrivals = [arrival for arrival, _ in group]
            try:
                results = self._commit(arrivals)
            except Exception as error:  # whatever it is, the senders must hear something
                log.error("journal_failed", error=type(error).__name__, exc_info=error)
                results = [Stored.FAILED] * len(arrivals)
            self._loop.call_soon_threadsafe(self._committed, group, results)
            self.outcomes.update(results)
            _tell(arrivals, results)
            self._drain_if_due()

    def _finish(self) -> None:
        """At the end: drain for a moment, the rest is drained at the next start."""
        self._drain_at, end = 0.0, time.monotonic() + _LAST_DRAIN_SECONDS
        self._drain_if_due()
        while self._drain_more and time.monotonic() < end:
            self._drain_if_due()
        self._drain.stop()
        self._writer.close()

    def _commit(self, arrivals: list[Arrival]) -> list[Stored]:
        """Into the database, else into the spool. While the database is known to be away, the spool comes first."""
        self.last_arrival = time.monotonic()
        ways = [self._to_database, self._to_spool]
        if self.last_arrival < self._retry_at:
            ways.reverse()
        for way in ways:
            results = way(arrivals)
            if results is not None:
                return results
        return [Stored.FAILED] * len(arrivals)

    def _to_database(self, arrivals: list[Arrival]) -> list[Stored] | None:
        try:
            repeats = self._write(arrivals)
        except Exception as error:
            self.database_ok = False
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            log.error("database_out_of_reach", error=type(error).__name__, webhooks=len(arrivals))
            return None
        failpoints.reach("after_commit")
        self.database_ok = True
        self.commits += 1
        self.after_commit()
        return [Stored.NEW if repeat is None else Stored.DUPLICATE for repeat in repeats]

    def _write(self, arrivals: list[Arrival]) -> list[int | None]:
        try:
            return self._writer.write(arrivals)
        except Exception as error:
            if not _id_taken(error):
                raise
        # Two processes drew the same id: take new ones, under a new tag, once.
        self._storage.change_id_tag()
        for arrival, new_id in zip(arrivals, self._storage.new_ids(len(arrivals)), strict=True):
            arrival.id = new_id
        return self._writer.write(arrivals)

    def _to_spool(self, arrivals: list[Arrival]) -> list[Stored] | None:
        failpoints.reach("before_spool")
        try:
            self._spool.append(arrivals)
        except Exception as error:
            self.spool_ok = False
            log.error("spool_failed", error=type(error).__name__, webhooks=len(arrivals))
            return None
        failpoints.reach("after_spool")
        self.spool_ok = True
        self._drain_at = time.monotonic() + _DRAIN_EVERY_SECONDS
        return [Stored.SPOOLED] * len(arrivals)

    # Draining: oldest first, a part after each commit, so that nobody waits for a long spool.

    def _try_spool(self) -> None:
        now = time.monotonic()
        if now >= self._try_spool_at:
            self._try_spool_at = now + _TRY_SPOOL_SECONDS
            self.spool_ok = self._spool.takes()

    def _drain_if_due(self) -> None:
        if not self._drain_more and time.monotonic() < self._drain_at:
            return
        # Nothing may come by the spool for weeks; once it failed it is asked whether it is well again.
        self.spool_ok = self.spool_ok or self._spool.takes()
        try:
            drained = self._drain.part()
            self._drain_more = drained is not None
            if drained:
                self.database_ok = True
                self.after_commit()
        except Exception as error:
            if isinstance(error, OSError):  # of a file; those of the databases are their drivers' own
                self.spool_ok = False
            else:
                self.database_ok = False
            self._drain_more = False
            self._drain.stop()  # begins again: what is in the database already is a duplicate
            log.warning("spool_waits", error=type(error).__name__)
        if not self._drain_more:
            self._drain_at = time.monotonic() + _DRAIN_EVERY_SECONDS


def _tell(arrivals: list[Arrival], results: list[Stored]) -> None:
    """One line for a group, when its senders have heard: a line for each would cost more than its signature."""
    for kind in (Stored.NEW, Stored.SPOOLED):
        ids = [arrival.id for arrival, result in zip(arrivals, results, strict=True) if result is kind]
        if ids:
            log.info(f"webhooks_{kind}", webhook_ids=ids)


def _id_taken(error: Exception) -> bool:
    return isinstance(error, sqlite3.IntegrityError | psycopg.errors.UniqueViolation)
