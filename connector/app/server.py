"""The web server: routes, what runs beside them, and how they start and stop."""

import asyncio
import contextlib
import gc
import signal
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from connector import failpoints
from connector.app.health import health_routes
from connector.app.http_protocol import bounded_http
from connector.app.listening import BACKLOG, listening_sockets, own_port
from connector.app.maintenance import MaintenanceThread
from connector.app.pages import page_routes
from connector.app.stopping import PatientServer
from connector.app.workers import (
    DeliveryThread,
    Heartbeat,
    ProcessingThread,
    delivery_thread,
    maintenance_thread,
    processing_thread,
)
from connector.intake.beacons import beacon_routes
from connector.intake.directory import InstallationDirectory
from connector.intake.endpoint import EndpointLimits, WebhookEndpoint
from connector.intake.journal import Journal
from connector.intake.pixel_route import pixel_routes
from connector.intake.published import PublishedInstallations
from connector.intake.refusals import Refusals
from connector.logs import configure_logs, log
from connector.outbound import Outbound
from connector.settings import Settings
from connector.storage.opening import Storage, open_storage
from connector.storage.spool import Spool
from connector.storage.wakeups import EVENTS, WEBHOOKS, Wakeups
from connector.tracing import Traces, open_traces

__all__ = ["Service", "create_app", "run_server", "server_config"]

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
    spool = Spool(settings.data_dir / "spool")
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
        heartbeat=Heartbeat(storage, role, lambda: {"commits": journal.commits}),
        wakeups=wakeups,
        maintenance=maintenance_thread(settings, storage),
        traces=traces,
    )


def create_app(settings: Settings, storage: Storage, *, delivery: bool = True) -> "WebApplication":
    """The whole web application over an open storage."""
    service = build_service(settings, storage, delivery=delivery)
    outbound = Outbound(allow_private=settings.allow_private_addresses)
    endpoint = WebhookEndpoint(
        storage,
        service.directory,
        service.journal,
        service.refusals,
        EndpointLimits(settings.max_body_bytes, settings.body_timeout),
    )
    published = PublishedInstallations(storage)
    routes: Sequence[BaseRoute] = [
        *health_routes(service),
        *pixel_routes(published, settings.tiktok_pixel_url),
        *beacon_routes(storage, published, service.journal),
        *page_routes(settings, storage, outbound, lambda: service.journal.handed_over),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(_start, service)
        service.journal.start()
        yield
        await outbound.close()
        await service.journal.stop()
        await asyncio.to_thread(_stop, service)

    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _not_found, 500: _fault})
    app.state.service = service
    return WebApplication(app, endpoint)


class WebApplication:
    """The webhook endpoint before everything else: no middleware, no router in its way."""

    def __init__(self, pages: Starlette, webhooks: ASGIApp) -> None:
        self.pages = pages
        self._webhooks = webhooks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request, or the server's lifespan."""
        webhook = scope["type"] == "http" and scope["path"].startswith("/webhooks/")
        await (self._webhooks if webhook else self.pages)(scope, receive, send)


def _start(service: Service) -> None:
    s = service
    for part in (s.directory, s.refusals, s.delivery, s.processing, s.heartbeat, s.wakeups, s.maintenance):
        if part is not None:
            part.start()


def _stop(service: Service) -> None:
    s = service
    for part in (s.maintenance, s.wakeups, s.processing, s.delivery, s.refusals, s.heartbeat, s.directory):
        if part is not None:
            part.stop()
    if s.traces is not None:
        s.traces.close()


def _ends_cleanly(_number: int, _frame: FrameType | None) -> None:
    """The server raises the signal again once it has stopped: then all is done, and that is exit code 0."""


def _always() -> bool:
    return True


async def _not_found(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "not_found", "reason": "There is nothing at this address."}, 404)


async def _fault(request: Request, error: Exception) -> Response:
    log.error("request_failed", path=request.url.path, error=type(error).__name__, exc_info=error)
    return JSONResponse({"error": "fault", "reason": "Something went wrong here; it is in the log."}, 500)


def run_server(
    settings: Settings, *, host: str | None = None, port: int | None = None, delivery: bool = True
) -> None:
    """`connector serve`: listen until SIGTERM or SIGINT, then commit what waits and stop."""
    configure_logs(settings.log_format, settings.log_level)
    failpoints.arm(failpoints.parse(settings.failpoints))
    host, port = host or settings.host, settings.port if port is None else port
    sockets = listening_sockets(host, port)
    storage = open_storage(settings)
    app = create_app(settings, storage, delivery=delivery)
    config = server_config(settings, app, host=host, port=port)
    gc.collect()
    gc.freeze()  # what start-up made stays; the collector need not walk it with every generation
    gc.set_threshold(20_000, 20, 50)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ends_cleanly)
    log.info("listening", host=host, port=own_port(sockets), delivery=delivery)
    try:
        PatientServer(config).run(sockets)
    finally:
        storage.close()


def server_config(settings: Settings, app: ASGIApp, *, host: str, port: int) -> uvicorn.Config:
    """How every server of this program speaks HTTP."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=bounded_http(settings.header_timeout),
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="error",  # what strangers send that is no HTTP is no news
        log_config=None,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=20,
        backlog=BACKLOG,
    )
