"""What must come of each sample under default settings and the consent policy `opt_out`.

`python -m tests.sample_expectations --write` writes the `.expected.json` files anew, to be reviewed as a
change like any other; without the option it prints what differs.
"""

import json
import sys
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from connector.core.consent import ConsentOutcome, decide
from connector.core.installation_settings import ConsentPolicy, InstallationSettings
from connector.core.mapping import Conversion, Filtered, MappingContext, Skip, map_event, with_consent
from connector.core.states import EventState, WebhookState
from connector.core.store_events import ConsentChanged
from connector.demo.samples import PUBLIC_ID, RECORDING_SECRET, STORE_URL, Sample, all_samples, library, signed
from connector.errors import UnreadablePayload
from connector.platforms import PLATFORMS
from connector.platforms.base import IncomingWebhook, ReadContext, VerifiedWebhook

SETTINGS = InstallationSettings(consent_policy=ConsentPolicy.OPT_OUT)
PIXEL_CODE = "C4SAMPLEPIXEL00000001"


def outcome(sample: Sample) -> dict[str, Any]:
    """What comes of a sample that arrives at the moment of its recording."""
    platform = PLATFORMS[sample.platform]
    headers, body = signed(sample, RECORDING_SECRET)
    lower = {name.lower(): value for name, value in headers.items()}
    verdict = platform.verify(IncomingWebhook(lower, body), [RECORDING_SECRET], sample.recorded_at)
    if verdict.kind == "ping":
        return {"webhook": None, "events": []}
    assert verdict.kind == "authentic", verdict
    webhook = VerifiedWebhook(verdict.topic, body, sample.recorded_at, lower)
    try:
        event = platform.read(webhook, ReadContext(STORE_URL))
    except UnreadablePayload as error:
        return _result(WebhookState.UNREADABLE, error.reason)
    mapped = map_event(event, MappingContext(PUBLIC_ID, STORE_URL, PIXEL_CODE, SETTINGS, sample.recorded_at))
    if isinstance(event, ConsentChanged):
        return _result(WebhookState.PROCESSED, "consent_recorded")
    if isinstance(mapped, Skip):
        return _result(WebhookState.IGNORED, mapped.reason)
    return _result(
        WebhookState.PROCESSED, "", _filtered(mapped) if isinstance(mapped, Filtered) else _converted(mapped)
    )


def _result(state: WebhookState, reason: str, *events: dict[str, Any]) -> dict[str, Any]:
    return {"webhook": {"state": state.value, "reason": reason}, "events": list(events)}


def _filtered(mapped: Filtered) -> dict[str, Any]:
    return {
        "event": mapped.name,
        "event_id": mapped.event_id,
        "state": EventState.FILTERED.value,
        "reason": mapped.reason,
        "value": _number(mapped.value),
        "currency": mapped.currency,
        "order_id": None if mapped.order_id is None else str(mapped.order_id),
    }


def _converted(mapped: Conversion) -> dict[str, Any]:
    decision = decide(mapped.consent, SETTINGS.consent_policy, mapped.country)
    withheld = decision.outcome is ConsentOutcome.WITHHOLD
    state = EventState.WITHHELD if withheld else EventState.PENDING
    event = mapped.event if withheld else with_consent(mapped, decision)
    return {
        "event": event.name,
        "event_id": event.event_id,
        "state": state.value,
        "reason": decision.reason,
        "value": _number(event.value),
        "currency": event.currency,
        "order_id": event.order_id,
        "contents": [
            {
                "content_id": content.content_id,
                "content_name": content.content_name,
                "price": _number(content.price),
                "quantity": _number(content.quantity),
            }
            for content in event.contents
        ],
        "num_items": event.num_items,
        "page_url": event.page_url,
        "referrer": event.referrer,
        "event_time": event.event_time.isoformat(),
        "user": sorted(event.user.match_keys()),
        "limited_data_use": event.limited_data_use,
        "browser_copy": mapped.browser_copy,
        "search_string": event.search_string,
        "warnings": list(mapped.warnings),
    }


def _number(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def expected_path(sample: Sample) -> Path:
    return library() / sample.platform / f"{sample.name}.expected.json"


def shifted(expected: dict[str, Any], by: timedelta) -> dict[str, Any]:
    """The same expectation with its event times moved."""
    events = [
        event | {"event_time": (datetime.fromisoformat(event["event_time"]) + by).isoformat()}
        if "event_time" in event
        else event
        for event in expected["events"]
    ]
    return expected | {"events": events}


def main(arguments: list[str]) -> int:
    differing = 0
    for sample in all_samples():
        text = json.dumps(outcome(sample), indent=2, ensure_ascii=False) + "\n"
        path = expected_path(sample)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        differing += 1
        print(path.name)
        if "--write" in arguments:
            path.write_text(text, encoding="utf-8")
    return 0 if "--write" in arguments else min(differing, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
