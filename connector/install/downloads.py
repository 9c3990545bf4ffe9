"""GET /downloads/woocommerce-plugin.zip: the companion plugin, as it is uploaded to WordPress."""

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connector.install.services import Services

__all__ = ["download_routes"]


def download_routes(services: Services) -> list[Route]:
    """One route; 404 while this installation of the program has no plugin to give."""

    async def plugin(request: Request) -> Response:
        if services.plugin_zip is None:
            return PlainTextResponse("The plugin is not part of this installation.", 404)
        content = await to_thread.run_sync(services.plugin_zip)
        headers = {"content-disposition": 'attachment; filename="pixel-connector.zip"', "cache-control": "no-cache"}
        return Response(content, media_type="application/zip", headers=headers)

    return [Route("/downloads/woocommerce-plugin.zip", plugin)]
