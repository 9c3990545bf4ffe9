from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.core import event_ids, identity, mapping
from connector.core.consent import decide
from connector.core.conversion_events import Content
from connector.core.installation_settings import ConsentPolicy, InstallationSettings
from connector.core.mapping import Conversion, Filtered, MappingContext, Skip, map_event, with_consent
from connector.core.store_events import (
    Buyer,
    CartItemAdded,
    ConsentChanged,
    ConsentStatement,
    ConsentStatus,
    CustomerCreated,
    CustomEvent,
    LineItem,
    NothingToDo,
    Order,
    OrderDeleted,
    OrderStamp,
    ProductViewed,
    StandardEvent,
    StoreError,
    StoreEvent,
    Visit,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PAID = NOW - timedelta(minutes=5)
MINTED = "9f" * 16
VISIT = Visit(
    visitor_id="0f" * 16,
    page_url="https://shop.example/checkout/order-received/12/?key=wc_order_secret&utm_source=tiktok",
    referrer="https://www.tiktok.com/@shop?sid=1",
    ttclid="E.C.P.aB",
    ttp="t" * 27,
    ip="::ffff:8.8.8.8",
    user_agent="Mozilla/5.0 (X11; Linux x86_64)",
    country="FR",
)
BUYER = Buyer(" Zoe@Example.com ", "030 1234567", "DE", "AT", 7)
ORDER = Order(
    order_id=12,
    order_key="wc_order_secret",
    number="2024-12",
    status="processing",
    currency="EUR",
    total=Decimal("41.20"),
    total_tax=Decimal("6.58"),
    shipping_total=Decimal("4.90"),
    created_at=PAID - timedelta(minutes=1),
    modified_at=PAID,
    paid_at=PAID,
    created_via="store-api",
    buyer=BUYER,
    visit=VISIT,
    lines=(
        LineItem(18, 20, "HOOD-M", "Hoodie - M", Decimal(2), Decimal("12.345")),
        LineItem(21, None, None, "Cap", Decimal(1), Decimal("5.03")),
    ),
)
ITEM = LineItem(18, 20, "HOOD-M", "Hoodie - M", Decimal(2), Decimal("50.58"))
VIEW = ProductViewed(MINTED, PAID, replace(ITEM, quantity=Decimal(1)), "EUR", VISIT, ConsentStatement())
CART = CartItemAdded(MINTED, PAID, ITEM, "EUR", VISIT, ConsentStatement())


def shop(**settings: Any) -> MappingContext:
    values = InstallationSettings.model_validate(settings)
    return MappingContext("pub", "https://shop.example", "PIXEL1", values, NOW)


def sent(event: StoreEvent, **settings: Any) -> Conversion:
    result = map_event(event, shop(**settings))
    assert isinstance(result, Conversion)
    return result


def filtered(event: StoreEvent, **settings: Any) -> Filtered:
    result = map_event(event, shop(**settings))
    assert isinstance(result, Filtered)
    return result


def skipped(event: StoreEvent, **settings: Any) -> str:
    result = map_event(event, shop(**settings))
    assert isinstance(result, Skip)
    return result.reason


def test_a_paid_order_is_a_purchase() -> None:
    conversion = sent(ORDER)
    event = conversion.event
    assert (event.name, event.event_id) == (
        "CompletePayment",
        event_ids.purchase_id("pub", 12, "wc_order_secret"),
    )
    assert (event.event_time, event.pixel_code, event.order_id) == (PAID, "PIXEL1", "12")
    assert (event.value, event.currency) == (Decimal("41.20"), "EUR")
    assert event.page_url == "https://shop.example/checkout/order-received/?utm_source=tiktok"
    assert event.referrer == "https://www.tiktok.com/@shop"
    assert event.contents == (
        Content("HOOD-M", "Hoodie - M", Decimal("12.345"), Decimal(2)),
        Content("21", "Cap", Decimal("5.03"), Decimal(1)),
    )
    assert (event.content_type, event.num_items, event.limited_data_use) == ("product", 3, False)
    assert event.user.email == identity.hash_email("zoe@example.com")
    assert event.user.phone == identity.hash_phone("+49301234567", None)
    assert event.user.external_id == identity.customer_external_id("pub", 7)
    assert (event.user.ttclid, event.user.ttp, event.user.ip) == ("E.C.P.aB", "t" * 27, "8.8.8.8")
    assert (conversion.country, conversion.is_purchase, conversion.warnings) == ("AT", True, ())
    assert (conversion.order_id, conversion.order_key) == (12, "wc_order_secret")
    assert (conversion.visitor_id, conversion.customer_id) == ("0f" * 16, 7)


def test_a_guest_is_known_by_the_visitor_id() -> None:
    event = sent(replace(ORDER, buyer=replace(BUYER, customer_id=None))).event
    assert event.user.external_id == identity.visitor_external_id("pub", "0f" * 16)


def test_what_an_order_lacks_stays_absent() -> None:
    event = sent(replace(ORDER, buyer=Buyer(), visit=Visit())).event
    assert event.user.match_keys() == ()
    assert (event.page_url, event.referrer) == ("https://shop.example/", None)


@pytest.mark.parametrize("status", ["processing", "completed", "wc-processing", "wc-completed"])
def test_paid_statuses(status: str) -> None:
    sent(replace(ORDER, status=status))
    assert not mapping.withdraws(replace(ORDER, status=status), InstallationSettings())


@pytest.mark.parametrize("status", ["pending", "on-hold", "cancelled", "refunded", "failed", "trash", "made-up"])
def test_unpaid_statuses_send_nothing_and_withdraw_what_waits(status: str) -> None:
    order = replace(ORDER, status=status)
    assert skipped(order) == f"order_not_paid:{status}"
    assert mapping.withdraws(order, InstallationSettings())


@pytest.mark.parametrize("status", ["checkout-draft", "auto-draft", "draft", "wc-checkout-draft"])
def test_drafts_are_never_paid_and_withdraw_nothing(status: str) -> None:
    order = replace(ORDER, status=status)
    listed = ["checkout-draft", "auto-draft", "draft"]
    assert skipped(order, paid_statuses=listed) == "draft_order"
    assert not mapping.withdraws(order, shop(paid_statuses=listed).settings)


@pytest.mark.parametrize("status", ["cancelled", "refunded", "failed", "trash"])
def test_an_order_that_is_over_is_not_paid_even_when_listed(status: str) -> None:
    assert skipped(replace(ORDER, status=status), paid_statuses=[status]) == f"order_not_paid:{status}"


def test_owners_choose_paid_statuses() -> None:
    sent(replace(ORDER, status="on-hold"), paid_statuses=["wc-on-hold"])
    sent(replace(ORDER, status="on-hold"), paid_statuses=[" WC-On-Hold "])
    assert skipped(ORDER, paid_statuses=["completed"]) == "order_not_paid:processing"


def test_cash_on_delivery_has_no_payment_date() -> None:
    assert sent(replace(ORDER, paid_at=None)).event.event_time == ORDER.created_at
    assert sent(replace(ORDER, paid_at=None, created_at=None)).event.event_time == NOW


def test_no_event_is_later_than_its_arrival() -> None:
    assert sent(replace(ORDER, paid_at=NOW + timedelta(days=1))).event.event_time == NOW
    assert sent(replace(VIEW, happened_at=NOW + timedelta(days=1))).event.event_time == NOW


@pytest.mark.parametrize(
    ("basis", "value"), [("total", "41.20"), ("without_tax", "34.62"), ("without_tax_and_shipping", "29.72")]
)
def test_value_basis(basis: str, value: str) -> None:
    assert sent(ORDER, value_basis=basis).event.value == Decimal(value)


def test_values_are_not_rounded() -> None:
    order = replace(ORDER, total=Decimal("10.12345678"), total_tax=Decimal("0.00000001"))
    assert sent(order, value_basis="without_tax").event.value == Decimal("10.12345677")


def test_a_zero_total_is_sent_as_zero() -> None:
    event = sent(replace(ORDER, total=Decimal("0.00"))).event
    assert (event.value, event.currency) == (Decimal(0), "EUR")


def test_a_negative_total_becomes_zero_with_a_warning() -> None:
    conversion = sent(replace(ORDER, total=Decimal("-3.00")))
    assert (conversion.event.value, conversion.event.currency) == (Decimal(0), "EUR")
    assert conversion.warnings == ("negative_total",)


def test_a_currency_that_is_not_listed_goes_without_value() -> None:
    conversion = sent(replace(ORDER, currency="BGN"))
    assert (conversion.event.value, conversion.event.currency) == (None, None)
    assert conversion.warnings == ("currency_not_listed",)
    assert sent(replace(ORDER, currency="")).warnings == ("currency_missing",)
    assert sent(replace(ORDER, currency=" huf ")).event.currency == "HUF"


@pytest.mark.parametrize("total", ["NaN", "Infinity", "1E+40", "sNaN", "1E-90"])
def test_a_total_that_is_no_money_goes_without_value(total: str) -> None:
    conversion = sent(replace(ORDER, total=Decimal(total)))
    assert (conversion.event.value, conversion.event.currency) == (None, None)
    assert conversion.warnings == ("value_unreadable",)


@pytest.mark.parametrize(
    ("source", "line", "content_id"),
    [
        ("sku", LineItem(18, 20, "S"), "S"),
        ("sku", LineItem(18, 20, None), "20"),
        ("sku", LineItem(18, 20, " "), "20"),
        ("sku", LineItem(18, None, None), "18"),
        ("id", LineItem(18, 20, "S"), "20"),
        ("id", LineItem(18, None, "S"), "18"),
    ],
)
def test_content_ids(source: str, line: LineItem, content_id: str) -> None:
    contents = sent(replace(ORDER, lines=(line,)), content_id=source).event.contents
    assert [content.content_id for content in contents] == [content_id]


def test_a_deleted_product_counts_but_is_not_named() -> None:
    event = sent(replace(ORDER, lines=(LineItem(None, None, None, "Gone", Decimal(2)), ORDER.lines[1]))).event
    assert [content.content_id for content in event.contents] == ["21"]
    assert event.num_items == 3
    only = sent(replace(ORDER, lines=(LineItem(0, 0, ""),))).event
    assert (only.contents, only.content_type, only.num_items) == ((), None, 1)


def test_lines_without_pieces_are_left_out_and_fractions_round_up() -> None:
    lines = (
        LineItem(1, quantity=Decimal(0)),
        LineItem(2, quantity=Decimal(-1)),
        LineItem(3, quantity=Decimal("0.4")),
    )
    event = sent(replace(ORDER, lines=lines)).event
    assert [content.content_id for content in event.contents] == ["3"]
    assert event.num_items == 1


def test_product_names_are_a_setting() -> None:
    assert {content.content_name for content in sent(ORDER, send_product_names=False).event.contents} == {None}


def test_a_valid_stamp_overrules_the_settings() -> None:
    stamp = OrderStamp("minted-1", "Purchase", "PIXEL2")
    event = sent(replace(ORDER, stamp=stamp)).event
    assert (event.name, event.event_id, event.pixel_code) == ("Purchase", "minted-1", "PIXEL2")


def test_a_stamp_that_is_nonsense_is_not_believed() -> None:
    event = sent(replace(ORDER, stamp=OrderStamp("no id", "AddToCart", "a'b")), purchase_event="Purchase").event
    own_id = event_ids.purchase_id("pub", 12, "wc_order_secret")
    assert (event.name, event.event_id, event.pixel_code) == ("Purchase", own_id, "PIXEL1")


def test_orders_of_the_admin_are_filtered_and_rest_orders_are_not() -> None:
    result = filtered(replace(ORDER, created_via="admin"))
    assert (result.reason, result.value, result.currency) == ("created_via_admin", Decimal("41.20"), "EUR")
    assert (result.order_id, result.order_key) == (12, "wc_order_secret")
    assert result.event_id == event_ids.purchase_id("pub", 12, "wc_order_secret")
    for origin in ("rest-api", "", "checkout"):
        sent(replace(ORDER, created_via=origin))


def test_renewals_go_only_when_wished() -> None:
    renewal = replace(ORDER, is_renewal=True)
    assert filtered(renewal).reason == "renewal"
    sent(renewal, send_renewals=True)


def test_events_can_be_off() -> None:
    assert filtered(ORDER, disabled_events=["CompletePayment"]).reason == "event_off"
    assert filtered(ORDER, disabled_events=["Purchase"]).reason == "event_off"
    assert filtered(VIEW, disabled_events=["ViewContent"]).reason == "event_off"
    sent(VIEW, disabled_events=["AddToCart"])


@pytest.mark.parametrize(
    ("sent_by_browser", "event_id", "consent", "delay_hours", "probable"),
    [
        (True, None, ConsentStatus.DENIED, 99, True),
        (False, MINTED, ConsentStatus.GRANTED, 0, False),
        (None, None, ConsentStatus.GRANTED, 0, False),
        (None, MINTED, ConsentStatus.DENIED, 0, False),
        (None, MINTED, ConsentStatus.GRANTED, 2, False),
        (None, MINTED, ConsentStatus.GRANTED, 1, True),
        (None, MINTED, ConsentStatus.UNKNOWN, 0, True),
    ],
)
def test_whether_the_browser_has_sent_it_too(
    sent_by_browser: bool | None, event_id: str | None, consent: ConsentStatus, delay_hours: int, probable: bool
) -> None:
    order = replace(
        ORDER,
        created_at=PAID - timedelta(hours=delay_hours),
        stamp=OrderStamp(event_id, browser_sent=sent_by_browser),
        consent=ConsentStatement(consent),
    )
    assert sent(order).browser_copy is probable


def test_country_is_shipping_then_billing_then_geolocation() -> None:
    assert sent(replace(ORDER, buyer=replace(BUYER, shipping_country=None))).country == "DE"
    assert sent(replace(ORDER, buyer=replace(BUYER, shipping_country="XX"))).country == "DE"
    assert sent(replace(ORDER, buyer=Buyer())).country == "FR"
    assert sent(replace(ORDER, buyer=Buyer(), visit=Visit())).country is None


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


def test_what_makes_no_event_says_why() -> None:
    assert skipped(OrderDeleted(12)) == "order_deleted"
    assert skipped(ConsentChanged("v", ConsentStatement())) == "consent_change"
    assert skipped(StoreError("woocommerce_rest_cannot_view")) == "store_error:woocommerce_rest_cannot_view"
    assert skipped(NothingToDo("unknown_topic")) == "unknown_topic"


def test_consent_only_sets_limited_data_use() -> None:
    conversion = sent(ORDER)
    limited = decide(ConsentStatement(global_privacy_control=True), ConsentPolicy.OPT_OUT, "US")
    granted = decide(ConsentStatement(ConsentStatus.GRANTED), ConsentPolicy.OPT_OUT, "US")
    assert with_consent(conversion, limited) == replace(conversion.event, limited_data_use=True)
    assert with_consent(conversion, granted) == conversion.event
