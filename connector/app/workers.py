"""Processing and delivery beside, or instead of, the web server: one thread each, woken by commits."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime

import orjson
from sqlalchemy.dialects import postgresql, sqlite

from connector.app.maintenance import MaintenanceThread
from connector.delivery.worker import DeliveryOptions, DeliveryWorker
from connector.intake.fetching import Fetching
from connector.intake.processing import Processor
from connector.logs import log
from connector.outbound import Outbound
from connector.settings import Settings
from connector.storage.opening import Storage
from connector.storage.tables import ProcessHeartbeat
from connector.tracing import Traces

__all__ = [
    "DeliveryThread",
    "Heartbeat",
    "ProcessingThread",
    "delivery_thread",
    "maintenance_thread",
    "processing_thread",
]

_heartbeat = ProcessHeartbeat.__table__  # type: ignore[attr-defined]
HEARTBEAT_SECONDS = 5.0


class ProcessingThread:
    """Works through stored webhooks until stopped. `may_work` holds it back while intake is busy."""

    def __init__(
        self,
        processor: Processor,
        interval: float,
        may_work: Callable[[], bool] = lambda: True,
    ) -> None:
        self._processor = processor
        self._interval = interval
        self._may_work = may_work
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="processing", daemon=True)
        self.last_round = time.monotonic()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Look now: something was committed in this process."""
        self._wake.set()

    def stop(self) -> None:
        """Finish the group in hand, then stop."""
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            self.last_round = time.monotonic()
            try:
                worked = self._may_work() and self._processor.run_once() > 0
            except Exception as error:
                log.error("processing_failed", error=type(error).__name__, exc_info=error)
                worked = False
                self._wake.clear()
            if not worked:
                self._wake.wait(self._interval)
                self._wake.clear()


class DeliveryThread:
    """Runs the delivery worker on an event loop of its own, so that a slow TikTok never delays intake."""

    def __init__(self, make_worker: Callable[[], DeliveryWorker]) -> None:
        self._make_worker = make_worker
        self._worker: DeliveryWorker | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="delivery", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._ready.wait()

    def wake(self) -> None:
        """Look now: events were made in this process."""
        if self._worker is not None:
            self._worker.wake()

    def stop(self) -> None:
        """Let calls in flight end, give leases back, stop."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._worker = self._make_worker()
        self._ready.set()
        while not self._stop.is_set():
            try:
                await self._worker.run(self._stop)
            except Exception as error:
                log.error("delivery_failed", error=type(error).__name__, exc_info=error)
                await asyncio.sleep(1.0)


class Heartbeat:
    """Tells the other processes every five seconds that this one is alive and what it does. `before` is done ahead of
    the first beat, while what is known is still of the time before.
    """

    def __init__(
        self,
        storage: Storage,
        role: str,
        details: Callable[[], dict[str, object]],
        before: Callable[[], object] | None = None,
    ) -> None:
        self._storage = storage
        self._role = role
        self._details = details
        self._before = before
        self._name = f"{socket.gethostname()[:40]}-{os.getpid()}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self._do_before()
                self.beat(self._storage.now())
                self._before = None
            except Exception as error:
                log.warning("heartbeat_failed", error=type(error).__name__)
            if self._stop.wait(HEARTBEAT_SECONDS):
                return

    def _do_before(self) -> None:
        try:
            if self._before is not None:
                self._before()
        except Exception as error:  # without a database the beat fails too, and both are tried again
            log.warning("start_not_noted", error=type(error).__name__)

    def beat(self, now: datetime) -> None:
        """Write one beat."""
        dialect = sqlite if self._storage.database.is_sqlite else postgresql
        values = {"name": self._name, "role": self._role, "seen_at": now}
        values["details"] = orjson.dumps(self._details()).decode()
        statement = dialect.insert(_heartbeat).values(**values)
        changed = {name: statement.excluded[name] for name in ("role", "seen_at", "details")}
        with self._storage.database.write() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=[_heartbeat.c.name], set_=changed))


def delivery_thread(settings: Settings, storage: Storage, traces: Traces | None = None) -> DeliveryThread:
    """The delivery worker of these settings; its client is made on its own loop."""

    def make() -> DeliveryWorker:
        options = DeliveryOptions(
            api_url=settings.tiktok_api_url,
            interval=settings.delivery_interval,
            retry_base=settings.retry_base,
            lease_seconds=settings.lease_seconds,
        )
        outbound = Outbound(allow_private=settings.allow_private_addresses)
        return DeliveryWorker(storage, outbound, options, traces=traces)

    return DeliveryThread(make)


def processing_thread(
    settings: Settings,
    storage: Storage,
    after_commit: Callable[[], None],
    traces: Traces | None = None,
    may_work: Callable[[], bool] = lambda: True,
) -> ProcessingThread:
    """What works through stored webhooks, fetching what they only name."""
    fetching = Fetching(storage, allow_private=settings.allow_private_addresses)
    processor = Processor(storage, settings.lease_seconds, after_commit, traces, fetching)
    return ProcessingThread(processor, min(settings.delivery_interval, 0.2), may_work)


def maintenance_thread(settings: Settings, storage: Storage) -> MaintenanceThread:
    """Everything periodic; of all processes on one database one at a time does each task."""
    return MaintenanceThread(storage, lambda: Outbound(allow_private=settings.allow_private_addresses), settings)
