"""Asking a store: a `Call` and its reader become one question, and everything that can go wrong a `StoreFault`."""

import secrets
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

from connector.core.http_values import OutgoingRequest, Reply
from connector.errors import AddressRefused, SendFailed
from connector.install.services import Services
from connector.outbound import MAX_ANSWER_BYTES
from connector.platforms.woocommerce.connect import StoreKeys
from connector.platforms.woocommerce.rest import Access, Authentication, Moment, StoreFault, rest_request
from connector.platforms.woocommerce.store_api import Call, SystemStatus, read_system_status, system_status

__all__ = ["REDIRECTS", "StoreClient", "fetch", "fetch_page", "find_access"]

_Value = TypeVar("_Value")
# Over https Basic first, then the query for servers that drop the header; over http only OAuth counts. A proxy
# that does not tell PHP of its TLS makes an https shop look like http to WooCommerce: signed as such it works there.
_WAYS = {
    "https": (Authentication.BASIC, Authentication.QUERY, Authentication.OAUTH, Authentication.PROXIED),
    "http": (Authentication.OAUTH,),
}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3
_PAGE_BYTES = 4 * 1024 * 1024  # page builders write much into a page


def fetch(
    services: Services,
    request: OutgoingRequest,
    timeout_seconds: float | None = None,
    max_answer_bytes: int = MAX_ANSWER_BYTES,
) -> Reply | StoreFault:
    """One guarded call; no answer is a fault of the kind `unreachable`, with the reason as its code."""
    timeout = services.store_timeout if timeout_seconds is None else timeout_seconds
    try:
        return services.calls(request, timeout_seconds=timeout, guarded=True, max_answer_bytes=max_answer_bytes)
    except AddressRefused:
        return StoreFault("address_refused", 0)
    except SendFailed as error:
        return StoreFault("unreachable", 0, code=str(error)[:80])


def fetch_page(services: Services, url: str, timeout_seconds: float | None = None) -> Reply | StoreFault:
    """A page as a visitor gets it, behind its redirects (`/` to `/en/`), each of them guarded anew."""
    for _ in range(_MOST_REDIRECTS + 1):
        request = OutgoingRequest("GET", url, {"Accept": "text/html"})
        page = fetch(services, request, timeout_seconds, _PAGE_BYTES)
        if isinstance(page, StoreFault) or page.status not in REDIRECTS:
            break
        target = urljoin(url, page.headers.get("location", ""))
        if target == url or urlsplit(target).scheme not in ("http", "https"):
            break
        url = target
    return page


class StoreClient:
    """One store, with its keys."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self.access = access

    def ask(
        self, call: Call, read: Callable[[Reply], _Value | StoreFault], timeout_seconds: float | None = None
    ) -> _Value | StoreFault:
        """Make the call and read the answer. Reading calls are tried once more when no answer came."""
        found = self._once(call, timeout_seconds)
        if isinstance(found, StoreFault) and found.kind == "unreachable" and call.method == "GET":
            found = self._once(call, timeout_seconds)
        return found if isinstance(found, StoreFault) else read(found)

    def _once(self, call: Call, timeout_seconds: float | None) -> Reply | StoreFault:
        moment = Moment(secrets.token_hex(16), int(self._services.now().timestamp()))
        request = rest_request(self.access, call.method, call.path, moment, query=call.query, body=call.body)
        return fetch(self._services, request, timeout_seconds)


def find_access(
    services: Services, store_url: str, keys: StoreKeys, timeout_seconds: float | None = None
) -> tuple[Access, SystemStatus] | StoreFault:
    """Whether these keys open this very store, and in which way. The fault is the first way's when none works."""
    fault: StoreFault | None = None
    for way in _WAYS[store_url.partition(":")[0]]:
        access = Access(store_url, keys, way)
        status = StoreClient(services, access).ask(system_status(), read_system_status, timeout_seconds)
        if isinstance(status, SystemStatus):
            return access, status
        fault = fault or status
        if status.kind not in ("unauthorised", "forbidden"):
            break
    return fault or StoreFault("unreachable", 0)
