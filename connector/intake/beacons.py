"""POST /collect/{public_id}: views straight from the browser, for stores whose own route would be too busy.

Only where the owner has switched it on. Answers 204 after the commit; a refusal has a one-line reason, and nobody at
the other end reads it: the script neither repeats nor shows anything.
"""

import asyncio
import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.errors import WebhookRefused
from connector.intake.beacon_bodies import Beacon, Sender, beacon_body, read_beacon, topic_of
from connector.intake.journal import Journal, Stored
from connector.intake.product_facts import ProductFacts
from connector.intake.published import PublishedInstallations
from connector.storage.arrivals import Arrival, digest_of
from connector.storage.installations import InstallationRecord
from connector.storage.opening import Storage

__all__ = ["BeaconLimits", "beacon_routes"]

_LARGEST_BODY = 4096
_BODY_SECONDS = 5.0
_LONGEST_AGENT = 400


@dataclass(frozen=True, slots=True)
class BeaconLimits:
    """How many beacons are taken, in the words of `limits`: of one address, of one store."""

    per_address: str = "60/minute"
    per_store: str = "12000/minute"


def beacon_routes(
    storage: Storage,
    published: PublishedInstallations,
    journal: Journal,
    limits: BeaconLimits = BeaconLimits(),
) -> list[Route]:
    """The route; the journal must run before the first beacon comes."""
    endpoint = _BeaconEndpoint(storage, published, journal, limits)
    return [Route("/collect/{public_id:str}", endpoint.answer, methods=["POST", "OPTIONS"])]


class _BeaconEndpoint:
    def __init__(
        self, storage: Storage, published: PublishedInstallations, journal: Journal, limits: BeaconLimits
    ) -> None:
        self._storage = storage
        self._published = published
        self._journal = journal
        self._facts = ProductFacts(storage)
        self._per_address = parse(limits.per_address)
        self._per_store = parse(limits.per_store)
        self._addresses = MovingWindowRateLimiter(MemoryStorage())
        self._stores = FixedWindowRateLimiter(MemoryStorage())

    async def answer(self, request: Request) -> Response:
        headers: dict[str, str] = {"Vary": "Origin"}
        try:
            installation = await self._installation(request)
            headers |= _shared_with(_own_origin(request, installation))
            if request.method == "OPTIONS":
                return Response(status_code=204, headers=headers | _PREFLIGHT)
            await self._take(request, installation)
        except WebhookRefused as refused:
            reason = {"error": refused.reason, "reason": str(refused)}
            return JSONResponse(reason, refused.status, headers)
        return Response(status_code=204, headers=headers)

    async def _installation(self, request: Request) -> InstallationRecord:
        found = await self._published.get(request.path_params["public_id"])
        if found is None:
            raise WebhookRefused(404, "installation_unknown", "No installation has this address.")
        if found.state == "removed":
            raise WebhookRefused(410, "installation_removed", "This installation was removed: stop sending.")
        if not found.settings.views_direct:
            raise WebhookRefused(403, "views_not_direct", "Views of this store go by the store, not here.")
        return found

    async def _take(self, request: Request, installation: InstallationRecord) -> None:
        ip = request.client.host if request.client else ""
        self._limit(installation, ip)
        now = self._storage.now()
        beacon = read_beacon(await _body(request), now)
        sender = Sender(ip or None, request.headers.get("user-agent", "")[:_LONGEST_AGENT] or None)
        item = await self._item(installation, beacon)
        body = beacon_body(beacon, sender, item, installation.settings.consent_policy, now)
        topic = topic_of(beacon.name)
        arrival = Arrival(
            id=self._storage.new_id(),
            installation_id=installation.id,
            topic=topic,
            received_at=now,
            digest=digest_of(installation.id, topic, body),
            headers=orjson.dumps({"content-type": "application/json"}).decode(),
            body=body,
            source="browser",
        )
        if await self._journal.store(arrival) is Stored.FAILED:
            raise WebhookRefused(503, "not_stored", "Nothing could be stored just now.")

    def _limit(self, installation: InstallationRecord, ip: str) -> None:
        """A store over its rate is found before the address is noted: the addresses of a flood, as many as there are
        IPv6 networks, would fill the memory otherwise.
        """
        if not self._stores.test(self._per_store, installation.id):
            raise WebhookRefused(429, "store_too_busy", "Too many reports for this store.")
        if not self._addresses.hit(self._per_address, installation.id, _network(ip)):
            raise WebhookRefused(429, "too_often", "Too many reports from this address.")
        self._stores.hit(self._per_store, installation.id)

    async def _item(self, installation: InstallationRecord, beacon: Beacon) -> dict[str, object]:
        if beacon.product_id is None:
            return {}
        return await self._facts.item(installation.id, beacon.product_id, beacon.variation_id)


_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Content-Type",
    "Access-Control-Max-Age": "86400",
}


def _shared_with(origin: str) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": origin}


def _own_origin(request: Request, installation: InstallationRecord) -> str:
    """The page's origin, when it is the store's, with or without `www.`. Raises WebhookRefused 403."""
    stated = request.headers.get("origin") or request.headers.get("referer") or ""
    try:
        page, store = urlsplit(stated), urlsplit(installation.store_url)
        is_own = page.scheme in ("http", "https") and _place(page.hostname, page.port) == _place(
            store.hostname, store.port
        )
    except ValueError:  # a port that is no number
        is_own = False
    if not is_own:
        raise WebhookRefused(403, "foreign_origin", "Only pages of this store report here.")
    return f"{page.scheme}://{page.netloc}"


def _place(host: str | None, port: int | None) -> tuple[str, int | None]:
    usual = None if port in (80, 443) else port
    return (host or "").lower().removeprefix("www."), usual


def _network(ip: str) -> str:
    """One household: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip
    if address.version == 4:
        return ip
    return str(ipaddress.ip_network((address, 64), strict=False).network_address)


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                parts.append(chunk)
                size += len(chunk)
                if size > _LARGEST_BODY:
                    raise WebhookRefused(413, "body_too_large", f"At most {_LARGEST_BODY} bytes.")
    except TimeoutError:
        raise WebhookRefused(408, "body_too_slow", "The body took too long.") from None
    except ClientDisconnect:
        raise WebhookRefused(400, "body_cut_short", "The connection closed before the body was whole.") from None
    return b"".join(parts)
