"""Masks hold whatever a store puts where: tried with made-up people in made-up places."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.console.redaction import MASK, masked_address, masked_body, masked_headers, masked_text
from tests.console.world import sample

NAMES = st.sampled_from("who note comment first_name vat_owner gift_to address data 0".split())
PERSON = "Zebulon Quackenbush"
LEAVES = st.sampled_from([PERSON, f"from {PERSON}", f"{PERSON}\n"])
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)


@given(st.dictionaries(NAMES | st.sampled_from(["billing", "shipping", "meta_data", "visitor"]), TREES, max_size=4))
def test_a_name_under_an_unknown_key_is_never_shown(body: dict[str, object]) -> None:
    assert "Zebulon" not in masked_body(orjson.dumps(body))


@pytest.mark.parametrize(
    "text",
    [
        "somebody@mail.example",
        "Call +49 151 2345 6789",
        "203.0.113.7",
        "2001:db8::17",
        "2001:db8:0:0:1:0:0:1",
        "wc_order_AbC123",
        "ck_" + "0a" * 20,
        "mail=somebody@mail.example&x",
        "(0151) 2345-6789",
        "mailto:some.body+tag@mail.co.example",
    ],
)
def test_shapes_that_give_people_away_are_masked_in_what_may_be_shown(text: str) -> None:
    assert MASK in masked_text(f"Gift: {text} thanks")


@pytest.mark.parametrize(
    "text", ["2026-11-22T07:00:00+00:00", "12.50", "WooCommerce/9.9.5 Hookshot", "order.created", "MUG-1"]
)
def test_what_says_nothing_of_people_stays(text: str) -> None:
    assert masked_text(text) == text


def test_addresses_lose_what_may_name_somebody() -> None:
    assert masked_address("https://me:secret@shop.example/a/b?ttclid=X#y") == f"https://shop.example/a/b?{MASK}"
    assert masked_address("https://shop.example/my/somebody@mail.example") == f"https://shop.example/my/{MASK}"
    assert masked_address("http://[broken") == MASK


def test_headers_are_shown_by_list_and_signatures_never() -> None:
    shown = masked_headers(
        {"X-WC-Webhook-Topic": "order.created", "X-WC-Webhook-Signature": "abc=", "Cookie": "a", "X-New": "b"}
    )
    assert shown == {
        "X-WC-Webhook-Topic": "order.created",
        "X-WC-Webhook-Signature": MASK,
        "Cookie": MASK,
        "X-New": MASK,
    }


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"\xff\xfe", b"[" * 5000, b'"somebody@mail.example"', b"123456789012345"]
)
def test_any_bytes_are_taken(body: bytes) -> None:
    assert "somebody" not in masked_body(body)


def test_a_recorded_order_keeps_what_support_needs() -> None:
    _, body, _ = sample("order_stamped_consent_granted")
    shown = orjson.loads(masked_body(body))
    assert (shown["number"], shown["status"], shown["total"]) == ("30", "processing", "35.58")
    assert shown["line_items"][0]["name"] == "Mug"
    assert shown["billing"]["country"] == "DE"
    assert set(shown["billing"].values()) <= {MASK, "", "DE"}
