"""What every store platform must do with every sample, whatever the platform."""

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core import store_events
from connector.demo.samples import Sample, all_samples, signed
from connector.errors import UnreadablePayload
from connector.platforms import PLATFORMS
from connector.platforms.base import Capabilities, IncomingWebhook, ReadContext, VerifiedWebhook

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
CONTEXT = ReadContext("https://shop.example", {"action.own_hook": "OwnEvent", "invoice.created": "Invoice"})
EVENTS = store_events.StoreEvent.__args__  # type: ignore[attr-defined]
SIGNED = [sample for sample in all_samples() if sample.signature]
every_signed_sample = pytest.mark.parametrize("sample", SIGNED, ids=lambda sample: sample.name)


def incoming(sample: Sample, secret: str) -> IncomingWebhook:
    headers, body = signed(sample, secret)
    return IncomingWebhook({name.lower(): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(("name", "platform"), PLATFORMS.items())
def test_a_platform_is_listed_under_its_name_with_capabilities_and_samples(name, platform):
    assert platform.name == name
    assert isinstance(platform.capabilities, Capabilities)
    assert any(sample.platform == name for sample in SIGNED)


@every_signed_sample
def test_the_right_secret_is_authentic_and_tells_the_topic(sample):
    verdict = PLATFORMS[sample.platform].verify(incoming(sample, "right"), ["right"], NOW)
    assert (verdict.kind, verdict.topic) == ("authentic", sample.topic)


@every_signed_sample
def test_a_wrong_secret_is_refused(sample):
    assert PLATFORMS[sample.platform].verify(incoming(sample, "wrong"), ["right"], NOW).kind == "refused"


@every_signed_sample
def test_one_changed_byte_is_refused(sample):
    good = incoming(sample, "right")
    forged = IncomingWebhook(good.headers, good.body.replace(b"{", b"{ ", 1))
    assert PLATFORMS[sample.platform].verify(forged, ["right"], NOW).kind == "refused"


@every_signed_sample
def test_without_a_signature_it_is_refused(sample):
    bare = IncomingWebhook({"content-type": "application/json"}, sample.body)
    assert PLATFORMS[sample.platform].verify(bare, ["right"], NOW).kind == "refused"


@every_signed_sample
def test_both_secrets_are_valid_while_one_replaces_the_other(sample):
    platform = PLATFORMS[sample.platform]
    assert platform.verify(incoming(sample, "old"), ["new", "old"], NOW).kind == "authentic"
    assert platform.verify(incoming(sample, "new"), ["new", "old"], NOW).kind == "authentic"


@every_signed_sample
def test_reading_gives_an_event_of_ours_and_the_same_again(sample):
    platform = PLATFORMS[sample.platform]
    webhook = VerifiedWebhook(sample.topic, sample.body, NOW)
    event = platform.read(webhook, CONTEXT)
    assert isinstance(event, EVENTS)
    assert platform.read(webhook, CONTEXT) == event


topics = st.sampled_from(sorted({sample.topic for sample in SIGNED} | {"action.own_hook", "unheard.of"}))
json_text = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def check_reading(name: str, topic: str, body: bytes) -> None:
    with contextlib.suppress(UnreadablePayload):
        assert isinstance(PLATFORMS[name].read(VerifiedWebhook(topic, body, NOW), CONTEXT), EVENTS)
    assert PLATFORMS[name].deduplicates(body) in {True, False}


@given(st.sampled_from(sorted(PLATFORMS)), topics, st.binary())
def test_reading_bytes_raises_nothing_but_unreadable_payload(name, topic, body):
    check_reading(name, topic, body)


@given(st.data())
def test_reading_a_sample_with_one_value_of_another_type_raises_nothing_but_unreadable_payload(data):
    sample = data.draw(st.sampled_from(SIGNED))
    body = json.loads(sample.body)
    part = data.draw(st.sampled_from([body, *inner_objects(body)]))
    key = data.draw(st.sampled_from(sorted(part)) if part else st.text())
    part[key] = data.draw(json_text)
    check_reading(sample.platform, sample.topic, json.dumps(body).encode())


def inner_objects(value: object) -> list[dict[str, object]]:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for item in items for found in ([item] if isinstance(item, dict) else []) + inner_objects(item)]
