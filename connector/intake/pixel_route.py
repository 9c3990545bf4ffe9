"""GET /pixel/{public_id}.js: the installation's browser script, cacheable, from memory."""

import gzip
import hashlib
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connector.intake.published import PublishedInstallations
from connector.storage.installations import InstallationRecord
from connector.tiktok.pixel import EMPTY_SCRIPT, pixel_script
from connector.tiktok.pixel.build import pixel_config

__all__ = ["pixel_routes"]

# Ten minutes: a pause or another pixel reaches every shop within them, and a visitor loads the script once a visit.
_HEADERS = {
    "Cache-Control": "public, max-age=600, stale-while-revalidate=3600",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",  # shops that isolate their pages load it all the same
}
_TYPE = "text/javascript; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Built:
    record: InstallationRecord
    plain: bytes
    packed: bytes
    digest: str


def pixel_routes(published: PublishedInstallations, library_url: str) -> list[Route]:
    """The route. `library_url` is the setting CONNECTOR_TIKTOK_PIXEL_URL."""
    endpoint = _PixelEndpoint(published, library_url)
    return [Route("/pixel/{public_id:str}.js", endpoint.answer, methods=["GET"])]


class _PixelEndpoint:
    def __init__(self, published: PublishedInstallations, library_url: str) -> None:
        self._published = published
        self._library_url = library_url
        self._built: dict[str, _Built] = {}

    async def answer(self, request: Request) -> Response:
        public_id = request.path_params["public_id"]
        record = await self._published.get(public_id)
        if record is None:
            return PlainTextResponse("No installation has this script.\n", 404)
        return _response(request, self._of(record))

    def _of(self, record: InstallationRecord) -> _Built:
        built = self._built.get(record.public_id)
        if built is None or built.record is not record:
            script = self._script(record)
            digest = hashlib.sha256(script).hexdigest()[:20]
            built = self._built[record.public_id] = _Built(record, script, gzip.compress(script, 9, mtime=0), digest)
        return built

    def _script(self, record: InstallationRecord) -> bytes:
        if record.state in ("paused", "removed"):
            return EMPTY_SCRIPT
        return pixel_script(record.pixel_code, pixel_config(record.settings, self._library_url))


def _response(request: Request, built: _Built) -> Response:
    packed = _accepts_gzip(request.headers.get("accept-encoding", ""))
    tag = f'"{built.digest}{"-gz" if packed else ""}"'
    headers = _HEADERS | {"ETag": tag}
    if _matches(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
    return Response(built.packed if packed else built.plain, headers=headers, media_type=_TYPE)


def _accepts_gzip(header: str) -> bool:
    for part in header.lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _matches(header: str, tag: str) -> bool:
    """Weak comparison, as RFC 9110 asks for If-None-Match."""
    given = {part.strip().removeprefix("W/") for part in header.split(",")}
    return "*" in given or tag in given
