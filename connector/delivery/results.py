"""From one answer to what becomes of each event of the call. Pure: times and rows are made elsewhere."""

from dataclasses import dataclass
from typing import assert_never

from connector.core.results import (
    Accepted,
    AccessLost,
    DeliveryResult,
    Rejected,
    RetryLater,
    Split,
    Throttled,
)
from connector.core.states import EventState
from connector.delivery.batches import EventBatch

__all__ = ["RESULT_WORDS", "SPLIT_TRIES", "Plan", "plan", "reason_of"]

SPLIT_TRIES = 5  # a single event that is answered "partial success" so often is given up
GATEWAY_AUTH = "gateway_auth"  # HTTP 401 or 403 from something before TikTok: once by chance, twice by intent

# The pixel, not the token, is at fault: an order stamped with an older pixel must not stop the shop.
_PIXEL_REASONS = frozenset({"no_permission", "pixel_code", "not_found"})

# The word of `delivery_attempt.result` for each kind of result.
RESULT_WORDS: dict[type[DeliveryResult], str] = {
    Accepted: "accepted",
    Rejected: "rejected",
    Split: "split",
    RetryLater: "retry",
    Throttled: "throttled",
    AccessLost: "access_lost",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows from one answer.

    `finished` is the final state of all events of the call, None when they are not finished. `resend` are the
    calls to make at once, with the same event ids. `retry` sends the call's events back for later; after
    `throttled` and `lost` the rest of the claim waits too.
    """

    finished: EventState | None = None
    reason: str = ""
    resend: tuple[EventBatch, ...] = ()
    retry: RetryLater | None = None
    throttled: Throttled | None = None
    lost: AccessLost | None = None


def reason_of(result: DeliveryResult) -> str:
    """The short word of a result; empty for success."""
    return "" if isinstance(result, Accepted) else result.reason


def plan(batch: EventBatch, result: DeliveryResult, *, pixel_code: str, split_before: int = 0) -> Plan:
    """What to do after `result` for `batch`.

    `pixel_code` is the installation's of today. `split_before`: earlier answers "split" to this event alone.
    """
    match result:
        case Accepted():
            return Plan(EventState.DELIVERED)
        case Rejected():
            return _after_rejection(batch, result)
        case Split():
            return _after_split(batch, result, split_before)
        case RetryLater():
            return _after_retry(batch, result)
        case Throttled():
            return Plan(reason=result.reason, throttled=result)
        case AccessLost():
            return _after_access_lost(batch, result, pixel_code)
        case _:
            assert_never(result)


def _after_rejection(batch: EventBatch, result: Rejected) -> Plan:
    """One bad event fails a whole batch. The accused is heard alone: a wrong index must not cost a purchase."""
    if len(batch.events) == 1:
        return Plan(EventState.REJECTED, result.reason)
    index = result.index
    if index is None or not 0 <= index < len(batch.events):
        return Plan(reason=result.reason, resend=batch.halves())
    others = batch.events[:index] + batch.events[index + 1 :]
    return Plan(reason=result.reason, resend=(batch.only(others), batch.only(batch.events[index : index + 1])))


def _after_split(batch: EventBatch, result: Split, before: int) -> Plan:
    if len(batch.events) > 1:
        parts = batch.halves() if result.reason == "too_large" else batch.singles()
        return Plan(reason=result.reason, resend=parts)
    if before + 1 < SPLIT_TRIES:
        return Plan(reason=result.reason, retry=RetryLater(result.reason))
    unclear = result.reason == "partial_success"
    return Plan(EventState.DEAD, "partial_success_unconfirmed" if unclear else result.reason)


def _after_retry(batch: EventBatch, result: RetryLater) -> Plan:
    if result.reason == GATEWAY_AUTH and any(event.reason == GATEWAY_AUTH for event in batch.events):
        return Plan(reason=GATEWAY_AUTH, lost=AccessLost(GATEWAY_AUTH))
    return Plan(reason=result.reason, retry=result)


def _after_access_lost(batch: EventBatch, result: AccessLost, pixel_code: str) -> Plan:
    if batch.pixel_code != pixel_code and result.reason in _PIXEL_REASONS:
        return Plan(EventState.REJECTED, "old_pixel_refused")
    return Plan(reason=result.reason, lost=result)
