"""The web server: its routes, and how it starts and stops."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Sequence
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from connector import failpoints
from connector.app.crowding import connections_to_hold
from connector.app.health import health_routes
from connector.app.http_protocol import bounded_http
from connector.app.listening import BACKLOG, listening_sockets, own_port
from connector.app.pages import page_routes
from connector.app.service import build_service, start_parts, stop_parts
from connector.app.stopping import PatientServer
from connector.intake.beacons import beacon_routes
from connector.intake.endpoint import EndpointLimits, WebhookEndpoint
from connector.intake.pixel_route import pixel_routes
from connector.intake.published import PublishedInstallations
from connector.logs import configure_logs, log, request_id
from connector.outbound import Outbound
from connector.settings import Settings
from connector.storage.opening import Storage, open_storage

__all__ = ["create_app", "run_server", "server_config"]


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
        await asyncio.to_thread(start_parts, service)
        service.journal.start()
        yield
        await outbound.close()
        await service.journal.stop()
        await asyncio.to_thread(stop_parts, service)

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


def _ends_cleanly(_number: int, _frame: FrameType | None) -> None:
    """The server raises the signal again once it has stopped: then all is done, and that is exit code 0."""


async def _not_found(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "not_found", "reason": "There is nothing at this address."}, 404)


async def _fault(request: Request, error: Exception) -> Response:
    named = request_id(request.headers.get("x-request-id"))
    log.error("request_failed", request_id=named, path=request.url.path, exc_info=error)
    answer = {"error": "fault", "reason": "Something went wrong here; it is in the log.", "request_id": named}
    return JSONResponse(answer, 500)


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
        http=bounded_http(settings.header_timeout, connections_to_hold()),
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
