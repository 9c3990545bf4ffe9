"""Which events an order makes: paid or not, filtered, stamped, for whom."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from connector.core import event_ids, identity, mapping
from connector.core.consent import decide
from connector.core.conversion_events import Content
from connector.core.installation_settings import ConsentPolicy, InstallationSettings
from connector.core.mapping import with_consent
from connector.core.store_events import (
    Buyer,
    ConsentChanged,
    ConsentStatement,
    ConsentStatus,
    NothingToDo,
    OrderDeleted,
    OrderStamp,
    StoreError,
    Visit,
)
from tests.core.mapping_cases import (
    BUYER,
    MINTED,
    NOW,
    ORDER,
    PAID,
    VIEW,
    filtered,
    sent,
    shop,
    skipped,
)


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
