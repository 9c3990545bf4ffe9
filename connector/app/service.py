"""What one server process is made of, and how its parts are wired."""

import time
from dataclasses import dataclass

from connector.app.maintenance import MaintenanceThread
from connector.app.workers import (
    DeliveryThread,
    Heartbeat,
    ProcessingThread,
    delivery_thread,
    maintenance_thread,
    processing_thread,
)
from connector.intake.directory import InstallationDirectory
from connector.intake.journal import Journal
from connector.intake.refusals import Refusals
from connector.operations.backfill import receiver_begins
from connector.settings import Settings
from connector.storage.opening import Storage
from connector.storage.spool import Spool
from connector.storage.wakeups import EVENTS, WEBHOOKS, Wakeups
from connector.tracing import Traces, open_traces

__all__ = ["Service", "build_service", "start_parts", "stop_parts"]

_QUIET_SECONDS = 0.25


@dataclass(frozen=True, eq=False)
class Service:
    """Everything that runs in one server process."""

    settings: Settings
    storage: Storage
    directory: InstallationDirectory
    journal: Journal
    refusals: Refusals
    spool: Spool
    processing: ProcessingThread
    delivery: DeliveryThread | None
    heartbeat: Heartbeat
    wakeups: Wakeups
    maintenance: MaintenanceThread
    traces: Traces | None


def build_service(settings: Settings, storage: Storage, *, delivery: bool) -> Service:
    """Wire the parts; nothing is started yet.

    Without delivery this process still processes, but only while intake is quiet: a worker process does it better.
    """
    traces = open_traces(settings.traces_url, settings.traces_ratio)
    worker = delivery_thread(settings, storage, traces) if delivery else None
    spool = Spool(settings.spool_dir)
    journal = Journal(storage, spool, patience_seconds=settings.commit_patience)

    def events_made() -> None:
        if worker is not None:
            worker.wake()
        wakeups.tell(EVENTS)

    def webhooks_stored() -> None:
        processing.wake()
        wakeups.tell(WEBHOOKS)

    quiet = _always if delivery else lambda: time.monotonic() - journal.last_arrival > _QUIET_SECONDS
    processing = processing_thread(settings, storage, events_made, traces, quiet)
    journal.after_commit = webhooks_stored
    # A process that only receives leaves the work to the workers while they are awake, so it listens to nobody.
    wakeups = Wakeups(storage.database, {WEBHOOKS: processing.wake, EVENTS: worker.wake} if worker else {})
    role = "serve" if delivery else "receive"
    return Service(
        settings=settings,
        storage=storage,
        directory=InstallationDirectory(storage),
        journal=journal,
        refusals=Refusals(storage),
        spool=spool,
        processing=processing,
        delivery=worker,
        heartbeat=Heartbeat(
            storage, role, lambda: {"commits": journal.commits}, before=lambda: receiver_begins(storage)
        ),
        wakeups=wakeups,
        maintenance=maintenance_thread(settings, storage),
        traces=traces,
    )


def start_parts(service: Service) -> None:
    """Start what runs beside the web server, but for the journal, which belongs to its loop."""
    s = service
    for part in (s.directory, s.refusals, s.delivery, s.processing, s.heartbeat, s.wakeups, s.maintenance):
        if part is not None:
            part.start()


def stop_parts(service: Service) -> None:
    """Stop it again; each part ends what it has in hand."""
    s = service
    for part in (s.maintenance, s.wakeups, s.processing, s.delivery, s.refusals, s.heartbeat, s.directory):
        if part is not None:
            part.stop()
    if s.traces is not None:
        s.traces.close()


def _always() -> bool:
    return True
