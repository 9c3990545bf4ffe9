"""Three ways to tell a key, and what an answer means."""

import hmac
from base64 import b64decode, b64encode
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from connector.core.http_values import Reply
from connector.platforms.woocommerce.connect import StoreKeys
from connector.platforms.woocommerce.rest import (
    Access,
    Authentication,
    Moment,
    StoreFault,
    oauth_signature,
    read_fault,
    rest_request,
)

KEYS = StoreKeys("ck_" + "a" * 40, "cs_" + "b" * 40)
MOMENT = Moment("nonce-1", 1_790_000_000)


def request(way: Authentication, method: str = "GET", **more: object):
    access = Access("https://shop.example/store", KEYS, way)
    return rest_request(access, method, "/wc/v3/webhooks", MOMENT, **more)


def test_basic_travels_in_the_header_only() -> None:
    made = request(Authentication.BASIC, query={"per_page": "100"})

    assert made.url == "https://shop.example/store/wp-json/wc/v3/webhooks?per_page=100"
    scheme, _, encoded = made.headers["Authorization"].partition(" ")
    assert (scheme, b64decode(encoded).decode()) == ("Basic", f"{KEYS.consumer_key}:{KEYS.consumer_secret}")


def test_the_query_way_needs_no_header() -> None:
    made = request(Authentication.QUERY)

    assert parse_qs(urlsplit(made.url).query) == {
        "consumer_key": [KEYS.consumer_key],
        "consumer_secret": [KEYS.consumer_secret],
    }
    assert "Authorization" not in made.headers


def test_oauth_never_sends_the_secret_and_signs_every_parameter() -> None:
    made = request(Authentication.OAUTH, query={"status": "all", "search": "a b&c"})

    sent = dict(parse_qsl(urlsplit(made.url).query))
    signature = sent.pop("oauth_signature")
    assert KEYS.consumer_secret not in made.url
    assert sent["oauth_nonce"] == "nonce-1"
    assert sent["oauth_timestamp"] == "1790000000"
    assert signature == oauth_signature(
        KEYS.consumer_secret, "GET", "https://shop.example/store/wp-json/wc/v3/webhooks", sent
    )
    assert signature != oauth_signature(
        KEYS.consumer_secret, "GET", "https://shop.example/store/wp-json/wc/v3/webhooks", {**sent, "status": "active"}
    )


def test_the_signature_is_rfc_5849s() -> None:
    """The parameters of RFC 5849 section 3.4.1.1 that a query can hold, with HMAC-SHA256 and no token secret.

    The base string is written out by hand.
    """
    base = (
        "POST&http%3A%2F%2Fexample.com%2Frequest&"
        "a2%3Dr%2520b%26a3%3D2%2520q%26b5%3D%253D%25253D%26c%2540%3D%26oauth_nonce%3D7d8f3e4a"
    )
    expected = b64encode(hmac.digest(b"j49sk3j29djd&", base.encode(), "sha256")).decode()
    parameters = {"a2": "r b", "a3": "2 q", "b5": "=%3D", "c@": "", "oauth_nonce": "7d8f3e4a"}

    assert oauth_signature("j49sk3j29djd", "POST", "http://example.com/request", parameters) == expected


def test_a_body_is_json_and_not_part_of_the_signature() -> None:
    made = request(Authentication.OAUTH, "POST", body={"topic": "order.created"})
    bare = request(Authentication.OAUTH, "POST")

    assert made.body == b'{"topic":"order.created"}'
    assert made.headers["Content-Type"] == "application/json"
    assert made.url == bare.url


def test_no_secret_is_in_a_repr() -> None:
    access = Access("https://shop.example", KEYS, Authentication.QUERY)
    made = rest_request(access, "GET", "/wc/v3/orders", MOMENT)

    assert KEYS.consumer_secret not in repr(access) + repr(made)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b'{"code":"woocommerce_rest_cannot_view","message":"no"}', "unauthorised"),
        (
            401,
            b'{"code":"x","message":"The API key provided does not have write permissions."}',
            "forbidden",
        ),
        (403, b"<html>", "forbidden"),
        (404, b'{"code":"rest_no_route","message":"x"}', "not_found"),
        (400, b'{"code":"woocommerce_rest_shop_webhook_invalid_topic","message":"x"}', "refused"),
        (301, b"", "moved"),
        (500, b"", "unavailable"),
        (503, b"<html>", "unavailable"),
        (200, b"<html>a page</html>", "garbage"),
        (200, b"", "garbage"),
    ],
)
def test_faults_say_what_to_do(status: int, body: bytes, kind: str) -> None:
    fault = read_fault(Reply(status, {}, body))

    assert isinstance(fault, StoreFault)
    assert fault.kind == kind


def test_an_answer_behind_a_byte_order_mark_is_an_answer() -> None:
    assert read_fault(Reply(200, {}, b"\xef\xbb\xbf\n[]")) is None
