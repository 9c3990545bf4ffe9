"""The pre-flight: find the store behind what was typed, look at it, and let `checks` judge."""

from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from connector.core.http_values import OutgoingRequest, Reply
from connector.errors import AddressRefused, SendFailed
from connector.install.checks import Check, Seen, may_continue, run_checks
from connector.install.services import Services
from connector.install.store_client import fetch
from connector.platforms.woocommerce.connect import read_store_url
from connector.platforms.woocommerce.rest import StoreFault

__all__ = ["Preflight", "preflight"]

_MOST_REDIRECTS = 3
# The whole index lists every route of every plugin, more than a megabyte in a usual shop.
_FIELDS = "_fields=name,url,home,namespaces"
_HTML = {"Accept": "text/html"}
_NOBODY = {"Authorization": "Basic " + b64encode(b"pixel-connector-check:nobody").decode()}


@dataclass(frozen=True, slots=True)
class Preflight:
    """What it found. `store_url` is where the store really lives, after its redirects."""

    store_url: str
    checks: list[Check]

    @property
    def passes(self) -> bool:
        """Whether the owner can go on."""
        return may_continue(self.checks)


def preflight(services: Services, typed: str) -> Preflight | None:
    """Look at the store. None when what was typed is no address. Calls it a handful of times; takes seconds."""
    asked = read_store_url(typed)
    if asked is None:
        return None
    store_url, index = _find(services, asked, typed)
    front = fetch(services, OutgoingRequest("GET", store_url + "/", _HTML))
    seen = Seen(
        store_url=store_url,
        own_url=services.own_url,
        allow_private=services.allow_private,
        now=services.now(),
        own=_own_address(services),
        index=index,
        plain_index=None if _is_ok(index) else _plain_index(services, store_url),
        front=front,
        authorisation=_whoami(services, store_url),
    )
    return Preflight(store_url, run_checks(seen))


def _find(services: Services, asked: str, typed: str) -> tuple[str, Reply | StoreFault]:
    """Follow the store's own redirects (www, https), each hop guarded; http when https was only our guess."""
    url, index = _followed(services, asked)
    guessed = "://" not in typed
    if isinstance(index, StoreFault) and index.kind == "unreachable" and guessed:
        plain_url, plain = _followed(services, "http" + asked.removeprefix("https"))
        if not isinstance(plain, StoreFault):
            return plain_url, plain
    return url, index


def _followed(services: Services, url: str) -> tuple[str, Reply | StoreFault]:
    for _ in range(_MOST_REDIRECTS + 1):
        reply = fetch(services, OutgoingRequest("GET", f"{url}/wp-json/?{_FIELDS}"))
        if isinstance(reply, StoreFault) or reply.status not in (301, 302, 303, 307, 308):
            break
        target = read_store_url(urljoin(f"{url}/wp-json/", reply.headers.get("location", "")))
        if target is None or target == url or urlsplit(target).scheme not in ("http", "https"):
            break
        if url.startswith("https://") and target.startswith("http://"):
            break  # no store is followed from https down to http
        url = target
    return url, reply


def _plain_index(services: Services, store_url: str) -> Reply | StoreFault:
    """The same index under the address that works with plain permalinks too."""
    return fetch(services, OutgoingRequest("GET", f"{store_url}/?rest_route=/&{_FIELDS}"))


def _own_address(services: Services) -> Reply | StoreFault:
    """Our own address from outside; it is the operator's, so only development may be unguarded here."""
    request = OutgoingRequest("GET", services.own_url + "/healthz")
    try:
        return services.calls(request, timeout_seconds=services.store_timeout, guarded=False)
    except (SendFailed, AddressRefused):
        return StoreFault("unreachable", 0)


def _whoami(services: Services, store_url: str) -> Reply | StoreFault:
    """WordPress' own answer to a Basic header, where it reads one: https only."""
    if not store_url.startswith("https://"):
        return StoreFault("not_asked", 0)
    return fetch(services, OutgoingRequest("GET", f"{store_url}/wp-json/wp/v2/users/me", _NOBODY))


def _is_ok(answer: Reply | StoreFault) -> bool:
    return not isinstance(answer, StoreFault) and answer.status == 200
