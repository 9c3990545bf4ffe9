"""The routes of this folder, as `app` mounts them."""

from collections.abc import Sequence

from starlette.routing import BaseRoute

from connector.install import views
from connector.install.downloads import download_route
from connector.install.machines import machine_routes
from connector.install.owner import settings_views, store_views, tiktok_views
from connector.install.owner.entrance import owner_page, owner_posted, sign_in, sign_out, take_sign_in
from connector.install.owner.notices import answer_notice
from connector.install.owner.overview import compare_now, overview
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
        page(site, "/install/tiktok/return", tiktok_views.tiktok_return),
        *machine_routes(site),
        download_route(),
        *_owner_routes(site),
        page(site, "/install/{rest:path}", views.nothing_here),
        page(site, "/owner/{rest:path}", views.nothing_here),
    ]


def _owner_routes(site: Site) -> list[BaseRoute]:
    return [
        page(site, "/owner/sign-in", sign_in),
        posted(site, "/owner/sign-in", take_sign_in),
        owner_posted(site, "/owner/sign-out", sign_out),
        owner_page(site, "/owner", overview),
        owner_posted(site, "/owner/notices", answer_notice),
        owner_posted(site, "/owner/compare", compare_now),
        owner_page(site, "/owner/tiktok", tiktok_views.tiktok),
        owner_posted(site, "/owner/tiktok/token", tiktok_views.paste),
        owner_page(site, "/owner/tiktok/authorise", tiktok_views.leave_for_tiktok),
        owner_page(site, "/owner/tiktok/pixels", tiktok_views.pixels),
        owner_posted(site, "/owner/tiktok/pixels", tiktok_views.choose_pixel),
        owner_posted(site, "/owner/tiktok/test", tiktok_views.try_again),
        owner_posted(site, "/owner/tiktok/test-mode", tiktok_views.test_mode),
        owner_posted(site, "/owner/tiktok/disconnect", tiktok_views.disconnect),
        owner_page(site, "/owner/plugin", store_views.plugin),
        owner_page(site, "/owner/store", store_views.store),
        owner_posted(site, "/owner/store/check", store_views.check),
        owner_posted(site, "/owner/store/rotate", store_views.rotate),
        owner_posted(site, "/owner/store/pause", store_views.pause),
        owner_page(site, "/owner/uninstall", store_views.ask_uninstall),
        owner_posted(site, "/owner/uninstall", store_views.take_uninstall),
        owner_page(site, "/owner/settings", settings_views.settings),
        owner_posted(site, "/owner/settings", settings_views.take_settings),
        owner_posted(site, "/owner/settings/password", settings_views.change_password),
    ]
