"""The console's routes: every address with the action that its role must allow, in one table."""

from collections.abc import Callable, Sequence
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from connector.console.admin_pages import AdminPages
from connector.console.gate import Handler, guarded, sign_out
from connector.console.giving_way import GivingWay, SpacedOut
from connector.console.list_pages import ListPages
from connector.console.list_views import list_views
from connector.console.order_pages import OrderPages
from connector.console.overview_pages import OverviewPages
from connector.console.permissions import Action
from connector.console.rendering import ConsolePages
from connector.console.replay_pages import ReplayPages
from connector.console.search_pages import SearchPages
from connector.console.services import ConsoleServices, console_services
from connector.console.sign_in import SignIn
from connector.console.single_sign_on import SingleSignOn
from connector.console.tail import TailPages
from connector.pages.security import PageSecurity
from connector.settings import Settings
from connector.storage.opening import Storage

__all__ = ["routes"]

_FAULTS = {404: "not_found", 405: "not_that_way", 500: "broken"}
_Entry = tuple[str, str, Action, Handler]  # method, path, action, handler
# In order of the navigation; the second is the action that shows it.
NAVIGATION: Sequence[tuple[str, Action, str, str]] = (
    ("overview", Action.VIEW, "/console/", "fa-solid fa-gauge-high"),
    ("installations", Action.VIEW, "/console/installations", "fa-solid fa-store"),
    ("webhooks", Action.VIEW, "/console/webhooks", "fa-solid fa-inbox"),
    ("events", Action.VIEW, "/console/events", "fa-solid fa-bolt"),
    ("attempts", Action.VIEW, "/console/attempts", "fa-solid fa-paper-plane"),
    ("refused", Action.VIEW, "/console/refused", "fa-solid fa-ban"),
    ("held", Action.VIEW, "/console/events?state=held", "fa-solid fa-hand"),
    ("replays", Action.REPLAY, "/console/replays", "fa-solid fa-rotate-right"),
    ("tail", Action.VIEW, "/console/tail", "fa-solid fa-wave-square"),
    ("alerts", Action.MANAGE_ALERTS, "/console/alerts", "fa-solid fa-bell"),
    ("audit", Action.VIEW_AUDIT, "/console/audit", "fa-solid fa-clipboard-list"),
    ("staff", Action.MANAGE_STAFF, "/console/staff", "fa-solid fa-user-shield"),
)


def routes(settings: Settings, storage: Storage, arrived: Callable[[], int] = lambda: 0) -> list[BaseRoute]:
    """The console, to be put among the routes of the web application. `arrived` counts the webhooks that this
    process has taken since its start: while many come, the console gives way."""
    services = console_services(settings, storage, GivingWay(arrived))
    pages = ConsolePages(services)
    pages.admin.templates.env.globals["navigation"] = NAVIGATION
    single_sign_on = SingleSignOn(services, pages)
    sign_in = SignIn(services, pages, single_sign_on=single_sign_on.is_on)
    table = (*_list_entries(services, pages), *_entries(services, pages))
    application = pages.admin.application(
        [
            Route("/sign-in", sign_in.show, methods=["GET"]),
            Route("/sign-in", sign_in.take, methods=["POST"]),
            Route("/sign-in/single", single_sign_on.start, methods=["GET"]),
            Route("/sign-in/single/return", single_sign_on.come_back, methods=["GET"]),
            *(
                Route(path, guarded(services, action, handler, pages.fault), methods=[method], name=name)
                for method, path, action, handler in table
                for name in ["index" if path == "/" else f"{method} {path}"]
            ),
        ]
    )
    for status, what in _FAULTS.items():
        application.add_exception_handler(status, partial(_fault, pages, status, what))
    https = settings.own_url.startswith("https://")
    return [
        Route("/console", _slash, methods=["GET"]),
        Mount("/console", app=PageSecurity(SpacedOut(application, services.way), https=https), name="console"),
    ]


def _list_entries(services: ConsoleServices, pages: ConsolePages) -> list[_Entry]:
    lists = ListPages(services, pages)
    entries: list[_Entry] = [
        ("POST", "/links", Action.SAVE_LINK, lists.save_link),
        ("POST", "/links/{id:int}/remove", Action.SAVE_LINK, lists.remove_link),
    ]
    for view in list_views():
        pages.admin.add_view(view)
        entries.append(("GET", f"/{view.key}", Action.VIEW, partial(lists.show, view=view)))
        entries.append(("GET", f"/{view.key}/export", Action.EXPORT, partial(lists.export, view=view)))
    return entries


def _entries(services: ConsoleServices, pages: ConsolePages) -> list[_Entry]:
    overviews, orders = OverviewPages(services, pages), OrderPages(services, pages)
    replays, admins = ReplayPages(services, pages), AdminPages(services, pages)
    tail = TailPages(services, pages)
    return [
        ("GET", "/", Action.VIEW, overviews.home),
        ("POST", "/sign-out", Action.SIGN_IN, partial(sign_out, services)),
        ("POST", "/search", Action.VIEW, SearchPages(services, pages).search),
        ("GET", "/installations", Action.VIEW, overviews.list),
        ("GET", "/installations/{id}", Action.VIEW, overviews.installation),
        ("GET", "/installations/{id}/orders/{order_id}", Action.VIEW, orders.order),
        ("GET", "/webhooks/{id:int}", Action.VIEW, orders.webhook),
        ("GET", "/webhooks/{id:int}/body", Action.VIEW, orders.body),
        ("POST", "/webhooks/{id:int}/reveal", Action.REVEAL, orders.reveal),
        ("POST", "/webhooks/{id:int}/replay", Action.REPLAY, replays.webhook),
        ("GET", "/events/{id:int}", Action.VIEW, orders.event),
        ("POST", "/events/{id:int}/decide", Action.DECIDE_HELD, replays.decide),
        ("GET", "/attempts/{id:int}", Action.VIEW, orders.attempt),
        ("GET", "/replays", Action.REPLAY, replays.jobs),
        ("GET", "/replays/new", Action.REPLAY, replays.new),
        ("POST", "/replays", Action.REPLAY, replays.start),
        ("GET", "/replays/{id:int}", Action.REPLAY, replays.job),
        ("POST", "/replays/{id:int}/cancel", Action.REPLAY, replays.cancel),
        ("GET", "/tail", Action.VIEW, tail.show),
        ("GET", "/tail/stream", Action.VIEW, tail.stream),
        ("GET", "/alerts", Action.MANAGE_ALERTS, admins.alerts),
        ("POST", "/alerts", Action.MANAGE_ALERTS, admins.add_alert),
        ("POST", "/alerts/{id:int}/remove", Action.MANAGE_ALERTS, admins.remove_alert),
        ("GET", "/audit", Action.VIEW_AUDIT, admins.audit),
        ("GET", "/audit/export", Action.VIEW_AUDIT, admins.audit_export),
        ("GET", "/staff", Action.MANAGE_STAFF, admins.staff),
        ("POST", "/staff", Action.MANAGE_STAFF, admins.add_staff),
        ("POST", "/staff/{id:int}/remove", Action.MANAGE_STAFF, admins.remove_staff),
    ]


async def _slash(request: Request) -> Response:
    return RedirectResponse("/console/", 307)


async def _fault(pages: ConsolePages, status: int, what: str, request: Request, error: Exception) -> Response:
    response = pages.fault(request, status, what)
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})  # a 405 names the methods that there are
    return response
