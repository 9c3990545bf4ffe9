"""/healthz: the process is up. /readyz: it can store and work. /metrics: what it has done, for Prometheus."""

import asyncio
import time
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.app.metrics import Metrics

if TYPE_CHECKING:
    from connector.app.server import Service

__all__ = ["health_routes"]

_DATABASE_SECONDS = 3.0
_STALLED_SECONDS = 60.0


def health_routes(service: "Service") -> list[Route]:
    """The three addresses that machines look at."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "up"})

    async def readyz(_request: Request) -> Response:
        checks = await readiness(service)
        ready = all(checks.values())
        return JSONResponse({"ready": ready, "checks": checks}, 200 if ready else 503)

    registry = CollectorRegistry()
    registry.register(Metrics(service))

    async def metrics(_request: Request) -> Response:
        body = await asyncio.to_thread(generate_latest, registry)
        return Response(body, media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


async def readiness(service: "Service") -> dict[str, bool]:
    """Each check by its name."""
    try:
        database = await asyncio.wait_for(asyncio.to_thread(_ask, service), _DATABASE_SECONDS)
    except Exception:
        database = False
    moving = time.monotonic() - service.processing.last_round < _STALLED_SECONDS
    return {
        "database": database and service.journal.database_ok,
        "spool_empty": not service.spool.waiting() or service.journal.database_ok,
        "worker": moving and (service.delivery is None or service.delivery.alive),
    }


def _ask(service: "Service") -> bool:
    with service.storage.database.read() as connection:
        return bool(connection.execute(text("SELECT 1")).scalar() == 1)
