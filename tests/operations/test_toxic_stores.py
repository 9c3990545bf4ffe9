"""A bad network between us and a store: what is missing is fetched once, and one silent store delays no other."""

import time
from datetime import timedelta

import pytest

from connector.core.http_values import OutgoingRequest, Reply
from connector.demo.store_stand_in import StandInStore
from connector.errors import StoreRefused
from connector.operations.backfill import ask_for_one, run_waiting
from connector.operations.calls import LoopCalls
from connector.operations.reconcile import reconcile
from connector.storage.installations import change_installation, find_installation
from connector.storage.opening import Storage
from tests.clock import Clock
from tests.operations.stores import calls, connect, orders_of, store_on
from tests.road.road import events, process, webhooks
from tests.toxic import TOXINS, ToxicProxy

_PATIENCE = 0.3


class _Impatient:
    """Calls that wait for a moment only; notes when each was made."""

    def __init__(self, running: LoopCalls) -> None:
        self._running = running
        self.made: list[tuple[str, float]] = []

    def __call__(self, request: OutgoingRequest, *, timeout_seconds: float, guarded: bool) -> Reply:
        self.made.append((request.url, time.monotonic()))
        return self._running(request, timeout_seconds=min(timeout_seconds, _PATIENCE), guarded=guarded)


def _moved(storage: Storage, installation_id: str, url: str) -> None:
    """Its store is reached by another address from now on."""
    with storage.database.write() as connection:
        change_installation(connection, installation_id, storage.now(), store_url=url)


@pytest.mark.parametrize("toxin", TOXINS)
def test_every_order_is_fetched_once_when_the_network_is_well_again(
    storage: Storage, store: StandInStore, toxin: str
) -> None:
    connect(storage, store)
    wanted = [str(store.place_order()) for _ in range(3)]
    with ToxicProxy(store.port, toxin) as proxy, calls() as running:
        store.home = proxy.url  # it signs its own name of itself
        _moved(storage, "installation1", proxy.url)
        with storage.database.read() as connection:
            record = find_installation(connection, "installation1")
        assert record is not None
        orders = orders_of(storage, record, running)
        orders.timeout_seconds = _PATIENCE
        since, began = storage.now() - timedelta(days=1), time.monotonic()
        kinds: set[str] = set()
        try:
            reconcile(storage, record, orders, since)
        except StoreRefused as refused:
            kinds.add(refused.kind)
        assert time.monotonic() - began < 4 * _PATIENCE + 1.5
        proxy.mood = "ok"
        proxy.forget()
        report = reconcile(storage, record, orders, since)
    process(storage)
    assert kinds <= {"unreachable", "garbage"}
    assert report.paid == 3
    assert sorted(event.order_id for event in events(storage)) == sorted(wanted)
    assert len(webhooks(storage)) == 3


def test_a_store_that_never_answers_delays_no_other(storage: Storage, clock: Clock, store: StandInStore) -> None:
    with store_on(clock) as other, ToxicProxy(store.port, "black_hole") as proxy, calls() as running:
        connect(storage, store, "silent")
        connect(storage, other, "talking")
        _moved(storage, "silent", proxy.url)
        other.place_order()
        for name in ("silent", "talking"):  # the silent one is first in the line
            ask_for_one(storage, name, None)
        impatient, began = _Impatient(running), time.monotonic()
        assert run_waiting(storage, impatient, lambda _seconds: None, lambda: True) == 2
    asked = {url: at - began for url, at in reversed(impatient.made)}
    assert min(at for url, at in asked.items() if url.startswith(other.url)) < _PATIENCE
    assert sum(url.startswith(proxy.url) for url, _ in impatient.made) == 2, "and is not asked for ever"
    assert [webhook.installation_id for webhook in webhooks(storage)] == ["talking"]
