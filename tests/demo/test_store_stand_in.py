"""The stand-in store does what was recorded of WooCommerce 9.9.5."""

import base64
import hmac
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from connector.demo.store_stand_in import StandInStore


class Receiver:
    """Takes what the store sends and answers what it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.taken: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Taker(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(outer.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def store() -> Iterator[StandInStore]:
    with StandInStore(looks_https=True, demands_https_callback=False) as running:
        yield running


@pytest.fixture
def api(store: StandInStore) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=store.url + "/wp-json/wc/v3", auth=store.new_keys(), trust_env=False) as client:
        yield client


def subscribe(api: httpx.Client, receiver: Receiver, topic: str = "order.updated") -> dict[str, Any]:
    body = {"topic": topic, "delivery_url": receiver.url, "secret": "hush", "name": "n"}
    made = api.post("/webhooks", json=body)
    assert made.status_code == 201, made.text
    return dict(made.json())


def test_a_webhook_is_pinged_without_signature_before_its_creation_is_answered(
    api: httpx.Client, receiver: Receiver
) -> None:
    made = subscribe(api, receiver)

    ((headers, body),) = receiver.taken
    assert body == f"webhook_id={made['id']}".encode()
    assert "x-wc-webhook-signature" not in headers
    assert "secret" not in made


def test_a_ping_that_got_201_is_repeated_after_every_delivery(
    store: StandInStore, api: httpx.Client, receiver: Receiver
) -> None:
    receiver.status = 201
    subscribe(api, receiver)
    for number in range(3):
        store.happen("order.updated", str(number + 1000))
    store.run_queue()

    assert [one.is_ping for one in store.deliveries] == [True, False, True, False, True, False, True]


def test_deliveries_are_signed_over_their_bytes(store: StandInStore, api: httpx.Client, receiver: Receiver) -> None:
    subscribe(api, receiver)
    store.place_order()
    store.run_queue()

    headers, body = receiver.taken[-1]
    expected = base64.b64encode(hmac.digest(b"hush", body, "sha256")).decode()
    assert headers["x-wc-webhook-signature"] == expected
    assert headers["x-wc-webhook-topic"] == "order.updated"


def test_the_seventh_failure_in_a_row_switches_off_and_reviving_resets_nothing(
    store: StandInStore, api: httpx.Client, receiver: Receiver
) -> None:
    made = subscribe(api, receiver)
    receiver.status = 500
    for number in range(6):
        store.happen("order.updated", str(number))
        store.run_queue()
    assert store.webhooks[made["id"]].status == "active"
    store.happen("order.updated", "7")
    store.run_queue()
    assert store.webhooks[made["id"]].status == "disabled"

    api.put(f"/webhooks/{made['id']}", json={"status": "active"})
    store.happen("order.updated", "8")
    store.run_queue()

    assert store.webhooks[made["id"]].status == "disabled"


def test_one_success_resets_the_count(store: StandInStore, api: httpx.Client, receiver: Receiver) -> None:
    made = subscribe(api, receiver)
    for status in (500, 500, 302):
        receiver.status = status
        store.happen("order.updated", f"{status}")
        store.run_queue()

    assert store.webhooks[made["id"]].failures == 0


def test_events_of_one_second_share_their_delivery_id(
    store: StandInStore, api: httpx.Client, receiver: Receiver
) -> None:
    moment = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    store.clock = lambda: moment
    subscribe(api, receiver)
    for number in range(3):
        store.happen("order.updated", str(number))
    store.run_queue()

    ids = {headers["x-wc-webhook-delivery-id"] for headers, _ in receiver.taken[1:]}
    assert (len(receiver.taken), len(ids)) == (4, 1)


def test_bodies_are_built_when_they_are_sent(store: StandInStore, api: httpx.Client, receiver: Receiver) -> None:
    subscribe(api, receiver)
    order = store.place_order("pending")
    store.change_order(order, status="completed")
    store.run_queue()

    assert len(receiver.taken) == 2  # the ping, and one merged delivery
    assert b'"status":"completed"' in receiver.taken[1][1]


def test_an_order_that_is_gone_is_delivered_as_a_signed_error(
    store: StandInStore, api: httpx.Client, receiver: Receiver
) -> None:
    subscribe(api, receiver)
    order = store.place_order()
    del store.orders[order]
    store.run_queue()

    headers, body = receiver.taken[1]
    assert b"woocommerce_rest_shop_order_invalid_id" in body
    assert "x-wc-webhook-signature" in headers


@pytest.mark.parametrize(
    ("switches", "auth", "status"),
    [
        ({}, "good", 200),
        ({}, "bad secret", 401),
        ({}, "none", 401),
        ({"looks_https": False}, "good", 401),
        ({"drops_authorization": True}, "good", 401),
        ({"plain_permalinks": True}, "good", 404),
    ],
)
def test_keys_count_as_in_the_real_store(
    store: StandInStore, switches: dict[str, bool], auth: str, status: int
) -> None:
    key, secret = store.new_keys()
    for name, value in switches.items():
        setattr(store, name, value)
    pair = {"good": (key, secret), "bad secret": (key, "cs_" + "0" * 40), "none": None}[auth]

    answer = httpx.get(store.url + "/wp-json/wc/v3/orders", auth=pair, trust_env=False)

    assert answer.status_code == status


def test_keys_in_the_query_work_where_the_header_is_dropped(store: StandInStore) -> None:
    store.drops_authorization = True
    key, secret = store.new_keys()

    answer = httpx.get(
        store.url + "/wp-json/wc/v3/orders",
        params={"consumer_key": key, "consumer_secret": secret},
        trust_env=False,
    )

    assert answer.status_code == 200


def test_deleting_needs_force_and_topics_are_checked(api: httpx.Client, receiver: Receiver) -> None:
    made = subscribe(api, receiver)

    assert api.delete(f"/webhooks/{made['id']}").status_code == 501
    assert api.delete(f"/webhooks/{made['id']}", params={"force": "true"}).status_code == 200
    assert api.delete(f"/webhooks/{made['id']}", params={"force": "true"}).status_code == 404
    unknown = api.post("/webhooks", json={"topic": "cart.item_added", "delivery_url": receiver.url})
    assert unknown.json()["code"] == "woocommerce_rest_shop_webhook_invalid_topic"


@pytest.mark.parametrize(
    ("shift", "suffix", "gmt", "found"),
    [(0, "", "true", 1), (0, "Z", None, 1), (1, "Z", "true", 0), (1, "", None, 1)],
)
def test_modified_after_has_the_real_stores_traps(
    store: StandInStore, api: httpx.Client, shift: int, suffix: str, gmt: str | None, found: int
) -> None:
    moment = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    store.clock = lambda: moment
    store.gmt_offset_hours = shift
    store.place_order()
    after = (moment - timedelta(minutes=30)).replace(tzinfo=None).isoformat()
    query = {"modified_after": after + suffix} | ({"dates_are_gmt": gmt} if gmt else {})

    assert len(api.get("/orders", params=query).json()) == found


def test_a_http_callback_is_refused_as_the_real_store_does() -> None:
    with StandInStore() as strict:
        query = {
            "app_name": "A",
            "scope": "read_write",
            "user_id": "u",
            "return_url": "https://c.example/r",
            "callback_url": "http://c.example/c",
        }
        answer = httpx.get(strict.url + "/wc-auth/v1/authorize", params=query, trust_env=False)

    assert answer.status_code == 401
    assert "over SSL" in answer.text


def test_only_200_lets_a_key_live(store: StandInStore, receiver: Receiver) -> None:
    receiver.status = 204
    query = {
        "app_name": "A",
        "scope": "read_write",
        "user_id": "u",
        "return_url": receiver.url,
        "callback_url": receiver.url,
    }

    answer = httpx.get(store.url + "/wc-auth/v1/access_granted/", params=query, trust_env=False)

    assert answer.status_code == 401
    assert store.keys == {}
