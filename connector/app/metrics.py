"""What /metrics tells Prometheus, read at scrape time. Labels are fixed words, never an id, an order or an address.

Counters are of this process; gauges that name no process come from the database and are the same everywhere, so that
worker processes without a socket are seen too.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from sqlalchemy import Connection, func, select

from connector.app.service import Service
from connector.core.row_ids import id_at
from connector.logs import log
from connector.storage.queue import WorkQueue, event_queue, webhook_queue
from connector.storage.tables import DeliveryAttempt, Installation, Notice, ProcessHeartbeat

__all__ = ["Metrics"]

_RECENT = timedelta(minutes=5)
_ALIVE = timedelta(seconds=30)
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]
_installation = Installation.__table__  # type: ignore[attr-defined]
_notice = Notice.__table__  # type: ignore[attr-defined]
_process = ProcessHeartbeat.__table__  # type: ignore[attr-defined]


class Metrics:
    """A collector for the registry of one server process."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Any]:
        """Every metric of this moment. What the database cannot tell just now is left out."""
        yield from self._own()
        now = self._service.storage.now()
        for read in (_backlog, _attempts, _installations, _notices, _processes):
            try:
                with self._service.storage.database.read() as connection:
                    found = read(connection, now)
            except Exception as error:
                log.warning("metric_not_read", metric=read.__name__, error=type(error).__name__)
                continue
            yield from found

    def _own(self) -> Iterator[Any]:
        journal = self._service.journal
        refused = CounterMetricFamily("connector_webhooks_refused", "Requests not stored.", labels=["reason"])
        for reason, count in dict(self._service.refusals.totals).items():
            refused.add_metric([reason], count)
        stored = CounterMetricFamily("connector_webhooks", "Authentic webhooks by outcome.", labels=["outcome"])
        for outcome, count in dict(journal.outcomes).items():
            stored.add_metric([outcome], count)
        yield from (refused, stored)
        yield CounterMetricFamily("connector_commits", "Group commits of the journal.", value=journal.commits)
        yield GaugeMetricFamily("connector_database_ok", "1 while commits work.", value=int(journal.database_ok))
        waiting = int(self._service.spool.waiting())
        yield GaugeMetricFamily("connector_spool_waiting", "1 while webhooks wait in the spool.", value=waiting)


def _gauge(name: str, text: str, label: str, values: dict[str, float]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, text, labels=[label])
    for word, value in values.items():
        gauge.add_metric([word], value)
    return gauge


def _backlog(connection: Connection, now: datetime) -> list[GaugeMetricFamily]:
    queues = {"webhooks": webhook_queue, "events": event_queue}
    counts = {name: float(queue.backlog(connection)) for name, queue in queues.items()}
    ages = {name: _age(connection, queue, now) for name, queue in queues.items()}
    return [
        _gauge("connector_backlog", "Work that waits, due or not.", "queue", counts),
        _gauge("connector_backlog_age_seconds", "How long the oldest due work has been due.", "queue", ages),
    ]


def _age(connection: Connection, queue: WorkQueue, now: datetime) -> float:
    oldest = connection.execute(select(func.min(queue.rows.c.run_at))).scalar()
    return max((now - oldest).total_seconds(), 0.0) if oldest else 0.0


def _counted(statement: Any) -> Callable[[Connection], dict[str, float]]:
    return lambda connection: {str(word): float(count) for word, count in connection.execute(statement)}


def _attempts(connection: Connection, now: datetime) -> list[GaugeMetricFamily]:
    since = id_at(int((now - _RECENT).timestamp() * 1000))
    c = _attempt.c
    calls = select(c.result, func.count()).where(c.id > since).group_by(c.result)
    events = select(c.result, func.sum(c.event_count)).where(c.id > since).group_by(c.result)
    return [
        _gauge("connector_calls_5m", "Calls to TikTok in five minutes.", "result", _counted(calls)(connection)),
        _gauge("connector_events_5m", "Events in those calls.", "result", _counted(events)(connection)),
    ]


def _installations(connection: Connection, _now: datetime) -> list[GaugeMetricFamily]:
    c = _installation.c
    states = select(c.state, func.count()).group_by(c.state)
    lost = select(func.count()).where(c.state == "active", c.access == "lost")
    gauge = _gauge("connector_installations", "Installations by state.", "state", _counted(states)(connection))
    access = GaugeMetricFamily(
        "connector_access_lost",
        "Active installations that TikTok refuses.",
        value=float(connection.execute(lost).scalar_one()),
    )
    return [gauge, access]


def _notices(connection: Connection, _now: datetime) -> list[GaugeMetricFamily]:
    c = _notice.c
    kinds = select(c.kind, func.count()).where(c.resolved_at.is_(None)).group_by(c.kind)
    return [_gauge("connector_open_notices", "Unresolved notices by kind.", "kind", _counted(kinds)(connection))]


def _processes(connection: Connection, now: datetime) -> list[GaugeMetricFamily]:
    c = _process.c
    alive = select(c.role, func.count()).where(c.seen_at > now - _ALIVE).group_by(c.role)
    return [_gauge("connector_processes", "Processes seen lately by role.", "role", _counted(alive)(connection))]
