"""The routes of this folder, as `app` mounts them."""

from collections.abc import Sequence

from starlette.routing import BaseRoute

from connector.install import views
from connector.install.machines import machine_routes
from connector.install.services import Services
from connector.install.site import Site, page, posted
from connector.pages.rendering import style_route

__all__ = ["routes"]


def routes(services: Services) -> Sequence[BaseRoute]:
    """Everything of installing and of the owner's pages."""
    site = Site(services)
    return [
        style_route(),
        page(site, "/", views.landing),
        page(site, "/install", views.ask_address),
        posted(site, "/install", views.look_at_store),
        page(site, "/install/woocommerce/return", views.returned),
        page(site, "/install/progress", views.progress),
        page(site, "/install/password", views.password),
        posted(site, "/install/password", views.take_password),
        *machine_routes(site),
    ]
