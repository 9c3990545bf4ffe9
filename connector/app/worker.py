"""`connector deliver`: a worker process, and the child that processes for it."""

import signal
import threading

from connector import failpoints
from connector.app.forked import fork_processing
from connector.app.workers import Heartbeat, ProcessingThread, delivery_thread, maintenance_thread, processing_thread
from connector.logs import configure_logs, log
from connector.settings import Settings
from connector.storage.opening import open_storage
from connector.storage.wakeups import EVENTS, WEBHOOKS, Wakeups
from connector.tracing import open_traces

__all__ = ["run_worker"]


def run_worker(settings: Settings) -> None:
    """Process and deliver until SIGTERM or SIGINT, then give everything back."""
    configure_logs(settings.log_format, settings.log_level)
    failpoints.arm(failpoints.parse(settings.failpoints))
    forked = fork_processing(settings)  # before there is anything that a child must not inherit
    storage = open_storage(settings)
    traces = open_traces(settings.traces_url, settings.traces_ratio)
    delivery = delivery_thread(settings, storage, traces)

    def events_made() -> None:
        delivery.wake()
        wakeups.tell(EVENTS)

    def in_a_thread() -> ProcessingThread:
        return processing_thread(settings, storage, events_made, traces)

    processing = forked or in_a_thread()
    if forked is not None:
        forked.begin(delivery.wake, in_a_thread)
    wakeups = Wakeups(storage.database, {WEBHOOKS: processing.wake, EVENTS: delivery.wake})
    heartbeat = Heartbeat(storage, "deliver", lambda: {})
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    maintenance = maintenance_thread(settings, storage)
    for part in (delivery, processing, heartbeat, wakeups, maintenance):
        part.start()
    log.info("worker_started")
    stop.wait()
    for part in (maintenance, wakeups, processing, delivery, heartbeat):
        part.stop()
    if traces is not None:
        traces.close()
    storage.close()
    log.info("worker_stopped")
