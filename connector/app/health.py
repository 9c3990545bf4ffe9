"""/healthz: the process is up. /readyz: it can store and work. /metrics: what it has done, for Prometheus."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.storage.queue import event_queue, webhook_queue

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
    registry.register(_Metrics(service))

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


class _Metrics:
    """Read at scrape time; labels are fixed words only."""

    def __init__(self, service: "Service") -> None:
        self._service = service

    def collect(self) -> Any:
        journal = self._service.journal
        refused = CounterMetricFamily(
            "connector_webhooks_refused", "Requests that were not stored.", labels=["reason"]
        )
        for reason, count in dict(self._service.refusals.totals).items():
            refused.add_metric([reason], count)
        yield refused
        stored = CounterMetricFamily("connector_webhooks", "Authentic webhooks by outcome.", labels=["outcome"])
        for outcome, count in dict(journal.outcomes).items():
            stored.add_metric([outcome], count)
        yield stored
        yield CounterMetricFamily("connector_commits", "Group commits of the journal.", value=journal.commits)
        yield GaugeMetricFamily("connector_database_ok", "1 while commits work.", value=int(journal.database_ok))
        yield from _backlog(self._service)


def _backlog(service: "Service") -> Any:
    gauge = GaugeMetricFamily("connector_backlog", "Work that waits, due or not.", labels=["queue"])
    try:
        with service.storage.database.read() as connection:
            gauge.add_metric(["webhooks"], webhook_queue.backlog(connection))
            gauge.add_metric(["events"], event_queue.backlog(connection))
    except Exception:
        return
    yield gauge
