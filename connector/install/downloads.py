"""GET /downloads/woocommerce-plugin.zip: the companion plugin, as it is uploaded to WordPress."""

import hashlib
from functools import lru_cache

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.platforms.woocommerce.plugin_zip import PLUGIN_ZIP_NAME, build_plugin_zip

__all__ = ["download_route"]


@lru_cache(maxsize=1)
def _plugin() -> bytes:
    return build_plugin_zip()


async def _download(request: Request) -> Response:
    content = await to_thread.run_sync(_plugin)
    headers = {
        "content-disposition": f'attachment; filename="{PLUGIN_ZIP_NAME}"',
        "cache-control": "no-cache",
        "etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        "x-content-type-options": "nosniff",
    }
    return Response(content, media_type="application/zip", headers=headers)


def download_route() -> Route:
    """Its route."""
    return Route("/downloads/woocommerce-plugin.zip", _download)
