"""Events of the storefront: carts, views, searches, registrations, the owner's own."""

from dataclasses import replace
from decimal import Decimal

import pytest

from connector.core import event_ids, identity
from connector.core.conversion_events import Content
from connector.core.mapping import Filtered
from connector.core.store_events import (
    ConsentStatement,
    CustomerCreated,
    CustomEvent,
    LineItem,
    StandardEvent,
)
from tests.core.mapping_cases import (
    BUYER,
    CART,
    ITEM,
    MINTED,
    ORDER,
    PAID,
    VIEW,
    VISIT,
    filtered,
    sent,
    skipped,
)


def test_cart_additions() -> None:
    conversion = sent(CART)
    event = conversion.event
    assert (event.name, event.event_id, event.event_time) == ("AddToCart", MINTED, PAID)
    assert (event.value, event.currency) == (Decimal("101.16"), "EUR")
    assert event.contents == (Content("HOOD-M", "Hoodie - M", Decimal("50.58"), Decimal(2)),)
    assert (conversion.country, conversion.browser_copy, conversion.is_purchase) == ("FR", True, False)


def test_product_views() -> None:
    event = sent(VIEW).event
    assert (event.name, event.value, event.currency) == ("ViewContent", Decimal("50.58"), "EUR")
    assert event.user.external_id == identity.visitor_external_id("pub", "0f" * 16)
    no_price = sent(replace(VIEW, item=LineItem(18)))
    assert (no_price.event.value, no_price.event.currency, no_price.warnings) == (None, None, ())


def test_storefront_events_of_bots_and_staff_are_filtered_without_identity() -> None:
    bot = replace(VISIT, user_agent="Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
    staff = replace(VISIT, is_staff=True)
    for event in (VIEW, CART):
        assert filtered(replace(event, visit=bot)) == Filtered(
            sent(event).event.name, MINTED, "bot", sent(event).event.value, "EUR"
        )
        assert filtered(replace(event, visit=staff)).reason == "staff"
    sent(replace(ORDER, visit=bot))


def test_an_event_without_usable_id_is_skipped() -> None:
    assert skipped(replace(VIEW, event_id="")) == "invalid_event_id"
    assert skipped(replace(CART, event_id="a b")) == "invalid_event_id"


def test_standard_events() -> None:
    story = StandardEvent("InitiateCheckout", MINTED, PAID, VISIT, ConsentStatement(), (ITEM, ITEM), "EUR")
    event = sent(story).event
    assert (event.value, event.currency, event.num_items) == (Decimal("202.32"), "EUR", 4)
    assert sent(replace(story, value=Decimal(9))).event.value == Decimal(9)
    for name in ("CompletePayment", "Purchase", "Pageview", ""):
        assert skipped(replace(story, name=name)) == "unknown_event_name"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("hood", "hood"),
        (" size 42 hoodie ", "size 42 hoodie"),
        ("zoe@example.com", None),
        ("order of zoe@example.com", None),
        ("+49 30 1234567", None),
        ("call (415) 555-0100", None),
        ("", None),
    ],
)
def test_searches_without_personal_data(typed: str, told: str | None) -> None:
    search = StandardEvent("Search", MINTED, PAID, VISIT, ConsentStatement(), search_string=typed)
    assert sent(search).event.search_string == told


def test_registrations() -> None:
    conversion = sent(CustomerCreated(7, BUYER, PAID, VISIT))
    event = conversion.event
    assert (event.name, event.event_id) == ("CompleteRegistration", event_ids.registration_id("pub", 7))
    assert event.user.external_id == identity.customer_external_id("pub", 7)
    assert (event.value, event.currency, event.order_id) == (None, None, None)
    assert (conversion.country, conversion.browser_copy) == ("AT", True)
    assert not sent(CustomerCreated(7, BUYER, PAID)).browser_copy


def test_custom_events() -> None:
    custom = CustomEvent("Quote_Asked", MINTED, PAID, VISIT, ConsentStatement(), BUYER, Decimal(5), "EUR")
    conversion = sent(custom)
    assert (conversion.event.name, conversion.event.value, conversion.browser_copy) == (
        "Quote_Asked",
        Decimal(5),
        False,
    )
    assert skipped(replace(custom, name="no name")) == "invalid_event_name"
