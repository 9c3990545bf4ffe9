"""What a replay may do with an event, and what today's mapping makes of it. Pure: rows and `now` come in."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from connector.core.installation_settings import PurchaseName
from connector.core.json_objects import json_object
from connector.core.mapping import Conversion, MappingContext, map_event
from connector.core.retries import DEAD_AFTER, MERGED_FOR, AgeAction, age_verdict
from connector.core.states import EventState
from connector.errors import UnreadablePayload
from connector.platforms import PLATFORMS
from connector.platforms.base import ReadContext, VerifiedWebhook
from connector.storage.installations import InstallationRecord
from connector.tiktok.payload import event_bytes, limited, validate

__all__ = ["GOES", "ReplayVerdict", "changed_fields", "mapped_today", "remapped", "verdict_of"]

_PURCHASES = frozenset(PurchaseName)
# Kept as they were decided: no person to be found in them any more, or nothing to send.
_FINAL = frozenset({EventState.WITHHELD, EventState.FILTERED, EventState.WITHDRAWN})


class ReplayVerdict(StrEnum):
    """What a replay does with one event (the first two go, all others stay as they are), or with one webhook."""

    SENDS = "sends"
    SENT_AGAIN = "sent_again"  # TikTok has it; within 48 hours it merges the copy by its event id
    COUNTED_TWICE = "counted_twice"  # TikTok has it and would count a copy by now: never sent
    WOULD_BE_HELD = "would_be_held"  # the browser has probably sent it, more than 48 hours ago
    TOO_OLD = "too_old"  # seven days and more
    WAITS = "waits"  # pending already
    HELD = "held"  # decided one by one
    FINAL = "final"  # withheld, filtered or withdrawn
    NOT_KEPT = "not_kept"  # retention has removed what would be sent
    # Of webhooks that are read anew:
    MAKES_EVENT = "makes_event"  # an event that is not there yet
    MAKES_LATE = "makes_late"  # the same, older than TikTok's window: held when the browser has probably sent it
    MAKES_OLD = "makes_old"  # the same, too old to be sent
    KNOWN = "known"  # its event is there: nothing is sent twice
    MAKES_NOTHING = "makes_nothing"  # nothing comes of it by today's rules
    NOT_LOOKED_AT = "not_looked_at"  # counted only


GOES = frozenset({ReplayVerdict.SENDS, ReplayVerdict.SENT_AGAIN})
_WAITING = {EventState.PENDING: ReplayVerdict.WAITS, EventState.HELD: ReplayVerdict.HELD}


class ReplayRow(Protocol):
    """The columns of an event that the rules look at."""

    state: str
    name: str
    event_time: datetime
    browser_copy: bool
    payload: bytes | None


def verdict_of(row: ReplayRow, now: datetime) -> ReplayVerdict:
    """What a replay at `now` does with it."""
    state = EventState(row.state)
    if state in _FINAL:
        return ReplayVerdict.FINAL
    if state in _WAITING:
        return _WAITING[state]
    if not row.payload:
        return ReplayVerdict.NOT_KEPT
    age = now - row.event_time
    if age >= DEAD_AFTER:
        return ReplayVerdict.TOO_OLD
    if state is EventState.DELIVERED:
        return ReplayVerdict.SENT_AGAIN if age < MERGED_FOR else ReplayVerdict.COUNTED_TWICE
    age_rule = age_verdict(now, row.event_time, browser_copy=row.browser_copy, is_purchase=row.name in _PURCHASES)
    return ReplayVerdict.SENDS if age_rule.action is AgeAction.SEND else ReplayVerdict.WOULD_BE_HELD


def remapped(
    installation: InstallationRecord, topic: str, received_at: datetime, body: bytes, event_id: str, old: bytes
) -> bytes | None:
    """The payload that today's mapping makes for the event of that id. None when it makes none, another one, or
    one that TikTok would refuse; then the old payload stands. Limited data use stays as consent decided it.
    """
    mapped = mapped_today(installation, topic, received_at, body)
    if mapped is None or mapped.event.event_id != event_id or validate(mapped.event):
        return None
    payload = event_bytes(mapped.event)
    return limited(payload) if json_object(old).get("limited_data_use") else payload


def mapped_today(
    installation: InstallationRecord, topic: str, received_at: datetime, body: bytes
) -> Conversion | None:
    """What today's reading and mapping make of a body; None when no event comes of it."""
    context = ReadContext(installation.store_url, installation.settings.custom_events)
    try:
        event = PLATFORMS[installation.platform].read(VerifiedWebhook(topic, body, received_at), context)
    except UnreadablePayload:
        return None
    mapped = map_event(
        event,
        MappingContext(
            installation.public_id,
            installation.store_url,
            installation.pixel_code,
            installation.settings,
            received_at,
        ),
    )
    return mapped if isinstance(mapped, Conversion) else None


def changed_fields(old: bytes, new: bytes) -> tuple[str, ...]:
    """Names of the fields that differ, as `properties.value` or `user.email`; no values."""
    before, after = _flat(json_object(old)), _flat(json_object(new))
    return tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))


def _flat(item: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in item.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = _comparable(value)
    return found


def _comparable(value: Any) -> str:
    """12.5 and 12.50 are one amount."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return format(Decimal(str(value)).normalize(), "f")
    return json.dumps(value, sort_keys=True)
