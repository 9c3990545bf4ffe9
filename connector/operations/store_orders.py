"""A store's orders, page by page, in the order of their last change, while they go on changing.

Pages are not numbered but follow one another by the time of change: an order that changes meanwhile moves to the
end and would push another one over the edge of a numbered page, past the reader. Only when more orders share one
moment than a page holds do numbers help out. An order may come twice.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import orjson
from sqlalchemy import select

from connector.core.http_values import OutgoingRequest, Reply
from connector.errors import AddressRefused, SendFailed, StoreRefused
from connector.platforms.woocommerce.connect import StoreKeys
from connector.platforms.woocommerce.fields import utc
from connector.platforms.woocommerce.rest import Access, Authentication, Moment, StoreFault, rest_request
from connector.platforms.woocommerce.store_api import OrdersPage, orders_page, read_orders_page
from connector.storage.installations import InstallationRecord, open_credentials
from connector.storage.opening import Storage
from connector.storage.tables_install import StoreAccess

__all__ = ["Calls", "StoreOrders", "store_access"]

_access = StoreAccess.__table__  # type: ignore[attr-defined]
_TIMEOUT_SECONDS = 60.0
_WAITS = (1.0, 4.0, 15.0)  # seconds before another try
_PASSING = frozenset({"unreachable", "unavailable", "garbage"})
_BEHIND, _MOST_BEHIND = timedelta(seconds=30), timedelta(days=7)
_SIZES = (100, 25, 5, 1)  # orders a page; smaller ones when an answer is too large
_WORDS = {
    "unauthorised": "the store does not know our keys any more: connect it again",
    "forbidden": "the store's keys may not read orders: connect it again",
    "not_found": "the store has no order API at its address",
    "moved": "the store answers with a redirect: its address has changed",
    "address_refused": "the store's address is private, local or reserved",
}


class Calls(Protocol):
    """Makes one call and waits for it. Raises SendFailed and AddressRefused."""

    def __call__(self, request: OutgoingRequest, *, timeout_seconds: float, guarded: bool) -> Reply:
        """`guarded` for addresses that a stranger typed."""
        ...


def store_access(storage: Storage, record: InstallationRecord) -> Access:
    """The store with its keys. Raises StoreRefused (`no_keys`) when the installation has none."""
    now, ring = storage.now(), storage.keys
    with storage.database.read() as connection:
        keys = open_credentials(connection, ring, record.id, "consumer_key", now)
        secret = open_credentials(connection, ring, record.id, "consumer_secret", now)
        way = connection.execute(
            select(_access.c.authentication).where(_access.c.installation_id == record.id)
        ).scalar()
    if record.platform != "woocommerce" or not keys or not secret:
        raise StoreRefused("no_keys", "there are no keys for this store's API: connect it by its authorise page")
    usual = Authentication.BASIC if record.store_url.startswith("https://") else Authentication.OAUTH
    return Access(record.store_url, StoreKeys(keys[0], secret[0]), Authentication(way) if way else usual)


@dataclass
class StoreOrders:
    """One store to be asked. `sleep` waits before another try; `on_page` hears how many orders there are in all."""

    access: Access
    calls: Calls
    now: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep
    timeout_seconds: float = _TIMEOUT_SECONDS

    def __post_init__(self) -> None:
        self._size = 0

    def changed(self, since: datetime, until: datetime | None) -> Iterator[tuple[bytes, ...]]:
        """Pages of orders changed after `since` and before `until`, each order as JSON. Raises StoreRefused."""
        cursor, number = since, 1
        page, size = self._page(cursor, until, number)
        behind = self._behind(page)
        if behind:
            cursor = since - behind
            page, size = self._page(cursor, until, number)
        while True:
            if page.orders:
                yield page.orders
            if page.is_last(number, size):
                return
            last = _modified(page.orders[-1]) if page.orders else None
            if last is not None and last > cursor:
                cursor, number = last, 1
            else:
                number += 1
            page, size = self._page(cursor, until, number)

    def _behind(self, page: OrdersPage) -> timedelta:
        """How far the store's clock is behind ours: by that clock it stamps what `since` is compared with. One that
        is ahead stamps its changes later and is asked for them again, with the runs to come.
        """
        lag = self.now() - page.told_at if page.told_at is not None else timedelta()
        return min(lag, _MOST_BEHIND) if lag > _BEHIND else timedelta()

    def _page(self, cursor: datetime, until: datetime | None, number: int) -> tuple[OrdersPage, int]:
        """One page and how many orders it could hold. After a change of size a numbered page begins anew."""
        while True:
            size = _SIZES[self._size]
            call = orders_page(cursor, page=number, per_page=size, modified_before=until)
            found = self._asked(call.method, call.path, dict(call.query))
            if isinstance(found, OrdersPage):
                return found, size
            if found.code == "too_large" and self._size + 1 < len(_SIZES):
                self._size += 1
                number = (number - 1) * size // _SIZES[self._size] + 1
                continue
            raise StoreRefused(found.kind, _WORDS.get(found.kind, "the store does not answer as it should"))

    def _asked(self, method: str, path: str, query: dict[str, str]) -> OrdersPage | StoreFault:
        found = self._once(method, path, query)
        for seconds in _WAITS:
            if isinstance(found, OrdersPage) or found.kind not in _PASSING or found.code == "too_large":
                break
            if found.code == "timeout" and seconds != _WAITS[0]:
                break  # who says nothing for two minutes is asked again by the next run
            self.sleep(seconds)
            found = self._once(method, path, query)
        return found

    def _once(self, method: str, path: str, query: dict[str, str]) -> OrdersPage | StoreFault:
        moment = Moment(secrets.token_hex(16), int(self.now().timestamp()))
        request = rest_request(self.access, method, path, moment, query=query)
        try:
            reply = self.calls(request, timeout_seconds=self.timeout_seconds, guarded=True)
        except AddressRefused:
            return StoreFault("address_refused", 0)
        except SendFailed as error:
            return StoreFault("unreachable", 0, code=error.reason)
        return read_orders_page(reply)


def _modified(order: bytes) -> datetime | None:
    return utc(orjson.loads(order).get("date_modified_gmt"))
