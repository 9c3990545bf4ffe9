import json
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256

import pytest

from connector.core.store_events import (
    CartItemAdded,
    ConsentChanged,
    ConsentStatement,
    ConsentStatus,
    CustomEvent,
    LineItem,
    NothingToDo,
    ProductViewed,
    StandardEvent,
    StoreError,
)
from connector.demo.samples import load
from connector.errors import UnreadablePayload
from connector.platforms import PLATFORMS
from connector.platforms.base import ReadContext, VerifiedWebhook
from tests.platforms.woocommerce.test_orders import NOW, read, read_body


def test_a_cart_addition():
    event = read("cart_item_added")
    assert isinstance(event, CartItemAdded)
    assert event.event_id == "11" * 16
    assert event.happened_at == datetime(2026, 11, 22, 7, 49, 58, tzinfo=UTC)
    assert event.item == LineItem(18, 20, "HOOD-M", "Hoodie - M", Decimal(2), Decimal("50.58"))
    assert (event.currency, event.customer_id) == ("EUR", None)
    assert event.visit.page_url == "https://shop.example/product/hoodie/"
    assert (event.visit.ip, event.visit.country, event.visit.is_staff) == ("203.0.113.7", "DE", False)
    assert event.consent.status is ConsentStatus.GRANTED
    assert read("cart_item_added_classic").customer_id == 2


def test_a_product_view():
    event = read("product_viewed")
    assert isinstance(event, ProductViewed)
    assert event.item == LineItem(18, None, "HOOD", "Hoodie", Decimal(1), Decimal("46.41"))
    assert read("product_viewed_staff").visit.is_staff


def test_an_earlier_shape_of_a_cart_addition():
    """The recorded address is the store's API, which is no page; the price is a number."""
    event = read("cart_item_added_earlier_shape")
    assert event.item == LineItem(18, 20, "HOOD-M", None, Decimal(2), Decimal("50.58"))
    assert event.visit.page_url is None
    assert event.consent == ConsentStatement()


def test_an_earlier_shape_of_a_product_view():
    event = read("product_viewed_earlier_shape")
    assert event.item == LineItem(18, None, "HOOD", "Hoodie", Decimal(1), Decimal("46.41"))
    assert event.visit.page_url == "http://127.0.0.1:8088/product/hoodie/"


def test_trap_23_simultaneous_views_have_their_own_ids_and_hook_topics_make_nothing():
    first, second = read("product_viewed_earlier_shape"), read("product_viewed_earlier_shape_second_visitor")
    assert first.event_id != second.event_id
    assert read("action_add_to_cart") == NothingToDo("topic_not_used")


def test_statements_of_consent():
    granted, denied = read("consent_changed_granted"), read("consent_changed_denied")
    assert isinstance(granted, ConsentChanged)
    assert (granted.consent.status, denied.consent.status) == (ConsentStatus.GRANTED, ConsentStatus.DENIED)
    assert granted.visitor_id == denied.visitor_id != ""
    assert read("consent_changed_thankyou").order_id == 61


def test_a_statement_about_nobody_makes_nothing():
    body = b'{"event_id":"e1","visitor":{"id":null},"consent":{"status":"denied"}}'
    assert read_body(body, "storefront.consent_changed") == NothingToDo("no_visitor")


def test_other_standard_events():
    checkout = read("standard_initiate_checkout")
    assert isinstance(checkout, StandardEvent)
    assert (checkout.name, checkout.value, checkout.currency) == ("InitiateCheckout", Decimal("116.04"), "EUR")
    assert [item.sku for item in checkout.items] == ["HOOD-M", "MUG-1"]
    search = read("standard_search")
    assert (search.name, search.search_string, search.value, search.items) == ("Search", "hood", None, ())


@pytest.mark.parametrize(
    ("topic", "body", "reason"),
    [
        ("cart.item_added", b'{"event_id":"e1","item":{"quantity":1}}', "item_missing"),
        ("storefront.product_viewed", b'{"event_id":"e1"}', "item_missing"),
        ("storefront.standard_event", b'{"event_id":"e1"}', "name_missing"),
    ],
)
def test_what_says_too_little_is_unreadable(topic, body, reason):
    with pytest.raises(UnreadablePayload) as caught:
        read_body(body, topic)
    assert caught.value.reason == reason


def test_an_event_without_a_valid_id_gets_the_same_one_at_each_reading():
    body = b'{"event_id":"<bad>","item":{"product_id":1}}'
    first = read_body(body, "cart.item_added")
    assert first.event_id == sha256(b"cart.item_added:" + body).hexdigest()
    assert read_body(body, "storefront.product_viewed").event_id != first.event_id


def custom(body: bytes, topic: str = "action.wc_quiz") -> object:
    context = ReadContext("https://shop.example", {"action.wc_quiz": "Quiz", "order.updated": "Never"})
    return PLATFORMS["woocommerce"].read(VerifiedWebhook(topic, body, NOW), context)


def test_an_owners_event_reads_what_we_know_of_the_hooks_argument():
    argument = {"event_id": "q-1", "value": "4.50", "currency": "eur", "email": "a@example.com", "else": [1]}
    event = custom(json.dumps({"action": "wc_quiz", "arg": argument}).encode())
    assert isinstance(event, CustomEvent)
    assert (event.name, event.event_id, event.value, event.currency) == ("Quiz", "q-1", Decimal("4.50"), "EUR")
    assert event.buyer.email == "a@example.com"


def test_an_owners_event_with_a_plain_argument():
    body = b'{"action":"wc_quiz","arg":61}'
    event = custom(body)
    assert isinstance(event, CustomEvent)
    assert event.event_id == sha256(b"action.wc_quiz:" + body).hexdigest()


def test_an_owners_event_keeps_the_orders_stamped_consent():
    body = load("order_stamped_consent_denied").body
    event = custom(body)
    assert isinstance(event, CustomEvent)
    assert event.consent.status is ConsentStatus.DENIED


def test_an_owners_topic_can_carry_an_error_and_never_replaces_an_orders_reader():
    assert isinstance(custom(load("order_updated_gone").body), StoreError)
    assert not isinstance(custom(load("order_created_usd").body, "order.updated"), CustomEvent)
