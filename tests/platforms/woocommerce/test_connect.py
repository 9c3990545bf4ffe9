"""The store's address as people type it, the authorise page's address, the callback and the return."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import UnreadablePayload
from connector.platforms.woocommerce.connect import authorise_url, read_callback, read_return, read_store_url

KEY, SECRET = "ck_" + "a1" * 20, "cs_" + "b2" * 20


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("shop.example", "https://shop.example"),
        (" https://Shop.Example/ ", "https://shop.example"),
        ("http://shop.example/", "http://shop.example"),
        ("https://shop.example:443/wp-admin/index.php?page=wc", "https://shop.example"),
        ("https://shop.example/store/wp-login.php", "https://shop.example/store"),
        ("https://shop.example/shop/", "https://shop.example/shop"),
        ("//shop.example", "https://shop.example"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("bücher.example", "https://xn--bcher-kva.example"),
        ("Straße.example", "https://xn--strae-oqa.example"),
        ("shop.example.", "https://shop.example"),
        ("http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080"),
        ("http://127.0.0.1:8091", "http://127.0.0.1:8091"),
    ],
)
def test_what_people_type_becomes_the_homes_address(typed: str, address: str) -> None:
    assert read_store_url(typed) == address


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "my shop",
        "ftp://shop.example",
        "javascript:alert(1)",
        "https://user:pass@shop.example",
        "https://shop.example:99999",
        "https://",
        "https://shop.example/<script>",
        "https://-shop.example",
    ],
)
def test_what_is_no_address_of_a_store_is_none(typed: str) -> None:
    assert read_store_url(typed) is None


@given(st.text(max_size=200))
def test_an_address_read_twice_is_the_same(typed: str) -> None:
    once = read_store_url(typed)

    assert once is None or read_store_url(once) == once


def test_the_authorise_address_asks_to_read_and_write() -> None:
    url = authorise_url(
        "https://shop.example/store",
        app_name="Pixel Connector",
        reference="eyJ.ab-c_d",
        return_url="https://connector.example/install/woocommerce/return",
        callback_url="https://connector.example/install/woocommerce/callback/eyJ.ab-c_d",
    )

    assert urlsplit(url).path == "/store/wc-auth/v1/authorize"
    assert parse_qs(urlsplit(url).query) == {
        "app_name": ["Pixel Connector"],
        "scope": ["read_write"],
        "user_id": ["eyJ.ab-c_d"],
        "return_url": ["https://connector.example/install/woocommerce/return"],
        "callback_url": ["https://connector.example/install/woocommerce/callback/eyJ.ab-c_d"],
    }


@pytest.mark.parametrize("reference", ["", "0", "a+b", "a b", "a%2Bb", "a&b", "x" * 301])
def test_a_reference_that_the_store_would_change_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match="reference"):
        authorise_url(
            "https://s.example",
            app_name="A",
            reference=reference,
            return_url="https://c.example/r",
            callback_url="https://c.example/c",
        )


@pytest.mark.parametrize("address", ["https://c.example/r?x=1", "https://c.example/%2B", "c.example/r"])
def test_addresses_with_queries_or_escapes_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match="addresses"):
        authorise_url(
            "https://s.example", app_name="A", reference="r", return_url="https://c.example/r", callback_url=address
        )


def test_the_callback_brings_keys_and_our_reference() -> None:
    body = {
        "key_id": 7,
        "user_id": "ref",
        "consumer_key": KEY,
        "consumer_secret": SECRET,
        "key_permissions": "read_write",
    }

    read = read_callback(json.dumps(body).encode())

    assert (read.keys.consumer_key, read.keys.consumer_secret, read.reference) == (KEY, SECRET, "ref")
    assert KEY not in repr(read)
    assert SECRET not in repr(read)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"consumer_key": None}, "keys_missing"),
        ({"consumer_key": "ck_short"}, "keys_missing"),
        ({"consumer_secret": ["cs"]}, "keys_missing"),
        ({"user_id": None}, "reference_missing"),
        ({"user_id": "a b"}, "reference_missing"),
    ],
)
def test_a_callback_without_keys_or_reference_is_unreadable(changes: dict[str, object], reason: str) -> None:
    body = {"user_id": "ref", "consumer_key": KEY, "consumer_secret": SECRET, **changes}

    with pytest.raises(UnreadablePayload) as refused:
        read_callback(json.dumps(body).encode())

    assert refused.value.reason == reason


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        read_callback(body)


@pytest.mark.parametrize(
    ("success", "reference", "expected"),
    [
        ("1", "ref", (True, "ref")),
        ("0", "ref", (False, "ref")),
        (None, "ref", (False, "ref")),
        ("1", None, (True, "")),
        ("1", "a b", (True, "")),
    ],
)
def test_a_return_says_only_what_it_can(success: str | None, reference: str | None, expected: object) -> None:
    assert read_return(success, reference) == expected
