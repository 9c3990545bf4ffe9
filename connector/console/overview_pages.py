"""The first page, and one installation: charts from rollups, troubles on top."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row
from starlette.requests import Request
from starlette.responses import Response

from connector.console.rendering import ConsolePages
from connector.console.services import ConsoleServices
from connector.core.installation_settings import InstallationSettings
from connector.operations.rollups import EVERYBODY, Overview, overview, totals
from connector.operations.trouble import MOST_HELD, Health, health_of_all
from connector.pages.charts import NARROW, Series, bar_chart, line_chart
from connector.pages.translating import Translator
from connector.storage.installations import InstallationRecord, find_installation
from connector.storage.journeys import open_things
from connector.storage.rollups import hour_of

__all__ = ["Dashboard", "OverviewPages", "read_dashboard", "settings_shown"]

# Name, length, and the hours that one bar stands for: so few bars that a phone still shows them.
_SPANS: Mapping[str, tuple[timedelta, int]] = {
    "24h": (timedelta(hours=24), 1),
    "7d": (timedelta(days=7), 4),
    "30d": (timedelta(days=30), 24),
}
_TROUBLE_SPAN = timedelta(hours=24)
_SHOWN = 200  # installations on a page; a filter leads to the others
# Where the rows behind a trouble are listed; the installation's id follows.
_TROUBLE_LISTS: Mapping[str, str] = {
    "access_lost": "/console/attempts?result=access_lost&installation=",
    "backlog": "/console/events?state=pending&sort=id&installation=",
    "rejected": "/console/events?state=rejected&installation=",
    "held": "/console/events?state=held&installation=",
    "silent": "/console/webhooks?installation=",
    "notice": "#notices",
}
_MATCH_KEYS = ("email", "phone", "external_id", "ttclid", "ttp", "ip", "user_agent")


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
        """Every installation as a table, those with trouble first."""
        now: datetime = self._services.storage.now()
        text = request.query_params.get("q", "").strip()[:100]
        healths = [one for one in await self._services.read(lambda c: _healths(c, now, None)) if _fits(one, text)]
        return self._pages.show(
            request,
            "installations.html",
            healths=healths[:_SHOWN],
            found=len(healths),
            text=text,
            now=now,
            most_held=MOST_HELD,
        )

    async def _show(self, request: Request, installation_id: str | None) -> Response:
        now: datetime = self._services.storage.now()
        span = request.query_params.get("span", "24h")
        span = span if span in _SPANS else "24h"
        read = await self._services.read(lambda connection: read_dashboard(connection, now, span, installation_id))
        if read is None:
            return self._pages.fault(request, 404, "no_installation")
        translate = self._pages.translator(request)
        return self._pages.show(
            request,
            "overview.html",
            installation=read.installation,
            settings=settings_shown(read.installation.settings, translate) if read.installation else (),
            trouble_lists=_TROUBLE_LISTS,
            healths=read.healths,
            things=read.things,
            counts=read.counts,
            charts=charts_of(read.counts, translate),
            coverage=coverage_of(read.counts.total),
            span=span,
            spans=tuple(_SPANS),
            now=now,
            most_held=MOST_HELD,
        )


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What a dashboard shows."""

    installation: InstallationRecord | None
    healths: Sequence[Health]
    counts: Overview
    things: tuple[Sequence[Row[Any]], Sequence[Row[Any]]] | None


def read_dashboard(connection: Connection, now: datetime, span: str, installation_id: str | None) -> Dashboard | None:
    """Everything that a dashboard shows, in one transaction; None when there is no such installation."""
    installation = find_installation(connection, installation_id) if installation_id else None
    if installation_id and installation is None:
        return None
    length, hours = _SPANS[span]
    until = hour_of(now) + timedelta(
        hours=1
    )  # the hour that has not begun has no bar: it would say that nothing came
    counts = overview(connection, now - length, until, installation_id or EVERYBODY, hours)
    things = open_things(connection, installation_id) if installation_id else None
    return Dashboard(installation, _healths(connection, now, installation_id), counts, things)


def _healths(connection: Connection, now: datetime, installation_id: str | None) -> Sequence[Health]:
    until = now + timedelta(hours=1)
    if installation_id is None:
        counts: Mapping[str, Mapping[str, int]] = totals(
            connection, now - _TROUBLE_SPAN, until, ("accepted", "rejected")
        )
    else:
        counts = {installation_id: overview(connection, now - _TROUBLE_SPAN, until, installation_id, 25).total}
    return health_of_all(connection, counts, now, installation_id)


def _fits(health: Health, text: str) -> bool:
    one, wanted = health.installation, text.casefold()
    return not wanted or any(wanted in part.casefold() for part in (one.id, one.store_name, one.store_url))


def coverage_of(total: Mapping[str, int]) -> list[tuple[str, int]]:
    """Per match key the per cent of sendable events that carry it."""
    sendable = total.get("matchable", 0)
    if not sendable:
        return []
    return [(key, round(100 * total.get(f"key_{key}", 0) / sendable)) for key in _MATCH_KEYS]


def settings_shown(settings: InstallationSettings, t: Translator) -> list[tuple[str, str]]:
    """Each setting's name and value as the owner's own page calls them; what is off or not set has an empty value."""

    def chosen(name: str, value: object) -> str:
        known = (f"setting.{name}.{value}.name", f"setting.{name}.{value}", f"event.{value}")
        return next((t(key) for key in known if t.has(key)), str(value))

    found, elsewhere = [], {"test_event_code", "test_event_code_expires_at"}
    for name, value in settings.model_dump(mode="json", exclude=elsewhere).items():
        label = t("console.overview.events_off") if name == "disabled_events" else t(f"setting.{name}.name")
        if isinstance(value, bool):
            found.append((label, t("console.yes") if value else ""))
        elif isinstance(value, dict):
            found.append((label, ", ".join(f"{topic} = {event}" for topic, event in value.items())))
        elif isinstance(value, list):
            found.append((label, ", ".join(chosen(name, one) for one in value)))
        else:
            found.append((label, chosen(name, value)))
    return found


def charts_of(found: Overview, t: Translator) -> Iterator[tuple[str, Any, Sequence[Series], Sequence[str]]]:
    """Arrivals and outcomes as bars, latency as lines; each is drawn when the page comes to it."""
    by_hour = len(found.starts) > 1 and found.starts[1] - found.starts[0] <= timedelta(hours=1)
    labels = [start.strftime("%H:%M" if by_hour else "%d.%m. %Hh") for start in found.starts]

    outcomes = [
        Series(t(f"console.metric.{name}"), found.series(name), f"chart-{style}")
        for name, style in (("accepted", "good"), ("withheld", "quiet"), ("filtered", "pale"), ("rejected", "bad"))
    ]
    arrivals = [Series(t("console.metric.arrived"), found.series("arrived"), "chart-main")]
    latency = [
        Series(name, found.latencies(share), f"chart-{style}")
        for name, share, style in (("p50", 0.5, "good"), ("p95", 0.95, "warn"))
    ]
    for name, draw, series in (
        ("arrivals", bar_chart, arrivals),
        ("outcomes", bar_chart, outcomes),
        ("latency", line_chart, latency),
    ):
        title = t(f"console.chart.{name}")
        yield title, draw(title, labels, series, width=NARROW), series, labels
