"""The delivery worker: looks for due work, sends it, several claims at a time, until it is told to stop."""

import asyncio
import random as _random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from connector.core.retries import longest_wait
from connector.delivery.batches import DEFAULT_BATCH_EVENTS
from connector.delivery.claiming import Claim, Claiming, Unreadable
from connector.delivery.leases import Leases
from connector.delivery.pacing import Pacing
from connector.delivery.places import Places
from connector.delivery.result_writes import ResultWrites
from connector.delivery.sending import Sending
from connector.logs import log
from connector.outbound import Outbound
from connector.storage.opening import Storage
from connector.tracing import Traces

__all__ = ["DeliveryOptions", "DeliveryWorker"]

_T = TypeVar("_T")
_UNREADABLE_WAIT = 12  # retry bases until an installation with unreadable credentials is looked at again
_MOST_IN_FLIGHT = 4000  # events in calls of this worker: what they take of memory
_GATHER_SECONDS = (
    0.05  # after a wake-up: what is committed together leaves together; when crowded: places, for a look
)


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """How to deliver. All times in seconds; `concurrency` is how many claims are sent at once."""

    api_url: str
    interval: float = 0.5
    retry_base: float = 5.0
    lease_seconds: float = 30.0
    batch_size: int = DEFAULT_BATCH_EVENTS
    concurrency: int = 64  # a call takes a fifth of a second, and small stores' calls have an event each
    timeout_seconds: float = 20.0
    shutdown_seconds: float = 5.0  # how long calls in flight may still take after a stop


class DeliveryWorker:
    """One worker of one process. `run` and `run_once` belong to one event loop; `wake` may be called anywhere."""

    def __init__(
        self,
        storage: Storage,
        outbound: Outbound,
        options: DeliveryOptions,
        *,
        random: Callable[[], float] = _random.random,
        traces: Traces | None = None,
    ) -> None:
        self._storage = storage
        self._options = options
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="delivery")
        self._leases = Leases(storage, options.lease_seconds)
        longest = timedelta(seconds=longest_wait(options.retry_base))
        self._claiming = Claiming(storage, self._leases, options.batch_size, longest)
        self._pacing = Pacing(options.retry_base)
        self._results = ResultWrites(storage, self._leases, self._in_thread)
        self._sending = Sending(
            storage,
            outbound,
            self._leases,
            self._pacing,
            api_url=options.api_url,
            retry_base=options.retry_base,
            timeout_seconds=options.timeout_seconds,
            random=random,
            in_thread=self._in_thread,
            results=self._results,
            traces=traces,
        )
        self._running: dict[asyncio.Task[int], Claim] = {}
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.looked_at: datetime | None = None  # when it last looked for work without an error

    def wake(self) -> None:
        """Look for work at once: something was committed. Safe from any thread, cheap when not running."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._woken.set)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then let calls in flight end, and give back what was not sent."""
        self._loop = asyncio.get_running_loop()
        keeping = asyncio.create_task(self._keep_leases())
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                again = await self._look()
                await self._rest(stopping, again)
        finally:
            self._loop = None
            await self._end(keeping, stopping)

    async def run_once(self) -> int:
        """One round: as many claims as fit, sent to their end. Returns how many events were in calls."""
        self._claiming.forget_blocked()
        keeping = asyncio.create_task(self._keep_leases())
        try:
            claims = await self._take()
            return sum(await asyncio.gather(*(self._send(claim) for claim in claims)))
        finally:
            keeping.cancel()

    async def _in_thread(self, function: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    async def _look(self) -> bool:
        """Start as many claims as there is room for. True when the next look may find more."""
        try:
            claims = await self._take()
        except Exception:
            log.exception("delivery_look_failed")
            return False
        for claim in claims:
            task = asyncio.create_task(self._send(claim))
            self._running[task] = claim
            task.add_done_callback(self._running.pop)
        return any(claim.full for claim in claims)

    def _places(self) -> int:
        """How many claims fit beside those that run."""
        if sum(claim.event_count for claim in self._running.values()) >= _MOST_IN_FLIGHT:
            return 0
        return self._options.concurrency - len(self._running)

    async def _take(self) -> list[Claim]:
        now = self._storage.now()
        room = self._pacing.room(self._places(), now)
        if room <= 0:
            return []
        running = ((claim.lane, claim.installation_id) for claim in self._running.values())
        places = Places(self._options.concurrency, running)
        taken = await self._in_thread(self._claiming.take, room, self._pacing.waiting(now), places)
        self.looked_at = now
        for each in taken:
            if isinstance(each, Unreadable):
                seconds = self._options.retry_base * _UNREADABLE_WAIT
                self._pacing.pause(each.installation_id, now + timedelta(seconds=seconds))
        return [each for each in taken if isinstance(each, Claim)]

    async def _send(self, claim: Claim) -> int:
        try:
            return await self._sending.send(claim)
        except Exception:
            # Most likely the database. The lease runs out, and the same events go again under their ids.
            log.exception("delivery_failed", installation_id=claim.installation_id)
            self._leases.drop(claim.token)
            return 0

    async def _rest(self, stopping: asyncio.Task[bool], again: bool) -> None:
        """Wait for a stop, a wake-up or the interval; with more work than room, for the next free place."""
        if again and self._places() > 0:
            return
        waking = asyncio.create_task(self._woken.wait())
        reasons: set[asyncio.Task[Any]] = {stopping, waking}
        if self._places() <= 0 or any(claim.full for claim in self._running.values()):
            reasons |= self._running.keys()
        happened, _ = await asyncio.wait(reasons, timeout=self._options.interval, return_when=asyncio.FIRST_COMPLETED)
        waking.cancel()
        if happened and not stopping.done():
            await asyncio.wait({stopping}, timeout=min(_GATHER_SECONDS, self._options.interval))
            self._woken.clear()

    async def _keep_leases(self) -> None:
        """Renew every lease at a third of its length."""
        while True:
            await asyncio.sleep(self._options.lease_seconds / 3)
            try:
                await self._in_thread(self._leases.renew_all)
            except Exception:
                log.exception("lease_renewal_failed")

    async def _end(self, *helpers: asyncio.Task[Any]) -> None:
        if self._running:
            await asyncio.wait(self._running.keys(), timeout=self._options.shutdown_seconds)
        for task in (*self._running, *helpers):
            task.cancel()
        await asyncio.gather(*self._running, *helpers, return_exceptions=True)
        try:
            await asyncio.wait_for(asyncio.shield(self._results.finish()), self._options.shutdown_seconds)
            await self._in_thread(self._leases.release_all)
        except Exception:
            log.exception("lease_release_failed")
        self._threads.shutdown(wait=False)
