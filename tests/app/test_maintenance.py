"""Everything periodic, as a server runs it: threads, a real store, a real receiver, on both databases."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from sqlalchemy import insert, select

from connector.app.maintenance import MaintenanceThread
from connector.demo.store_stand_in import StoreWebhook
from connector.outbound import Outbound
from connector.settings import Settings
from connector.storage.opening import Storage
from connector.storage.tables_install import ScriptTag, StoreAccess
from connector.storage.tables_reconcile import MaintenanceTask, ReconcileRun
from tests.clock import Clock
from tests.operations.history_rows import add_history, webhook_row
from tests.operations.stores import connect, store_on
from tests.road.road import webhooks


class _Receiver(BaseHTTPRequestHandler):
    refusals = 0  # how many more pings it refuses

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.send_response(503 if _Receiver.refusals > 0 else 200)
        _Receiver.refusals -= 1
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        return


@pytest.fixture
def receiver() -> Iterator[str]:
    """Our own public address, answering pings."""
    server = HTTPServer(("127.0.0.1", 0), _Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """The real one: leases and OAuth look at it from several threads."""
    return lambda: datetime.now(UTC)


def _until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not come to that within half a minute"
        time.sleep(0.02)


def _rows(storage: Storage, table: Any) -> list[Any]:
    with storage.database.read() as connection:
        return list(connection.execute(select(table.__table__)))


def _maintenance(storage: Storage, settings: Settings, own_url: str) -> MaintenanceThread:
    moved = settings.model_copy(update={"public_url": own_url})
    return MaintenanceThread(storage, lambda: Outbound(allow_private=True), moved)


def test_a_server_looks_after_its_stores_by_itself(storage: Storage, settings: Settings, receiver: str) -> None:
    past = Clock(datetime.now(UTC) - timedelta(minutes=20))
    with store_on(past) as store:
        record = connect(storage, store)
        order_id = store.place_order()  # before we had webhooks there
        past.time = datetime.now(UTC)
        with storage.database.write() as connection:
            access = {"installation_id": record.id, "authentication": "oauth", "keys_work": True}
            connection.execute(insert(StoreAccess.__table__), access | {"facts": "{}", "plugin": ""})
        (expired,) = add_history(storage, datetime.now(UTC) - timedelta(days=31))

        maintenance = _maintenance(storage, settings, receiver)
        maintenance.start()
        try:
            _until(lambda: {"hourly", "revived"} <= {r.reason for r in _rows(storage, ReconcileRun)})
            _until(lambda: all(run.state == "done" for run in _rows(storage, ReconcileRun)))
            _until(lambda: webhook_row(storage, expired).body_encoding == "expired")
            _until(lambda: [row.seen_at == row.checked_at for row in _rows(storage, ScriptTag)] == [False])
        finally:
            maintenance.stop()

    assert {(webhook.topic, webhook.status) for webhook in store.webhooks.values()} >= {
        ("order.created", "active"),
        ("order.updated", "active"),
    }
    fetched = [row for row in webhooks(storage) if row.source == "reconcile"]
    assert [bytes(row.body).startswith(b'{"id":%d,' % order_id) for row in fetched] == [True]
    results = {row.name: row.result for row in _rows(storage, MaintenanceTask)}
    assert results["watch_webhooks"] == "1 stores, 1 mended"
    assert results["watch_storefronts"] == "1 looked at, 0 mended"
    assert not [name for name, result in results.items() if result.startswith("fault:")]


def test_webhooks_that_wait_for_our_receiver_are_asked_for_again_soon(
    storage: Storage, settings: Settings, receiver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.app.maintenance._ASK_AGAIN", timedelta(0))
    past = Clock(datetime.now(UTC))
    with store_on(past) as store:
        record = connect(storage, store)
        with storage.database.write() as connection:
            access = {"installation_id": record.id, "authentication": "oauth", "keys_work": True}
            connection.execute(insert(StoreAccess.__table__), access | {"facts": "{}", "plugin": ""})
        monkeypatch.setattr(_Receiver, "refusals", 2)
        address = f"{receiver}/webhooks/woocommerce/{record.id}"
        store.webhooks[900] = StoreWebhook(900, "order.updated", address, "s" * 32, "Pixel Connector", "disabled")
        maintenance = _maintenance(storage, settings, receiver)
        maintenance.start()
        try:
            _until(lambda: store.webhooks[900].status == "active")
        finally:
            maintenance.stop()


def test_a_store_that_fails_stops_nothing(storage: Storage, settings: Settings, receiver: str) -> None:
    past = Clock(datetime.now(UTC))
    with store_on(past) as store:
        connect(storage, store)
        store.keys.clear()
        maintenance = _maintenance(storage, settings, receiver)
        maintenance.start()
        _until(lambda: [run.state for run in _rows(storage, ReconcileRun)] == ["failed"])
        names = {"compare_orders", "watch_webhooks", "retention"}
        _until(lambda: {row.name for row in _rows(storage, MaintenanceTask) if row.finished_at} >= names)
        maintenance.stop()


def test_two_servers_do_not_do_it_twice(
    make_storage: Callable[[], Storage], settings: Settings, receiver: str
) -> None:
    first, second = make_storage(), make_storage()
    past = Clock(datetime.now(UTC))
    with store_on(past) as store:
        connect(first, store)
        both = [_maintenance(storage, settings, receiver) for storage in (first, second)]
        for one in both:
            one.start()
        _until(lambda: [run.state for run in _rows(first, ReconcileRun)] == ["done"])
        for one in both:
            one.stop()

    assert len(_rows(first, ReconcileRun)) == 1
    leases = [row for row in _rows(first, MaintenanceTask) if row.name.startswith("lease:")]
    assert all(row.lease_until <= datetime.now(UTC) for row in leases)
