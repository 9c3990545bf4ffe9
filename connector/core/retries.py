"""When to try again, and when no more. Pure: clock and randomness come in.

Every wait is a multiple of the base (`CONNECTOR_RETRY_BASE`, 5 s unless set): the numbers in the comments
are for that base.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

__all__ = [
    "DEAD_AFTER",
    "MERGED_FOR",
    "AgeAction",
    "AgeVerdict",
    "age_verdict",
    "longest_wait",
    "next_wait",
    "throttle_wait",
]

MERGED_FOR = timedelta(hours=48)  # TikTok, "About event deduplication": later copies count again
DEAD_AFTER = timedelta(days=7)  # practice: TikTok attributes nothing to an older event

_LONGEST = 720  # bases: 1 h
_THROTTLED = {"app": 60, "advertiser": 12}  # bases: 5 min, TikTok's penalty for a breach; 1 min


class AgeAction(StrEnum):
    """What an event's age allows."""

    SEND = "send"
    HELD = "held"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class AgeVerdict:
    """An action and a short word for the history; the reason of `send` is empty."""

    action: AgeAction
    reason: str = ""


_SEND = AgeVerdict(AgeAction.SEND)
_HELD = AgeVerdict(AgeAction.HELD, "browser_copy_probable")
_TOO_OLD = AgeVerdict(AgeAction.DEAD, "too_old")
_TOO_OLD_TO_MERGE = AgeVerdict(AgeAction.DEAD, "too_old_to_merge")


def next_wait(attempts: int, base_seconds: float, randomness: float, retry_after: float | None = None) -> float:
    """Seconds until the next try, after `attempts` failed ones; `randomness` is in [0, 1).

    Doubles from one base to 720, of which a random half is taken off, so that many do not return together.
    A server's own wish (seconds) counts instead when it is longer, up to 720 bases, and nobody comes earlier.
    """
    longest = base_seconds * _LONGEST
    backoff = min(base_seconds * 2.0 ** min(max(attempts - 1, 0), 30), longest)
    wait = backoff * (0.5 + 0.5 * randomness)
    if retry_after is None or not retry_after > wait:
        return wait
    return min(retry_after, longest) + base_seconds * randomness


def throttle_wait(scope: str, base_seconds: float, randomness: float, retry_after: float | None = None) -> float:
    """Seconds of silence after TikTok said "too many": of all installations ("app") or of one ("advertiser")."""
    wait = base_seconds * _THROTTLED.get(scope, _THROTTLED["app"])
    if retry_after is not None and retry_after > wait:
        wait = min(retry_after, base_seconds * _LONGEST)
    return wait + base_seconds * randomness


def longest_wait(base_seconds: float) -> float:
    """Seconds that no wait of these exceeds."""
    return base_seconds * (_LONGEST + 1)


def age_verdict(now: datetime, event_time: datetime, *, browser_copy: bool, is_purchase: bool) -> AgeVerdict:
    """Whether an event of that time may still leave. `browser_copy`: the browser has probably sent it too.

    From 48 hours on TikTok counts a second copy again. A purchase with a probable copy is then held for a person
    to decide; another event with one is dead: nobody decides about a page view, and its copy has been counted.
    Without a copy there is nothing to double, and the event goes until it is seven days old.
    """
    age = now - event_time
    if age >= DEAD_AFTER:
        return _TOO_OLD
    if age < MERGED_FOR or not browser_copy:
        return _SEND
    return _HELD if is_purchase else _TOO_OLD_TO_MERGE
