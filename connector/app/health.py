"""/healthz: the process is up. /readyz: it can store and work. /metrics: what it has done, for Prometheus."""

import asyncio
import time
import weakref

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.app.metrics import Metrics
from connector.app.service import Service

__all__ = ["health_routes"]

_DATABASE_SECONDS = 3.0
_STALLED_SECONDS = 60.0
_TOLD_ONLY = frozenset({"spool_empty"})  # a spool that is being drained keeps nobody from receiving
_asking: weakref.WeakKeyDictionary[Service, asyncio.Task[bool]] = weakref.WeakKeyDictionary()


def health_routes(service: Service) -> list[Route]:
    """The three addresses that machines look at."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "up"})

    async def readyz(_request: Request) -> Response:
        checks = await readiness(service)
        ready = all(good for name, good in checks.items() if name not in _TOLD_ONLY)
        return JSONResponse({"ready": ready, "checks": checks}, 200 if ready else 503)

    registry = CollectorRegistry()
    registry.register(Metrics(service))

    async def metrics(_request: Request) -> Response:
        body = await asyncio.to_thread(generate_latest, registry)
        return Response(body, media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


async def readiness(service: Service) -> dict[str, bool]:
    """Each check by its name."""
    database = await _database_answers(service)
    moving = time.monotonic() - service.processing.last_round < _STALLED_SECONDS
    return {
        "database": database and service.journal.database_ok,
        "spool": service.journal.spool_ok,
        "spool_empty": not service.spool.waiting(),
        "worker": moving and (service.delivery is None or service.delivery.alive),
    }


async def _database_answers(service: Service) -> bool:
    """One question at a time, however many ask: each that hangs would keep a thread from others."""
    asking = _asking.get(service)
    if asking is None or asking.done():
        asking = _asking[service] = asyncio.create_task(asyncio.to_thread(_ask, service))
    try:
        return await asyncio.wait_for(asyncio.shield(asking), _DATABASE_SECONDS)
    except Exception:
        return False


def _ask(service: Service) -> bool:
    with service.storage.database.read() as connection:
        return bool(connection.execute(text("SELECT 1")).scalar() == 1)
