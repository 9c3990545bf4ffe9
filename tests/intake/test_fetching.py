"""A platform whose webhooks only name what changed, from a signed request over the socket to an event."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy import update

from connector.intake.fetching import Fetching
from connector.intake.processing import Processor
from connector.platforms import PLATFORMS
from connector.platforms.base import IncomingWebhook
from connector.storage.installations import add_credential
from connector.storage.opening import Storage
from connector.storage.tables import Installation
from tests.clock import Clock
from tests.installations import SECRET, add_installation
from tests.platforms.naming_platform import NamingPlatform, signed
from tests.road.road import arrive_body, events, process, webhooks

NAMED = json.dumps({"scope": "store/order/created", "data": {"type": "order", "id": 118}}).encode()
ORDER = {
    "id": "118",
    "cart_id": "cart-1",
    "currency_code": "EUR",
    "total_inc_tax": "41.20",
    "email": "zoe@example.com",
}


class Store(HTTPServer):
    """Answers with `status` and the order; remembers what it was asked."""

    def __init__(self) -> None:
        self.status, self.asked = 200, list[tuple[str, str | None]]()
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Store

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("X-Auth-Token")))
        body = json.dumps(ORDER).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def store(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setitem(PLATFORMS, "naming", NamingPlatform())
    server = Store()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    add_installation(storage)
    with storage.database.write() as connection:
        values = {"platform": "naming", "store_url": f"http://127.0.0.1:{server.server_port}"}
        connection.execute(update(Installation.__table__).values(**values))  # type: ignore[attr-defined]
        add_credential(
            connection, storage.keys, row_id=storage.new_id(), installation_id="installation1", kind="store_token",
            text="opens-it", now=storage.now(),
        )  # fmt: skip
    yield server
    server.shutdown()
    server.server_close()


def _process(storage: Storage) -> None:
    process(storage, Processor(storage, 30.0, fetching=Fetching(storage, allow_private=True)))


def test_what_a_webhook_names_is_fetched_and_becomes_an_event(storage: Storage, store: Store) -> None:
    arrive_body(storage, "store/order/created", NAMED)

    _process(storage)

    assert store.asked == [("/v2/orders/118", "opens-it")]
    assert [(one.topic, one.state, one.reason) for one in webhooks(storage)] == [
        ("store/order/created", "ignored", "fetched"),
        ("order", "processed", ""),
    ]
    assert [(event.state, event.order_id, str(event.value)) for event in events(storage)] == [
        ("pending", "118", "41.20")
    ]


def test_a_store_that_is_down_is_asked_again(storage: Storage, store: Store, clock: Clock) -> None:
    store.status = 503
    arrive_body(storage, "store/order/created", NAMED)
    _process(storage)
    assert [one.state for one in webhooks(storage)] == ["received"]

    store.status = 200
    clock.advance(seconds=60)
    _process(storage)

    assert [event.state for event in events(storage)] == ["pending"]


def test_what_is_gone_from_the_store_is_done_with(storage: Storage, store: Store) -> None:
    store.status = 404
    arrive_body(storage, "store/order/created", NAMED)

    _process(storage)

    assert [(one.state, one.reason) for one in webhooks(storage)] == [("ignored", "fetched")]


def test_without_keys_it_stays_to_be_replayed(storage: Storage, store: Store, clock: Clock) -> None:
    with storage.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM credential WHERE kind = 'store_token'")
    arrive_body(storage, "store/order/created", NAMED)

    for _ in range(8):
        _process(storage)
        clock.advance(seconds=300)

    assert store.asked == []
    assert [(one.state, one.reason) for one in webhooks(storage)] == [("unreadable", "fetch:no_access")]


def test_a_signed_time_may_grow_too_old(clock: Clock) -> None:
    webhook = IncomingWebhook(signed(NAMED, SECRET, clock()), NAMED)
    assert NamingPlatform().verify(webhook, [SECRET], clock()).topic == "store/order/created"
    clock.advance(seconds=600)
    assert NamingPlatform().verify(webhook, [SECRET], clock()).reason == "signature_old"
