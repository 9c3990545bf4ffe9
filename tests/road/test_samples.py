"""Each sample of the library, from its bytes through a real database to its event row."""

import json
from typing import Any

import pytest

from connector.demo.samples import PUBLIC_ID, Sample, all_samples
from connector.storage.opening import Storage
from tests.clock import Clock
from tests.installations import add_installation
from tests.road.road import arrive, events, process, webhooks
from tests.sample_expectations import PIXEL_CODE, expected_path

_SAMPLES = [sample for sample in all_samples() if sample.topic]


@pytest.mark.parametrize("sample", _SAMPLES, ids=lambda sample: sample.name)
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_every_sample_becomes_what_stands_beside_it(sample: Sample, storage: Storage, clock: Clock) -> None:
    _check(sample, storage, clock)


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_the_whole_library_on_postgresql(storage: Storage, clock: Clock) -> None:
    for number, sample in enumerate(_SAMPLES):
        _check(sample, storage, clock, f"installation{number}")


def _check(sample: Sample, storage: Storage, clock: Clock, installation_id: str = "installation1") -> None:
    expected = json.loads(expected_path(sample).read_text(encoding="utf-8"))
    public_id = PUBLIC_ID if installation_id == "installation1" else ""
    add_installation(storage, installation_id, public_id=public_id, pixel_code=PIXEL_CODE)
    clock.time = sample.recorded_at

    assert arrive(storage, sample, installation_id)
    process(storage)

    webhook = webhooks(storage)[-1]
    made = [event for event in events(storage) if event.webhook_id == webhook.id]
    assert {"state": webhook.state, "reason": webhook.reason} == expected["webhook"]
    assert [_comparable(event) for event in made] == [_expected(event) for event in expected["events"]]


def _comparable(event: Any) -> dict[str, Any]:
    payload = json.loads(event.payload) if event.payload else {}
    properties = payload.get("properties", {})
    return {
        "event": event.name,
        "state": event.state,
        "reason": event.reason or event.consent,
        "value": None if event.value is None else format(event.value, "f"),
        "currency": event.currency,
        "order_id": event.order_id,
        "content_ids": properties.get("content_ids", []),
        "num_items": properties.get("num_items"),
        "user": sorted(payload.get("user", {})) if event.state == "pending" else [],
    }


def _expected(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "event": event["event"],
        "state": event["state"],
        "reason": event["reason"],
        "value": event["value"],
        "currency": event["currency"],
        "order_id": event["order_id"],
        "content_ids": [content["content_id"] for content in event.get("contents", [])],
        "num_items": event.get("num_items"),
        "user": event.get("user", []) if event["state"] == "pending" else [],
    }
