"""Copies of a store at another address: told to the owner, and left out once the owner says so."""

import json
from typing import Any

import pytest

from connector.install.owner.notices import decided
from connector.intake.other_addresses import is_other_address, source_host
from connector.platforms import PLATFORMS
from connector.storage.arrivals import Arrival, ArrivalWriter, digest_of
from connector.storage.installations import change_installation
from connector.storage.notices import open_notices
from connector.storage.opening import Storage
from tests.installations import add_installation
from tests.road.road import events, order_body, process, webhooks

STAGING = "https://staging.shop.example/"


def _arrive(storage: Storage, body: bytes, source: str, topic: str = "order.updated") -> None:
    arrival = Arrival(
        id=storage.new_id(),
        installation_id="installation1",
        topic=topic,
        received_at=storage.now(),
        digest=digest_of("installation1", topic, body),
        headers=json.dumps({"x-wc-webhook-source": source}),
        body=body,
    )
    writer = ArrivalWriter(storage.database)
    writer.write([arrival])
    writer.close()


def _notices(storage: Storage) -> list[tuple[str, str]]:
    with storage.database.read() as connection:
        return [(notice.kind, notice.details) for notice in open_notices(connection)]


def _states(storage: Storage) -> list[tuple[str, str, str | None]]:
    return [(event.state, event.reason, event.order_id) for event in events(storage)]


@pytest.mark.parametrize(
    "source",
    [
        "https://shop.example/",
        "http://shop.example/",
        "https://www.shop.example/de/",
        "https://SHOP.example.",
        "",
        "nonsense",
        "http://[broken",
    ],
)
def test_the_stores_own_addresses(storage: Storage, source: str) -> None:
    """Scheme, `www` and language follow whoever ran the store's queue."""
    add_installation(storage, filter_other_addresses=True)
    _arrive(storage, order_body(7), source)
    process(storage)

    assert _states(storage) == [("pending", "", "7")]
    assert _notices(storage) == []


def test_a_copy_elsewhere_is_told_and_still_counted(storage: Storage) -> None:
    add_installation(storage)
    for number in (7, 8):
        _arrive(storage, order_body(number), STAGING)
    process(storage)

    assert _states(storage) == [("pending", "", "7"), ("pending", "", "8")]
    assert _notices(storage) == [("other_address", "staging.shop.example")]


@pytest.mark.parametrize(
    ("store_url", "source", "place"),
    [
        ("https://shop.example", "https://shop.example/staging/", "shop.example/staging"),
        ("https://shop.example", "https://www.shop.example/dev", "shop.example/dev"),
        ("https://shop.example/shop", "https://shop.example/shop-copy/", "shop.example/shop-copy"),
        ("https://shop.example/shop", "https://shop.example/shop/staging/", "shop.example/shop/staging"),
        ("https://shop.example/shop", "https://shop.example/", "shop.example/"),
        ("https://xn--strae-oqa.example", "https://stra\u00dfe-neu.example/", "xn--strae-neu-j1a.example"),
    ],
)
def test_a_copy_in_a_folder_of_the_stores_own_host_is_one(
    storage: Storage, store_url: str, source: str, place: str
) -> None:
    """Where tools that clone a shop put it when they are given no other host."""
    record = add_installation(storage)
    with storage.database.write() as connection:
        change_installation(connection, record.id, storage.now(), store_url=store_url)
    _arrive(storage, order_body(7), source)
    process(storage)
    assert _notices(storage) == [("other_address", place)]

    settings = decided(record, place, is_copy=True)
    assert settings is not None
    with storage.database.write() as connection:
        change_installation(connection, record.id, storage.now(), settings=settings)
    _arrive(storage, order_body(8), source)
    _arrive(storage, order_body(9), store_url + "/de/")
    process(storage)
    assert _states(storage) == [("pending", "", "7"), ("filtered", "other_address", "8"), ("pending", "", "9")]


def test_a_name_with_an_umlaut_is_the_same_however_it_is_written(storage: Storage) -> None:
    record = add_installation(storage)
    with storage.database.write() as connection:
        change_installation(connection, record.id, storage.now(), store_url="https://xn--mnchen-3ya.example")
    _arrive(storage, order_body(7), "https://m\u00fcnchen.example/")
    process(storage)

    assert _notices(storage) == []


def test_once_the_owner_says_so_it_is_filtered(storage: Storage) -> None:
    add_installation(storage, filter_other_addresses=True)
    _arrive(storage, order_body(7), STAGING)
    _arrive(storage, order_body(7, total="99.00", date_modified_gmt="2026-11-22T09:00:00"), STAGING)
    _arrive(storage, order_body(8, "pending"), STAGING)
    process(storage)

    assert _states(storage) == [("filtered", "other_address", "7")]
    assert [(row.state, row.reason) for row in webhooks(storage)] == [
        ("processed", ""),
        ("processed", "event_known"),
        ("ignored", "other_address"),
    ]
    assert events(storage)[0].payload is None
    assert _notices(storage) == []


@pytest.mark.parametrize("first", ["copy", "store"])
def test_the_copy_of_an_order_never_stands_before_the_order_itself(storage: Storage, first: str) -> None:
    """A cloned database has the very number, key and event id."""
    add_installation(storage, filter_other_addresses=True)
    stamp = {"event_id": "a" * 64}
    sources = [STAGING, "https://shop.example/"]
    for source in sources if first == "copy" else reversed(sources):
        _arrive(storage, order_body(7, stamp=stamp, padding=source), source)
        process(storage)

    assert sorted(_states(storage)) == [("filtered", "other_address", "7"), ("pending", "", "7")]
    assert [event.event_id for event in events(storage) if event.state == "pending"] == ["a" * 64]


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("order.updated", order_body(7, "cancelled", date_modified_gmt="2026-11-22T09:00:00")),
        ("order.deleted", b'{"id":7}'),
    ],
)
def test_what_happens_to_the_copy_does_not_happen_to_the_order(storage: Storage, topic: str, body: bytes) -> None:
    add_installation(storage, filter_other_addresses=True)
    _arrive(storage, order_body(7), "https://shop.example/")
    process(storage)
    _arrive(storage, body, STAGING, topic)
    process(storage)

    assert _states(storage) == [("pending", "", "7")]


def test_the_setting_counts_from_the_next_webhook_on(storage: Storage) -> None:
    record = add_installation(storage)
    _arrive(storage, order_body(7), STAGING)
    process(storage)
    settings: Any = record.settings.model_copy(update={"filter_other_addresses": True})
    with storage.database.write() as connection:
        change_installation(connection, record.id, storage.now(), settings=settings)
    _arrive(storage, order_body(8), STAGING)
    process(storage)

    assert _states(storage) == [("pending", "", "7"), ("filtered", "other_address", "8")]


def test_headers_that_say_nothing() -> None:
    for text in ("", "{}", "[]", "{", '{"x-wc-webhook-source": 7}'):
        assert source_host(PLATFORMS["woocommerce"], text, "https://shop.example") == ""
    assert not is_other_address("", "https://shop.example")
