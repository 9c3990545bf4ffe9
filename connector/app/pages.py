"""Routes of everything that people look at, and the outbound client that their pages call stores and TikTok with."""

from collections.abc import Callable, Sequence

from starlette.routing import BaseRoute

from connector.app.privacy import privacy_routes
from connector.console.application import routes as console_routes
from connector.install.routes import routes as install_routes
from connector.install.services import Services, TikTokApp, calls_from_threads
from connector.outbound import Outbound
from connector.settings import Settings
from connector.storage.opening import Storage

__all__ = ["page_routes"]


def page_routes(
    settings: Settings, storage: Storage, outbound: Outbound, arrived: Callable[[], int] = lambda: 0
) -> Sequence[BaseRoute]:
    """Install flow, owner pages, downloads, the plugin's privacy calls, support console.

    `arrived` counts webhooks: while many come, the console gives way.
    """
    services = install_services(settings, storage, outbound)
    privacy = privacy_routes(services, settings.spool_dir)
    return [*install_routes(services), *privacy, *console_routes(settings, storage, arrived)]


def install_services(settings: Settings, storage: Storage, outbound: Outbound) -> Services:
    """What installing and the owner's pages take."""
    secret = settings.tiktok_app_secret
    app = TikTokApp(
        api_url=settings.tiktok_api_url,
        portal_url=settings.tiktok_api_url,
        app_id=settings.tiktok_app_id or "",
        app_secret=secret.get_secret_value() if secret else "",
    )
    return Services(
        storage=storage,
        calls=calls_from_threads(outbound),
        own_url=settings.own_url,
        tiktok=app,
        allow_private=settings.allow_private_addresses,
    )
