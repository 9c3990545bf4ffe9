"""starlette-admin as the console uses it: its template environment, its assets, its fields and list views.

What it also brings is left out on purpose, each for its reason (README.md): its create, edit, delete, import and
action routes, its cookies for CSRF and flash messages, its own sign-in, its switches of language and time zone.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette_admin.base import BaseAdmin
from starlette_admin.i18n import gettext, ngettext
from starlette_admin.theme import DefaultTheme

__all__ = ["ConsoleAdmin"]

_HERE = Path(__file__).parent
_NAME = "console"


class ConsoleAdmin(BaseAdmin):
    """The admin without what writes. Call `add_view` for the lists, then `application`."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        # Its log lines would hold filters and search texts: people's order numbers, at times their e-mail.
        logging.getLogger("starlette_admin").setLevel(logging.CRITICAL)
        self._names = names
        super().__init__(
            title="Console",
            base_url="/console",
            route_name=_NAME,
            templates_dir=str(_HERE / "templates"),
            additional_loaders=[FileSystemLoader(_HERE / "templates")],
            theme=DefaultTheme(),
            timezone_config=None,
            secret_key="unused: the console signs its own cookies",  # noqa: S106
        )

    def application(self, routes: Sequence[BaseRoute]) -> Starlette:
        """The console as an application of its own: its files and these routes."""
        assets = StaticFiles(directory=_HERE / "static")
        admin_files = StaticFiles(packages=[("starlette_admin", "static")])
        application = Starlette(
            routes=[
                Mount("/assets", app=assets, name="assets"),
                Mount("/static", app=admin_files, name="static"),
                *routes,
            ]
        )
        application.state.ROUTE_NAME = _NAME
        return application

    def _setup_templates(self) -> None:
        super()._setup_templates()
        environment: Any = self.templates.env
        environment.trim_blocks = True
        # The templates come with the program; asking the disk for each part of each page whether they have changed
        # is a fifth of a page's cost.
        environment.auto_reload = False
        environment.globals.update(self._names)
        environment.globals["static_url"] = _static_url
        environment.install_gettext_callables(gettext, ngettext, newstyle=True)

    def _init_routes(self) -> None:
        """None of its own: `application` takes ours."""

    def _init_csrf(self) -> None:
        """The shared page layer guards the forms."""

    def _init_flash(self) -> None:
        """What happened is said on the page that follows, from the database."""


def _static_url(_request: object, path: str, v: object = "") -> str:
    """A path without a host, so that no proxy in front can make it point elsewhere."""
    return f"/console/static/{path}?v={v}"
