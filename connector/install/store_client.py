"""Asking a store: a `Call` and its reader become one question, and everything that can go wrong a `StoreFault`."""

import secrets
from collections.abc import Callable
from typing import TypeVar

from connector.core.http_values import OutgoingRequest, Reply
from connector.errors import AddressRefused, SendFailed
from connector.install.services import Services
from connector.platforms.woocommerce.connect import StoreKeys
from connector.platforms.woocommerce.rest import Access, Authentication, Moment, StoreFault, rest_request
from connector.platforms.woocommerce.store_api import Call, SystemStatus, read_system_status, system_status

__all__ = ["StoreClient", "fetch", "find_access"]

_Value = TypeVar("_Value")
# Over https Basic first, then the query for servers that drop the header; over http only OAuth counts. A proxy
# that does not tell PHP of its TLS makes an https shop look like http to WooCommerce: OAuth still works there.
_WAYS = {
    "https": (Authentication.BASIC, Authentication.QUERY, Authentication.OAUTH),
    "http": (Authentication.OAUTH,),
}


def fetch(services: Services, request: OutgoingRequest, timeout_seconds: float | None = None) -> Reply | StoreFault:
    """One guarded call; no answer is a fault of the kind `unreachable`, with the reason as its code."""
    timeout = services.store_timeout if timeout_seconds is None else timeout_seconds
    try:
        return services.calls(request, timeout_seconds=timeout, guarded=True)
    except AddressRefused:
        return StoreFault("address_refused", 0)
    except SendFailed as error:
        return StoreFault("unreachable", 0, code=str(error)[:80])


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
