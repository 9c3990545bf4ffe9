import hmac
import json
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.demo.samples import RECORDING_SECRET, all_samples, load
from connector.platforms.base import IncomingWebhook
from connector.platforms.woocommerce.signature import decode_entities, sign, verify

BODY = b'{"id":61}'
RECORDED = [sample for sample in all_samples() if sample.signature]


def mac(key: str, body: bytes = BODY) -> str:
    return b64encode(hmac.digest(key.encode(), body, "sha256")).decode()


def call(signature: str | None, body: bytes = BODY, **headers: str) -> IncomingWebhook:
    sent = {"x-wc-webhook-topic": "order.updated"} | {name.replace("_", "-"): text for name, text in headers.items()}
    return IncomingWebhook(sent if signature is None else sent | {"x-wc-webhook-signature": signature}, body)


@pytest.mark.parametrize("sample", RECORDED, ids=lambda sample: sample.name)
def test_the_recorded_signature_proves_that_a_samples_bytes_are_untouched(sample):
    verdict = verify(call(sample.signature, sample.body), [sample.recorded_with_secret])
    assert verdict.kind == "authentic"


def test_reserialised_json_does_not_verify():
    """Trap 11: WooCommerce escapes slashes and non-ASCII; only the raw bytes are signed."""
    sample = load("order_created_unicode")
    again = json.dumps(json.loads(sample.body), separators=(",", ":"), ensure_ascii=False).encode()
    assert verify(call(sample.signature, again), [RECORDING_SECRET]).reason == "signature_wrong"


def test_the_topic_is_told_in_lower_case():
    assert verify(call(mac("s"), x_wc_webhook_topic=" Order.Updated "), ["s"]).topic == "order.updated"
    assert verify(IncomingWebhook({"x-wc-webhook-signature": mac("s")}, BODY), ["s"]).topic == ""


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (None, "signature_missing"),
        ("", "signature_missing"),
        ("not base64!", "signature_malformed"),
        (mac("s")[:-1], "signature_malformed"),
        (mac("s") + "\n", "signature_malformed"),
        (mac("s") + "AAAA", "signature_malformed"),
        ("é" * 44, "signature_malformed"),
        (b64encode(b"x" * 31).decode(), "signature_malformed"),
        (hmac.digest(b"s", BODY, "sha256").hex(), "signature_malformed"),
        (mac("other"), "signature_wrong"),
        (mac("s", b"other body"), "signature_wrong"),
    ],
)
def test_refusals_have_a_reason_and_one_line_for_the_sender(signature, reason):
    verdict = verify(call(signature), ["s"])
    assert (verdict.kind, verdict.reason) == ("refused", reason)
    assert verdict.text
    assert "\n" not in verdict.text


def test_every_live_secret_counts_and_a_retired_one_does_not():
    assert verify(call(mac("old")), ["new", "old"]).kind == "authentic"
    assert verify(call(mac("new")), ["new", "old"]).kind == "authentic"
    assert verify(call(mac("old")), ["new"]).kind == "refused"


def test_without_a_secret_nothing_fits_not_even_an_empty_key():
    assert verify(call(mac("")), []).kind == "refused"
    assert verify(call(mac("")), [""]).kind == "refused"


# Trap 11: recorded on WooCommerce 9.9.5: `a&amp;b&lt;c` signs with `a&b<c`.
@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("a&amp;b&lt;c", "a&b<c"),
        ("&gt;&quot;&#039;", ">\"'"),
        ("&#39;&#0039;&#x27;&#X0027;", "''''"),
        ("&#34;&#034;&#x22;&#x0022;", '""""'),
        ("&#60;&#062;&#038;&#x26;", "<>&&"),
        ("&amp;lt;", "&lt;"),
        ("&#x3c;&apos;&nbsp;&#65;&AMP;&", "&#x3c;&apos;&nbsp;&#65;&AMP;&"),
        (" lead and trail ", " lead and trail "),
        ("пароль☕", "пароль☕"),
    ],
)
def test_secrets_are_decoded_once_as_wordpress_does(secret, key):
    assert decode_entities(secret) == key
    assert verify(call(mac(key)), [secret]).kind == "authentic"
    assert verify(call(mac(secret)), [secret]).kind == "authentic"
    assert sign(BODY, secret) == mac(key)


def ping(body: bytes = b"webhook_id=101", content_type: str = "application/x-www-form-urlencoded") -> IncomingWebhook:
    return IncomingWebhook({"content-type": content_type}, body)


def test_the_unsigned_creation_ping_is_known():
    """Trap 1: refusing it makes the store send one more ping after every delivery."""
    sample = load("ping")
    assert verify(IncomingWebhook({k.lower(): v for k, v in sample.headers.items()}, sample.body), []).kind == "ping"
    assert verify(ping(content_type="Application/X-WWW-Form-Urlencoded; charset=UTF-8"), []).kind == "ping"


@pytest.mark.parametrize(
    "other",
    [
        ping(b"webhook_id=101&x=1"),
        ping(b"webhook_id="),
        ping(b"webhook_id=1\n"),
        ping(b"webhook_id=-1"),
        ping(b"webhook_id=" + b"1" * 21),
        ping(content_type="application/json"),
        IncomingWebhook({}, b"webhook_id=101"),
    ],
)
def test_nothing_else_passes_for_a_ping(other):
    assert verify(other, ["s"]).reason == "signature_missing"


def test_a_ping_with_a_signature_is_judged_by_it():
    headers = dict(ping().headers) | {"x-wc-webhook-signature": mac("wrong", b"webhook_id=101")}
    assert verify(IncomingWebhook(headers, b"webhook_id=101"), ["s"]).reason == "signature_wrong"


names = st.sampled_from(["x-wc-webhook-signature", "x-wc-webhook-topic", "content-type"]) | st.text()


@given(st.dictionaries(names, st.text()), st.binary(), st.lists(st.text(), max_size=3))
def test_verifying_never_raises_and_never_believes_noise(headers, body, secrets):
    assert verify(IncomingWebhook(headers, body), secrets).kind in {"refused", "ping"}


@given(st.binary(), st.text(min_size=1), st.lists(st.text(), max_size=3))
def test_what_is_signed_verifies(body, secret, others):
    assert verify(call(sign(body, secret), body), [*others, secret]).kind == "authentic"


def test_blanks_around_the_signature_are_none_of_it():
    assert verify(call(f" \t{mac('s')} "), ["s"]).kind == "authentic"
    assert verify(call(" "), ["s"]).reason == "signature_missing"
