"""Reading orders: each trap that concerns it, shown by the sample that a real store sent."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connector.core.event_ids import purchase_id
from connector.core.store_events import (
    Buyer,
    ConsentStatement,
    ConsentStatus,
    LineItem,
    Order,
    OrderDeleted,
    OrderStamp,
    StoreError,
    Visit,
)
from connector.demo.samples import load
from connector.errors import UnreadablePayload
from connector.platforms import PLATFORMS
from connector.platforms.base import ReadContext, VerifiedWebhook

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
MINIMAL = {"id": 1, "status": "processing", "currency": "EUR", "total": "1.00"}


def read_body(body: bytes, topic: str = "order.updated") -> Any:
    return PLATFORMS["woocommerce"].read(VerifiedWebhook(topic, body, NOW), ReadContext("https://shop.example"))


def read(name: str) -> Any:
    sample = load(name)
    return read_body(sample.body, sample.topic)


def order(**changes: Any) -> Order:
    read = read_body(json.dumps(MINIMAL | changes).encode())
    assert isinstance(read, Order)
    return read


def at(hour: int, minute: int, second: int) -> datetime:
    return datetime(2026, 11, 22, hour, minute, second, tzinfo=UTC)


def test_a_whole_order():
    assert read("order_stamped_consent_granted") == Order(
        order_id=30,
        order_key="wc_order_nTr91vRGvsja9",
        number="30",
        status="processing",
        currency="EUR",
        total=Decimal("35.58"),
        total_tax=Decimal("5.68"),
        shipping_total=Decimal("4.90"),
        created_at=at(7, 28, 12),
        modified_at=at(7, 28, 18),
        paid_at=None,
        created_via="store-api",
        buyer=Buyer("zoe@example.com", "+49 30 1234567", "DE", "DE", None),
        visit=Visit(
            visitor_id="0c8f5b1c6f0e4d0b9a35e0f3a1b2c3d4",
            page_url="https://shop.example/checkout/?ttclid=E.C.P.CrEBQ2xpY2tJZFNhbXBsZTAxMjM0NTY3ODk",
            referrer="https://www.tiktok.com/",
            ttclid="E.C.P.CrEBQ2xpY2tJZFNhbXBsZTAxMjM0NTY3ODk",
            ttp="2MkmmrLZ9xO5OXvGM2hQkWqTs1b",
            ip="127.0.0.1",
            user_agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/129.0.0.0 Safari/537.36",
            country="DE",
        ),
        consent=ConsentStatement(ConsentStatus.GRANTED, at(7, 25, 0), "wp_consent_api", False),
        stamp=OrderStamp(
            purchase_id("pub_sample", 30, "wc_order_nTr91vRGvsja9"),
            "CompletePayment",
            "C4SAMPLEPIXEL00000001",
            False,
        ),
        lines=(LineItem(12, None, "MUG-1", "Mug", Decimal(2), Decimal("12.5")),),
    )


def test_trap_4_a_draft_keeps_its_status():
    assert read("order_updated_block_guest_draft").status == "checkout-draft"


def test_trap_5_both_topics_give_the_same_order():
    assert read("order_created_block_guest") == read("order_updated_block_guest")


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [
        ("order_created_gone", "woocommerce_rest_shop_order_invalid_id", 404),
        ("order_updated_gone", "woocommerce_rest_shop_order_invalid_id", 404),
        ("order_updated_rights_lost", "woocommerce_rest_cannot_view", 403),
    ],
)
def test_trap_10_a_signed_error_body_is_no_order(name, code, status):
    error = read(name)
    assert isinstance(error, StoreError)
    assert (error.code, error.details["status"]) == (code, status)


def test_trap_12_the_shop_is_not_read_from_the_bodys_own_addresses():
    assert b"127.0.0.1:8088" in load("order_created_block_guest").body
    assert "127.0.0.1:8088" not in repr(read("order_created_block_guest"))


def test_trap_18_times_come_from_the_gmt_fields_not_from_the_stores_zone():
    paid = read("order_updated_set_paid")
    assert b'"date_paid":"2026-11-22T08:31:04"' in load("order_updated_set_paid").body
    assert paid.paid_at == at(7, 31, 4)


def test_trap_18_without_a_gmt_field_there_is_no_time():
    read = order(date_created="2026-11-22T08:31:04", date_created_gmt=None)
    assert read.created_at is None


@pytest.mark.parametrize(
    ("name", "total", "unit_price"),
    [
        ("order_created_jpy", "51", "12.5"),
        ("order_created_huf", "1474.98", "411.5226"),
        ("order_created_coupons_tax_shipping", "43.30", "8.74"),
        ("order_created_zero_total", "0.00", "0"),
    ],
)
def test_trap_19_decimals_follow_the_store_and_the_price_is_a_number(name, total, unit_price):
    read_order = read(name)
    assert (str(read_order.total), str(read_order.lines[0].unit_price)) == (total, unit_price)


def test_trap_19_a_long_price_keeps_its_digits():
    line = order(line_items=[{"product_id": 1, "price": 10.504201666666667, "quantity": 1}]).lines[0]
    assert line.unit_price == Decimal("10.504201666666667")


def test_trap_20_a_partial_refund_leaves_total_and_status():
    before, after = read("order_updated_completed"), read("order_updated_partial_refund")
    assert (after.total, after.status) == (before.total, before.status)
    assert read("order_updated_full_refund").status == "refunded"


def test_trap_21_cash_on_delivery_and_bank_transfer_are_told_apart_by_status_not_by_the_payment_date():
    assert (read("order_created_block_guest").status, read("order_created_block_guest").paid_at) == (
        "processing",
        None,
    )
    on_hold, paid = read("order_created_bank_transfer_on_hold"), read("order_updated_bank_transfer_paid")
    assert (on_hold.status, on_hold.paid_at) == ("on-hold", None)
    assert (paid.status, paid.paid_at) == ("processing", at(7, 30, 33))


def test_trap_22_the_trash_tells_only_the_id():
    assert read("order_deleted_trash") == OrderDeleted(46)


def test_trap_24_a_webhook_after_the_key_was_revoked_reads_as_ever():
    assert read("order_updated_key_revoked").order_id == 68


def test_trap_27_and_28_the_orders_own_times_are_kept_apart_from_the_arrival():
    read_order = read("order_updated_meta_change")
    assert (read_order.created_at, read_order.modified_at) == (at(7, 30, 59), at(7, 32, 6))


def test_names_of_any_script_survive():
    lines = read("order_created_unicode").lines
    assert lines[0].sku == "UNI-Ä1"
    assert (lines[1].sku, lines[1].product_id) == (None, 17)


def test_a_variation_has_both_numbers():
    line = read("order_created_variable_product_us").lines[0]
    assert (line.product_id, line.variation_id, line.sku, line.quantity) == (18, 21, "HOOD-L", Decimal(3))


def test_a_product_that_is_gone_has_no_number_and_no_sku():
    line = read("order_product_gone").lines[0]
    assert (line.product_id, line.sku, line.name) == (None, None, "Mug")


def test_the_prototypes_meta_is_not_read():
    for name in ("order_created_attribution_block", "order_created_attribution_classic"):
        read_order = read(name)
        assert b"_tc_consent" in load(name).body
        assert read_order.consent == ConsentStatement()
        assert (read_order.visit.ttclid, read_order.stamp) == (None, OrderStamp())


def test_the_referrer_comes_from_order_attribution_when_the_plugin_stamped_none():
    assert read("order_created_attribution_block").visit.referrer == "https://www.google.com/"


def meta(**values: Any) -> list[dict[str, Any]]:
    return [{"id": 1, "key": key, "value": value} for key, value in values.items()]


def test_the_click_id_comes_from_the_sessions_first_page_when_the_stamp_has_none():
    entry = "https://shop.example/?ttclid=E.C.P.abc&utm_source=tiktok"
    assert order(meta_data=meta(_wc_order_attribution_session_entry=entry)).visit.ttclid == "E.C.P.abc"
    both = meta(_wc_order_attribution_session_entry=entry, _pixel_connector_ttclid="E.C.P.stamp")
    assert order(meta_data=both).visit.ttclid == "E.C.P.stamp"


@pytest.mark.parametrize(
    ("name", "status", "gpc"),
    [
        ("order_stamped_consent_granted", ConsentStatus.GRANTED, False),
        ("order_stamped_consent_denied", ConsentStatus.DENIED, False),
        ("order_stamped_consent_unknown", ConsentStatus.UNKNOWN, False),
        ("order_stamped_gpc", ConsentStatus.UNKNOWN, True),
        ("order_created_block_guest", ConsentStatus.UNKNOWN, False),
    ],
)
def test_consent_as_stamped(name, status, gpc):
    consent = read(name).consent
    assert (consent.status, consent.global_privacy_control) == (status, gpc)


@pytest.mark.parametrize("said", ["yes", "Granted", "1", 1, True, None, ["granted"], {"granted": 1}, ""])
def test_only_the_very_word_is_consent(said):
    assert order(meta_data=meta(_pixel_connector_consent=said)).consent.status is ConsentStatus.UNKNOWN


@pytest.mark.parametrize(("value", "sent"), [("1", True), (1, True), ("0", False), ("", None), (None, None)])
def test_browser_sent_has_three_values(value, sent):
    assert order(meta_data=meta(_pixel_connector_browser_sent=value)).stamp.browser_sent is sent


def test_renewals():
    assert read("order_renewal").is_renewal
    assert order(created_via="subscription").is_renewal
    assert order(meta_data=meta(_subscription_renewal="31")).is_renewal
    assert not read("order_created_block_guest").is_renewal


def test_only_four_fields_must_be_there():
    read = order()
    assert (read.number, read.order_key, read.lines, read.buyer) == ("1", "", (), Buyer())
    for name in ("status", "currency", "total"):
        with pytest.raises(UnreadablePayload) as caught:
            order(**{name: None})
        assert caught.value.reason == f"{name}_missing"


@pytest.mark.parametrize("order_id", [0, -1, None, True, 1.5, "x", "", [], 2**63])
def test_without_a_numeric_id_it_is_unreadable(order_id):
    with pytest.raises(UnreadablePayload) as caught:
        order(id=order_id)
    assert caught.value.reason == "id_missing"


@pytest.mark.parametrize("total", ["12,50", "1,234.50", "", "1e5", "NaN", "Infinity", "١٢", True, [], {}, "9" * 40])
def test_a_total_that_is_no_decimal_is_not_guessed(total):
    with pytest.raises(UnreadablePayload) as caught:
        order(total=total)
    assert caught.value.reason == "total_missing"


@pytest.mark.parametrize(("total", "value"), [("17.730", "17.730"), (12.5, "12.5"), (51, "51"), ("-5.00", "-5.00")])
def test_totals_keep_their_digits(total, value):
    assert str(order(total=total).total) == value


def test_unimportant_fields_of_a_wrong_type_become_none():
    read = order(
        billing=[],
        shipping="x",
        line_items=[7, None, {"sku": [5], "price": "x", "quantity": [], "product_id": "12"}],
        meta_data={"a": 1},
        date_created_gmt=5,
        customer_ip_address={},
        customer_user_agent=1,
        total_tax="19 %",
        number=7,
    )
    assert read.buyer == Buyer()
    assert read.lines == (LineItem(product_id=12),)
    assert (read.created_at, read.visit, read.total_tax, read.number) == (None, Visit(), Decimal(0), "1")


def test_the_unit_price_falls_back_to_the_lines_total():
    line = {"product_id": 1, "quantity": 4, "total": "10.00"}
    assert order(line_items=[line]).lines[0].unit_price == Decimal("2.5")
    assert order(line_items=[line | {"quantity": 0}]).lines[0].unit_price is None


def stamped(*entries: tuple[str, Any]) -> Order:
    return order(meta_data=[{"id": 1, "key": f"_pixel_connector_{key}", "value": value} for key, value in entries])


def test_lists_that_php_wrote_as_objects_are_read():
    """An extension that takes an entry out of a PHP array leaves places that JSON writes as keys."""
    whole = json.loads(load("order_stamped_consent_denied").body)
    holed = whole | {
        name: {str(place + 1): entry for place, entry in enumerate(whole[name])}
        for name in ("meta_data", "line_items")
    }

    assert read_body(json.dumps(holed).encode()) == read_body(json.dumps(whole).encode())
    assert order(meta_data=holed["meta_data"]).consent.status is ConsentStatus.DENIED


@pytest.mark.parametrize("said", [["denied", "granted"], ["granted", "denied"], ["granted", " Denied "]])
def test_of_two_statements_under_one_key_the_refusal_counts(said):
    assert stamped(*(("consent", word) for word in said)).consent.status is ConsentStatus.DENIED


def test_of_two_privacy_signals_the_one_that_refuses_counts():
    assert stamped(("gpc", "1"), ("gpc", "0")).consent.global_privacy_control


def test_a_click_id_is_whole_or_absent():
    long = "E.C.P." + "x" * 1500
    assert stamped(("ttclid", long)).visit.ttclid == long
    assert stamped(("ttclid", "E.C.P." + "x" * 2000)).visit.ttclid is None


def test_a_sku_is_whole_or_absent_and_a_number_is_one_too():
    lines = [{"product_id": 1, "quantity": 1, "sku": sku} for sku in ("S" * 256, "S" * 257, 4711, " A ", True, "")]
    assert [line.sku for line in order(line_items=lines).lines] == ["S" * 256, None, "4711", "A", None, None]


@pytest.mark.parametrize("value", ["0", 0, "", None, False])
def test_a_renewal_mark_that_names_no_subscription_is_none(value):
    assert not order(meta_data=[{"key": "_subscription_renewal", "value": value}]).is_renewal
    assert order(meta_data=[{"key": "_subscription_renewal", "value": 55}]).is_renewal


def test_the_recipients_number_goes_with_the_recipients_country():
    recipient = {"phone": "06 12 34 56 78", "country": "FR"}
    assert order(billing={"phone": "", "country": "DE"}, shipping=recipient).buyer.phone_country == "FR"
    assert order(billing={"phone": "030 1234567", "country": "DE"}, shipping=recipient).buyer.phone_country is None
