import json
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from connector.demo.samples import (
    PUBLIC_ID,
    RECORDING_SECRET,
    all_samples,
    library,
    load,
    moved_to,
    signed,
    with_event_id,
    with_order_id,
)
from connector.errors import UsageError
from tests.sample_expectations import expected_path, outcome, shifted

SAMPLES = list(all_samples())
every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


@every_sample
def test_what_comes_of_a_sample_is_what_its_file_says(sample):
    assert outcome(sample) == json.loads(expected_path(sample).read_text(encoding="utf-8"))


@every_sample
def test_a_year_later_the_same_comes_of_it(sample):
    a_year_ahead = sample.recorded_at + timedelta(days=365, hours=7, minutes=3)
    later = moved_to(sample, a_year_ahead)
    assert later.recorded_at == a_year_ahead
    assert outcome(later) == shifted(outcome(sample), a_year_ahead - sample.recorded_at)


@every_sample
def test_moving_changes_digits_of_times_only_and_can_be_undone(sample):
    later = moved_to(sample, sample.recorded_at + timedelta(days=365))
    assert len(later.body) == len(sample.body)
    changed = [place for place, (old, new) in enumerate(zip(sample.body, later.body, strict=True)) if old != new]
    assert all(sample.body[place : place + 1].isdigit() for place in changed)
    assert moved_to(later, sample.recorded_at) == sample


def test_a_moved_order_has_no_date_left_of_its_recording():
    sample = load("order_stamped_consent_granted")
    later = moved_to(sample, datetime(2031, 5, 6, tzinfo=UTC))
    assert b"2026-" not in later.body
    assert json.loads(later.body)["order_key"] == json.loads(sample.body)["order_key"]


def test_a_file_of_another_recorder_plays_too(tmp_path):
    sample = load("order_created_usd")
    body = b64encode(sample.body).decode()
    request = {"headers": dict(sample.headers), "body_base64": body, "received_at": 1795332696.25}
    file = tmp_path / "recorded.json"
    file.write_text(json.dumps({"request": request, "secret": None}), encoding="utf-8")

    played = load(file)

    assert (played.platform, played.topic, played.body) == ("woocommerce", "order.created", sample.body)
    assert played.recorded_at == datetime(2026, 11, 22, 7, 31, 36, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"request": {"headers": [], "body_base64": "", "received_at": 1}}',
        '{"request": {"headers": {}, "body_base64": "*", "received_at": 1}}',
        '{"request": {"headers": {}, "body_base64": ""}}',
        '{"request": {"headers": {}, "body_base64": "", "received_at": 1e300}}',
        '{"request": {"headers": {}, "body_base64": ""}, "recorded_at": 5}',
    ],
)
def test_what_a_recorder_cannot_have_written_is_refused(tmp_path, text):
    file = tmp_path / "other.json"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(UsageError, match="is not a webhook sample"):
        load(file)


def test_unix_times_move_but_digits_in_a_name_do_not():
    sample = load("customer_updated_at_checkout")
    later = moved_to(sample, sample.recorded_at + timedelta(days=1))
    assert b'"value":"1795305600"' in sample.body
    assert b'"value":"1795392000"' in later.body
    named = load("customer_created")
    assert b"c1795332808@example.com" in moved_to(named, named.recorded_at + timedelta(days=1)).body


def test_moving_needs_a_time_zone():
    with pytest.raises(ValueError, match="time zone"):
        moved_to(SAMPLES[0], datetime(2030, 1, 1))  # noqa: DTZ001 -- the very mistake


def test_the_library_holds_what_the_project_promises():
    recorded = [sample for sample in SAMPLES if sample.recorded]
    topics = {sample.topic for sample in SAMPLES}
    assert len(recorded) >= 30
    assert {"order.created", "order.updated", "order.deleted", "customer.created", ""} <= topics
    assert {"cart.item_added", "storefront.product_viewed"} <= topics
    assert {"storefront.consent_changed", "storefront.standard_event"} <= topics
    assert all(sample.note for sample in SAMPLES)


def test_every_expectation_belongs_to_a_sample():
    expectations = set(library().glob("*/*.expected.json"))
    assert expectations == {expected_path(sample) for sample in SAMPLES}


def test_signing_names_the_topic_and_leaves_a_ping_unsigned():
    headers, body = signed(load("order_created_usd"), "s", topic="order.updated")
    assert (headers["X-WC-Webhook-Topic"], headers["X-WC-Webhook-Event"]) == ("order.updated", "updated")
    assert body == load("order_created_usd").body
    assert not {"Host", "Content-Length", "Connection"} & set(headers)
    assert "X-WC-Webhook-Signature" not in signed(load("ping"), "s")[0]


def test_signing_with_the_recording_secret_gives_the_recorded_signature():
    sample = load("order_created_unicode")
    assert signed(sample, RECORDING_SECRET)[0]["X-WC-Webhook-Signature"] == sample.signature


def test_distinct_orders_differ_in_id_key_and_event_id_only():
    first = load("order_stamped_consent_granted")
    other = with_order_id(first, 900123, "wc_order_bench900123")
    event = outcome(other)["events"][0]
    assert (event["order_id"], event["value"]) == ("900123", "35.58")
    assert event["event_id"] != outcome(first)["events"][0]["event_id"]
    ids = {"order_id", "event_id"}
    before = outcome(first)["events"][0]
    assert {k: v for k, v in event.items() if k not in ids} == {k: v for k, v in before.items() if k not in ids}
    assert PUBLIC_ID == "pub_sample"


def test_distinct_storefront_events():
    event = outcome(with_event_id(load("product_viewed"), "view-1"))["events"][0]
    assert event["event_id"] == "view-1"


def test_a_file_that_is_no_sample_is_named(tmp_path):
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"request": {}}')
    for path in (wrong, tmp_path / "missing.json", "no_such_sample"):
        with pytest.raises(UsageError, match=re.escape(str(path))):
            load(path)


def test_nobody_real_is_in_the_samples():
    addresses = {found for sample in SAMPLES for found in re.findall(rb"[\w.+-]+@[\w.-]+", sample.body)}
    assert {address.rsplit(b"@")[1] for address in addresses} <= {b"example.com", b"example.org", b"shop.example"}
