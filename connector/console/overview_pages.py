"""The first page, and one installation: charts from rollups, troubles on top."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from connector.console.rendering import ConsolePages
from connector.console.services import ConsoleServices
from connector.operations.rollups import Overview, overview
from connector.operations.trouble import Health, health_of_all
from connector.pages.charts import Series, bar_chart, line_chart
from connector.pages.translating import Translator
from connector.storage.installations import all_installations, find_installation
from connector.storage.journeys import open_things

__all__ = ["OverviewPages"]

_SPANS: Mapping[str, timedelta] = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
_BARS = 42  # more hours than this are joined into longer spans, so that a phone still shows bars
_MATCH_KEYS = ("email", "phone", "external_id", "ttclid", "ttp", "ip", "user_agent")
_NOTHING = Overview((), {}, {})


class OverviewPages:
    """Handlers that read rollups and the few live numbers."""

    def __init__(self, services: ConsoleServices, pages: ConsolePages) -> None:
        self._services = services
        self._pages = pages

    async def home(self, request: Request) -> Response:
        """All installations."""
        return await self._show(request, None)

    async def installation(self, request: Request) -> Response:
        """One installation."""
        return await self._show(request, request.path_params["id"])

    async def list(self, request: Request) -> Response:
        """Every installation as a table."""
        now: datetime = self._services.storage.now()
        healths, _ = await self._services.read(lambda c: _read(c, now - _SPANS["24h"], now, None))
        return self._pages.show(request, "installations.html", healths=healths, now=now)

    async def _show(self, request: Request, installation_id: str | None) -> Response:
        now: datetime = self._services.storage.now()
        span = request.query_params.get("span", "24h")
        span = span if span in _SPANS else "24h"
        since = now - _SPANS[span]
        found = (
            await self._services.read(lambda c: find_installation(c, installation_id)) if installation_id else None
        )
        if installation_id and found is None:
            return self._pages.fault(request, 404, "no_installation")
        healths, counts = await self._services.read(lambda c: _read(c, since, now, installation_id))
        mine = counts.get(installation_id or "", _NOTHING)
        things = await self._services.read(lambda c: open_things(c, installation_id)) if installation_id else None
        return self._pages.show(
            request,
            "overview.html",
            installation=found,
            healths=healths,
            things=things,
            counts=mine,
            charts=charts_of(mine, self._pages.translator(request)),
            coverage=coverage_of(mine.total),
            span=span,
            spans=tuple(_SPANS),
            now=now,
        )


def _read(
    connection: Connection, since: datetime, now: datetime, installation_id: str | None
) -> tuple[list[Health], dict[str, Overview]]:
    counts = overview(connection, since, now + timedelta(hours=1), installation_id)
    installations = all_installations(connection)
    if installation_id is not None:
        installations = [one for one in installations if one.id == installation_id]
    return health_of_all(connection, installations, counts, now), counts


def coverage_of(total: Mapping[str, int]) -> list[tuple[str, int]]:
    """Per match key the per cent of sendable events that carry it."""
    sendable = total.get("matchable", 0)
    if not sendable:
        return []
    return [(key, round(100 * total.get(f"key_{key}", 0) / sendable)) for key in _MATCH_KEYS]


def charts_of(found: Overview, t: Translator) -> Sequence[Any]:
    """Arrivals and outcomes as bars, latency as lines."""
    spans = _joined(found)
    labels = [label for label, _ in spans]

    def values(metric: str) -> list[float]:
        return [float(counts.get(metric, 0)) for _, counts in spans]

    outcomes = [
        Series(t(f"console.metric.{name}"), values(name), f"chart-{style}")
        for name, style in (("accepted", "good"), ("withheld", "quiet"), ("filtered", "pale"), ("rejected", "bad"))
    ]
    arrivals = [Series(t("console.metric.arrived"), values("arrived"), "chart-main")]
    latency = [
        Series(name, [float(Overview((), {}, counts).latency(share) or 0) for _, counts in spans], f"chart-{style}")
        for name, share, style in (("p50", 0.5, "good"), ("p95", 0.95, "warn"))
    ]
    return (
        (t("console.chart.arrivals"), bar_chart(t("console.chart.arrivals"), labels, arrivals), arrivals, labels),
        (t("console.chart.outcomes"), bar_chart(t("console.chart.outcomes"), labels, outcomes), outcomes, labels),
        (t("console.chart.latency"), line_chart(t("console.chart.latency"), labels, latency), latency, labels),
    )


def _joined(found: Overview) -> list[tuple[str, Mapping[str, int]]]:
    hours = list(found.hours)
    step = max(1, -(-len(hours) // _BARS))
    spans: list[tuple[str, Mapping[str, int]]] = []
    for start in range(0, len(hours), step):
        part = hours[start : start + step]
        counts: dict[str, int] = {}
        for hour in part:
            for metric, count in found.by_hour.get(hour, {}).items():
                counts[metric] = counts.get(metric, 0) + count
        spans.append((part[0].strftime("%H:%M" if step == 1 else "%d.%m. %H h"), counts))
    return spans
