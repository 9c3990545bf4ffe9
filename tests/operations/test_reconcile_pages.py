"""Pages of orders from stores that are not as one would wish: nothing is left out in silence."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import orjson
import pytest

from connector.core.http_values import OutgoingRequest, Reply
from connector.demo.store_stand_in import StandInStore
from connector.errors import StoreRefused
from connector.operations.calls import LoopCalls
from connector.operations.gap_report import GapReport
from connector.operations.reconcile import reconcile
from connector.operations.store_orders import StoreOrders, store_access
from connector.platforms.woocommerce.rest import Authentication
from connector.storage.installations import InstallationRecord
from connector.storage.opening import Storage
from connector.storage.reconciling import last_runs
from tests.clock import Clock
from tests.operations.stores import calls, compare, connect, store_on
from tests.road.road import webhooks


@dataclass
class _Changed:
    """Calls whose answers are changed on their way, counted from 1."""

    running: LoopCalls
    change: Callable[[int, Reply], Reply]
    made: list[str] = field(default_factory=list)

    def __call__(self, request: OutgoingRequest, *, timeout_seconds: float, guarded: bool) -> Reply:
        self.made.append(request.url)
        reply = self.running(request, timeout_seconds=timeout_seconds, guarded=guarded)
        return self.change(len(self.made), reply)


def _compare(storage: Storage, record: InstallationRecord, change: Callable[[int, Reply], Reply]) -> GapReport:
    with calls() as running:
        orders = StoreOrders(store_access(storage, record), _Changed(running, change), storage.now, lambda _: None)
        return reconcile(storage, record, orders, storage.now() - timedelta(days=2))


def _place(store: StandInStore, clock: Clock, count: int, seconds: int = 10) -> None:
    for _ in range(count):
        store.place_order()
        clock.advance(seconds=seconds)


@pytest.mark.parametrize("body", [b'{"code":"maintenance"}', b"{}", b"null", b'"<html>"', b"<html>", b""])
def test_an_answer_that_is_no_list_of_orders_ends_no_run_well(
    storage: Storage, store: StandInStore, record: InstallationRecord, clock: Clock, body: bytes
) -> None:
    """A firewall's page or a plugin's own JSON, with 200, in the middle of the pages."""
    _place(store, clock, 120)
    with pytest.raises(StoreRefused) as refused:
        _compare(storage, record, lambda number, reply: reply if number == 1 else Reply(200, reply.headers, body))

    assert refused.value.kind == "garbage"
    with storage.database.read() as connection:
        assert [(run.state, run.fault, run.until) for run in last_runs(connection, record.id)] == [
            ("failed", "garbage", None)
        ]
    assert len(webhooks(storage)) == 100, "what was read before stays"
    assert compare(storage, record, clock() - timedelta(days=2)).fetched == 20


@pytest.mark.parametrize(("status", "kind"), [(401, "unauthorised"), (500, "unavailable"), (503, "unavailable")])
def test_a_store_that_fails_in_the_middle_is_told(
    storage: Storage, store: StandInStore, record: InstallationRecord, clock: Clock, status: int, kind: str
) -> None:
    _place(store, clock, 120)
    with pytest.raises(StoreRefused) as refused:
        _compare(storage, record, lambda number, reply: reply if number == 1 else Reply(status, {}, b"{}"))

    assert refused.value.kind == kind
    assert compare(storage, record, clock() - timedelta(days=2)).paid == 120


@pytest.mark.parametrize("seconds", [10, 0])
def test_orders_that_the_store_hides_end_no_page_early(
    storage: Storage, store: StandInStore, record: InstallationRecord, clock: Clock, seconds: int
) -> None:
    """WooCommerce leaves out of a full page what the key may not read, or what no plugin knows any more."""
    _place(store, clock, 250, seconds)

    def without_some(_number: int, reply: Reply) -> Reply:
        shown = [order for order in orjson.loads(reply.body) if order["id"] % 7]
        return Reply(reply.status, reply.headers, orjson.dumps(shown))

    report = _compare(storage, record, without_some)

    assert report.paid == sum(number % 7 != 0 for number in store.orders)


def test_a_page_of_which_all_is_hidden_ends_nothing(
    storage: Storage, store: StandInStore, record: InstallationRecord, clock: Clock
) -> None:
    _place(store, clock, 220)
    first_hundred = set(sorted(store.orders)[:100])

    def without_the_first(_number: int, reply: Reply) -> Reply:
        shown = [order for order in orjson.loads(reply.body) if order["id"] not in first_hundred]
        return Reply(reply.status, reply.headers, orjson.dumps(shown))

    assert _compare(storage, record, without_the_first).paid == 120


def test_a_store_that_gives_smaller_pages_than_asked_for_is_read_to_its_end(
    storage: Storage, store: StandInStore, record: InstallationRecord, clock: Clock
) -> None:
    store.largest_page = 40
    _place(store, clock, 130)

    assert compare(storage, record, clock() - timedelta(days=2)).paid == 130


def test_without_the_headers_of_the_pages_a_full_page_means_another(
    storage: Storage, store: StandInStore, record: InstallationRecord, clock: Clock
) -> None:
    _place(store, clock, 130)

    report = _compare(storage, record, lambda _number, reply: Reply(reply.status, {}, reply.body))

    assert report.paid == 130


@pytest.mark.parametrize("hours", [-5, -2, 3])
def test_a_store_whose_clock_is_wrong_is_asked_by_its_own(storage: Storage, clock: Clock, hours: float) -> None:
    """It stamps its changes by that clock, and tells it with every answer."""
    with store_on(Clock(clock() + timedelta(hours=hours)), looks_https=True) as store, calls() as running:
        record = connect(storage, store)
        access = replace(store_access(storage, record), authentication=Authentication.BASIC)
        store.place_order()
        orders = StoreOrders(access, running, storage.now, lambda _: None)

        assert reconcile(storage, record, orders, clock() - timedelta(hours=1)).paid == 1
