"""Calls of the store's API and readers of its answers, with answers as WooCommerce 9.9.5 gives them."""

from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.http_values import Reply
from connector.platforms.woocommerce import store_api
from connector.platforms.woocommerce.rest import StoreFault
from connector.platforms.woocommerce.topics import COMPANION_READERS, STORE_READERS


def answer(value: object, status: int = 200, **headers: str) -> Reply:
    return Reply(status, headers, orjson.dumps(value))


def test_we_ask_for_every_topic_that_we_can_read() -> None:
    assert set(store_api.ORDER_TOPICS) == set(STORE_READERS)
    assert set(store_api.COMPANION_TOPICS) == set(COMPANION_READERS)


def test_a_webhook_is_made_with_our_own_secret_and_a_lower_case_topic() -> None:
    call = store_api.create_webhook(topic="order.created", delivery_url="https://c/w", secret="hush-hush", name="n")

    expected = {"name": "n", "topic": "order.created", "delivery_url": "https://c/w", "secret": "hush-hush"}
    assert call.body == expected
    assert "hush-hush" not in repr(call)
    with pytest.raises(ValueError, match="lower case"):
        store_api.create_webhook(topic="Order.created", delivery_url="https://c/w", secret="s", name="n")


def test_a_webhook_is_deleted_for_good() -> None:
    assert store_api.delete_webhook(7).query == {"force": "true"}


def test_orders_are_asked_for_in_utc_without_a_zone_and_with_an_overlap() -> None:
    berlin = timezone(timedelta(hours=1))

    query = store_api.orders_page(datetime(2026, 11, 22, 13, 0, 0, tzinfo=berlin)).query

    assert query["modified_after"] == "2026-11-22T11:59:55"
    assert query["dates_are_gmt"] == "true"
    assert query["per_page"] == "100"


def test_a_page_of_orders_keeps_each_orders_own_bytes() -> None:
    reply = answer([{"id": 1}, {"id": 2}], **{"x-wp-total": "202", "x-wp-totalpages": "3"})

    page = store_api.read_orders_page(reply)

    assert isinstance(page, store_api.OrdersPage)
    assert (page.orders, page.total, page.pages) == ((b'{"id":1}', b'{"id":2}'), 202, 3)


def test_the_system_status_is_read() -> None:
    body = {
        "environment": {
            "home_url": "https://s.example",
            "version": "9.9.5",
            "wp_version": "6.9",
            "php_version": "8.2.36",
        },
        "settings": {"currency": "EUR", "HPOS_enabled": True},
        "active_plugins": [{"plugin": "a/b.php", "name": "A"}, "odd"],
    }

    status = store_api.read_system_status(answer(body))

    assert isinstance(status, store_api.SystemStatus)
    assert (status.woocommerce, status.currency, status.hpos, status.plugins) == (
        "9.9.5",
        "EUR",
        True,
        (("A", "a/b.php"),),
    )


def test_other_peoples_json_is_garbage_not_a_status() -> None:
    for reader in (store_api.read_system_status, store_api.read_plugin_status, store_api.read_webhook):
        assert reader(answer({"hello": 1})) == StoreFault("garbage", 200)
        assert reader(answer([])) == StoreFault("garbage", 200)


def test_webhooks_without_an_id_are_left_out() -> None:
    listed = [
        {"id": 1, "topic": "order.created", "status": "active", "delivery_url": "u", "name": "n"},
        {"id": "x"},
        3,
    ]

    assert store_api.read_webhooks(answer(listed)) == (
        store_api.RemoteWebhook(1, "order.created", "active", "u", "n"),
    )


def test_what_is_gone_already_is_deleted() -> None:
    assert store_api.read_done(answer({"code": "x", "message": ""}, 404)) is True
    assert isinstance(store_api.read_done(answer({"code": "x", "message": ""}, 401)), StoreFault)


def test_the_plugins_conflicts_and_its_wish_for_direct_views_are_read() -> None:
    body = {
        "plugin": "1.0.0",
        "connected": True,
        "installation_id": "i",
        "conflicts": [{"plugin": "p", "name": "N", "pixel_code": "C1"}, "odd"],
        "page_cache": ["X"],
        "beacons": {"suggest_views_direct": True},
    }

    status = store_api.read_plugin_status(answer(body))

    assert isinstance(status, store_api.PluginStatus)
    assert status.conflicts == (("N", "C1"),)
    assert status.page_cache == ("X",)
    assert status.suggests_direct_views


def test_a_connection_without_a_secret_keeps_the_plugins_own() -> None:
    call = store_api.put_connection(
        installation_id="i", public_id="p", connector_url="u", link_secret="", settings={}
    )

    assert "link_secret" not in (call.body or {})


READERS = [
    store_api.read_system_status,
    store_api.read_webhooks,
    store_api.read_webhook,
    store_api.read_orders_page,
    store_api.read_script_tags,
    store_api.read_script_tag,
    store_api.read_plugin_status,
    store_api.read_disconnected,
    store_api.read_done,
]
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "environment", "plugin", "settings", "beacons", "topic", "key_revoked"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(_json, st.sampled_from([200, 201, 204, 301, 401, 404, 500]))
def test_no_reader_ever_raises(value: object, status: int) -> None:
    for reader in READERS:
        reader(answer(value, status))


def test_times_are_aware() -> None:
    assert store_api.orders_page(datetime(2026, 1, 1, tzinfo=UTC)).query["modified_after"] == "2025-12-31T23:59:55"
