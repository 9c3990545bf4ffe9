"""Events API payloads: one full order as a golden, what is left out, and what we would never queue."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.conversion_events import (
    Content,
    ConversionEvent,
    HashedEmail,
    HashedExternalId,
    HashedPhone,
    UserData,
)
from connector.tiktok.explanations import EXPLANATIONS
from connector.tiktok.payload import batch_request, event_bytes, event_json, limited, validate, without_user

PAID_AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ORDER = ConversionEvent(
    name="CompletePayment",
    event_id="4" * 64,
    event_time=PAID_AT,
    pixel_code="C4TESTPIXEL000000000",
    page_url="https://shop.example/checkout/?ttclid=E.C.P.abc&utm_source=tiktok",
    referrer="https://www.tiktok.com/",
    user=UserData(
        email=HashedEmail("a" * 64),
        phone=HashedPhone("b" * 64),
        external_id=HashedExternalId("c" * 64),
        ttclid="E.C.P.abc",
        ttp="0ttp",
        ip="93.184.216.34",
        user_agent="Mozilla/5.0",
    ),
    value=Decimal("47.90"),
    currency="EUR",
    contents=(
        Content("MUG-1", "Mug", Decimal("19.99"), Decimal(2)),
        Content("77", None, Decimal("3.2667"), Decimal("1.5")),
    ),
    content_type="product",
    num_items=3,
    order_id="1234",
)
SMALLEST = ConversionEvent("ViewContent", "id-1", PAID_AT, "C4TESTPIXEL000000000", "http://shop.example/")


def test_a_full_order_becomes_exactly_this_item() -> None:
    assert orjson.loads(event_bytes(ORDER)) == {
        "event": "CompletePayment",
        "event_time": 1772366400,
        "event_id": "4" * 64,
        "user": {
            "email": "a" * 64,
            "phone": "b" * 64,
            "external_id": "c" * 64,
            "ttclid": "E.C.P.abc",
            "ttp": "0ttp",
            "ip": "93.184.216.34",
            "user_agent": "Mozilla/5.0",
        },
        "page": {
            "url": "https://shop.example/checkout/?ttclid=E.C.P.abc&utm_source=tiktok",
            "referrer": "https://www.tiktok.com/",
        },
        "properties": {
            "contents": [
                {"content_id": "MUG-1", "content_name": "Mug", "price": 19.99, "quantity": 2},
                {"content_id": "77", "price": 3.2667, "quantity": 1.5},
            ],
            "content_ids": ["MUG-1", "77"],
            "content_type": "product",
            "value": 47.9,
            "currency": "EUR",
            "num_items": 3,
            "order_id": "1234",
        },
    }


def test_what_is_absent_has_no_key() -> None:
    assert event_json(SMALLEST) == {
        "event": "ViewContent",
        "event_time": 1772366400,
        "event_id": "id-1",
        "page": {"url": "http://shop.example/"},
    }


def test_limited_data_use_is_there_only_when_true() -> None:
    assert event_json(replace(ORDER, limited_data_use=True))["limited_data_use"] is True
    assert orjson.loads(limited(event_bytes(ORDER))) == {**event_json(ORDER), "limited_data_use": True}


def test_a_zero_total_is_sent_as_zero() -> None:
    assert event_json(replace(ORDER, value=Decimal("0.00")))["properties"]["value"] == 0


def test_the_time_is_unix_seconds_whatever_the_zone_and_needs_one() -> None:
    elsewhere = PAID_AT.astimezone(timezone(timedelta(hours=9)))
    assert event_json(replace(ORDER, event_time=elsewhere))["event_time"] == 1772366400
    with pytest.raises(ValueError, match="zone"):
        event_bytes(replace(ORDER, event_time=datetime(2026, 3, 1)))  # noqa: DTZ001


def test_a_lone_surrogate_in_a_name_cannot_stop_an_order() -> None:
    broken = replace(ORDER, contents=(Content("A", "Tea \ud83d cup"),))
    assert orjson.loads(event_bytes(broken))["properties"]["contents"][0]["content_name"] == "Tea \ufffd cup"


@given(st.decimals(min_value=0, max_value=10**10, places=4))
def test_money_survives_the_json_number(value: Decimal) -> None:
    sent = orjson.loads(event_bytes(replace(ORDER, value=value)))["properties"]["value"]
    assert Decimal(str(sent)) == value


def test_a_withheld_event_keeps_nothing_of_the_visitor() -> None:
    kept = without_user(event_bytes(replace(ORDER, search_string="anna@shop.example")))
    for trace in (b"aaaa", b"bbbb", b"cccc", b"E.C.P", b"0ttp", b"93.184", b"Mozilla", b"anna@", b"user"):
        assert trace not in kept
    assert orjson.loads(kept)["properties"] == event_json(ORDER)["properties"]
    assert orjson.loads(kept)["page"]["url"] == "https://shop.example/checkout/"


def test_a_batch_is_one_call_with_the_raw_token_in_its_header() -> None:
    request = batch_request(
        [event_bytes(ORDER), event_bytes(SMALLEST)],
        pixel_code="C4TESTPIXEL000000000",
        access_token="tok123",
        api_url="https://business-api.tiktok.com/",
    )
    assert (request.method, request.url) == (
        "POST",
        "https://business-api.tiktok.com/open_api/v1.3/event/track/",
    )
    assert dict(request.headers) == {"Access-Token": "tok123", "Content-Type": "application/json"}
    assert orjson.loads(request.body) == {
        "event_source": "web",
        "event_source_id": "C4TESTPIXEL000000000",
        "partner_name": "pixel-connector",
        "data": [event_json(ORDER), event_json(SMALLEST)],
    }
    assert "tok123" not in repr(request)


def test_a_test_event_code_stands_at_the_top() -> None:
    request = batch_request([b"{}"], pixel_code="C", access_token="t", api_url="http://x", test_event_code="TEST1")
    assert orjson.loads(request.body)["test_event_code"] == "TEST1"


@pytest.mark.parametrize("size", [0, 1001])
def test_a_batch_has_1_to_1000_events(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 1000"):
        batch_request([b"{}"] * size, pixel_code="C", access_token="t", api_url="http://x")


FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("invalid_event_name", {"name": "Bought it"}),
    ("invalid_event_name", {"name": "x" * 51}),
    ("invalid_event_id", {"event_id": ""}),
    ("invalid_event_id", {"event_id": 17}),
    ("invalid_pixel_code", {"pixel_code": " "}),
    ("invalid_event_time", {"event_time": datetime(2026, 3, 1)}),  # noqa: DTZ001
    ("invalid_event_time", {"event_time": datetime(1970, 1, 1, tzinfo=UTC)}),
    ("invalid_event_time", {"event_time": PAID_AT + timedelta(hours=1)}),
    ("invalid_page_url", {"page_url": "/checkout"}),
    ("invalid_page_url", {"page_url": "javascript:alert(1)"}),
    ("invalid_page_url", {"page_url": "https://"}),
    ("invalid_referrer", {"referrer": ""}),
    ("invalid_email", {"user": UserData(email=HashedEmail("anna@shop.example"))}),
    ("invalid_email", {"user": UserData(email=HashedEmail("A" * 64))}),
    ("invalid_phone", {"user": UserData(phone=HashedPhone("a" * 63))}),
    ("invalid_external_id", {"user": UserData(external_id=HashedExternalId("0"))}),
    ("invalid_click_id", {"user": UserData(ttclid="")}),
    ("invalid_ip", {"user": UserData(ip="10.0.0.7")}),
    ("invalid_ip", {"user": UserData(ip="1.2.3")}),
    ("invalid_user_agent", {"user": UserData(user_agent=" ")}),
    ("invalid_value", {"value": Decimal(-1)}),
    ("invalid_value", {"value": Decimal("NaN")}),
    ("invalid_value", {"value": Decimal("Infinity")}),
    ("invalid_value", {"value": Decimal("1e400")}),
    ("invalid_currency", {"currency": None}),
    ("invalid_currency", {"currency": "eur"}),
    ("invalid_currency", {"currency": "BGN"}),
    ("invalid_currency", {"value": None}),
    ("invalid_contents", {"contents": (Content(""),)}),
    ("invalid_contents", {"contents": (Content("A", price=Decimal("-0.01")),)}),
    ("invalid_contents", {"contents": (Content("A", quantity=Decimal(0)),)}),
    ("invalid_content_type", {"content_type": "products"}),
    ("invalid_num_items", {"num_items": True}),
    ("invalid_order_id", {"order_id": ""}),
    ("invalid_search_string", {"search_string": ""}),
]


@pytest.mark.parametrize(("reason", "change"), FAULTS)
def test_what_tiktok_would_refuse_is_found_before(reason: str, change: dict[str, Any]) -> None:
    assert validate(replace(ORDER, **change), PAID_AT) == (reason,)
    assert reason in EXPLANATIONS


def test_good_events_have_no_fault() -> None:
    assert validate(ORDER, PAID_AT) == ()
    assert validate(SMALLEST, PAID_AT) == ()
