"""What TikTok's answer means: one table from the `code` in the body to a result.

The code decides, never the HTTP status: TikTok answers 200 to a refused token and to a refused event
alike. Only an answer without a code (a gateway's page, an empty body) is judged by its status.
Source of the codes: TikTok's "Return codes" appendix as quoted by several clients, and recorded answers.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from connector.core.http_values import http_time
from connector.core.json_objects import json_object
from connector.core.results import (
    Accepted,
    AccessLost,
    DeliveryResult,
    Rejected,
    RetryLater,
    Split,
    Throttled,
)

__all__ = ["ReadReply", "read_reply", "retry_after_seconds"]

MESSAGE_LIMIT = 500
_LONGEST_WAIT = 86_400.0  # no server may ask us to wait longer than a day


@dataclass(frozen=True, slots=True)
class ReadReply:
    """One answer, read. `code` is None when the body had none; `message` holds no secrets."""

    result: DeliveryResult
    code: int | None
    message: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class _Answer:
    message: str
    wait: float | None


_Rule = Callable[[_Answer], DeliveryResult]


def read_reply(
    status: int, headers: Mapping[str, str], body: bytes, now: datetime | None = None, *, token: str = ""
) -> ReadReply:
    """Read one answer of the Events API. Never raises, whatever came.

    `token` is the access token of the call: an answer that repeats it must not bring it into the history.
    `now` is needed only for a Retry-After that is a date. A `Rejected.index` counts from 0 as the path in
    the message did, and may lie outside the batch: the caller checks.
    """
    fields = json_object(body)
    code = _code(fields.get("code"))
    message = _clean(fields.get("message"), token)
    answer = _Answer(message, retry_after_seconds(headers, now))
    rule = _by_status(status) if code is None else _by_code(code)
    return ReadReply(rule(answer), code, message, _clean(fields.get("request_id"), token, 100) or None)


def retry_after_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The Retry-After header in seconds, 0 to a day; None when absent or not understood (RFC 9110)."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        return min(float(text), _LONGEST_WAIT)
    until = http_time(text)
    if until is None or now is None:
        return None
    return min(max((until - now).total_seconds(), 0.0), _LONGEST_WAIT)


def _retry(reason: str) -> _Rule:
    return lambda answer: RetryLater(reason, answer.wait)


def _throttled(reason: str, scope: str) -> _Rule:
    return lambda answer: Throttled(reason, scope, answer.wait)


def _lost(reason: str) -> _Rule:
    return lambda answer: AccessLost(reason)


def _rejected(reason: str) -> _Rule:
    return lambda answer: Rejected(reason, _index(answer.message))


def _quota(answer: _Answer) -> DeliveryResult:
    """The app's limit; a daily one lasts until 00:00 UTC and has its own word."""
    daily = re.search(r"\b(QPD|daily|per day)\b", answer.message, re.IGNORECASE) is not None
    return Throttled("app_quota_day" if daily else "app_quota", "app", answer.wait)


_TOO_FREQUENT = re.compile(r"too (many|frequent)|frequen|rate.?limit|throttl|\bQP[SMD]\b", re.IGNORECASE)
_PIXEL_FAULT = re.compile(
    r"pixel.?(?:code|id)\b|event.?source.?id"
    r"|\b(?:invalid|unknown|wrong|incorrect) pixel\b|\bpixel\b.{0,60}\b(?:exists?|found|invalid|incorrect|deleted)\b",
    re.IGNORECASE,
)
# Only what is a path: "event 3" may count from 0 or from 1, and blaming the wrong event would lose it.
_PLACE = re.compile(r"(?<![A-Za-z0-9_])(?:batch|data|events?)(?:[./](\d{1,4})(?!\d)|\[(\d{1,4})\])", re.IGNORECASE)


def _generic(answer: _Answer) -> DeliveryResult:
    if _TOO_FREQUENT.search(answer.message):
        return Throttled("too_frequent", "advertiser", answer.wait)
    return _invalid(answer)


def _invalid(answer: _Answer) -> DeliveryResult:
    """A place in the batch outranks the wording, since a message may quote an event's own text."""
    index = _index(answer.message)
    if index is None and _PIXEL_FAULT.search(answer.message):
        return AccessLost("pixel_code")
    return Rejected("invalid_parameter", index)


def _index(message: str) -> int | None:
    """The one place that the message names; two different places name none, and the batch is bisected."""
    places = {int(dotted or bracketed) for dotted, bracketed in _PLACE.findall(message)}
    return places.pop() if len(places) == 1 else None


def _accepted(answer: _Answer) -> DeliveryResult:
    return Accepted()


def _partial(answer: _Answer) -> DeliveryResult:
    return Split("partial_success")


_BY_CODE: Mapping[int, _Rule] = {
    0: _accepted,
    20001: _partial,
    40000: _generic,
    40001: _lost("no_permission"),
    40002: _invalid,
    **dict.fromkeys((40006, 40007), _lost("not_found")),
    40016: _throttled("too_frequent", "app"),
    40100: _quota,
    40101: _lost("app_credentials"),
    40102: _lost("token_expired"),
    **dict.fromkeys((40103, 40106, 40107, 40113, 40131), _lost("authorisation_failed")),
    40104: _lost("token_missing"),
    40105: _lost("token_revoked"),
    40110: _lost("auth_code_invalid"),
    **dict.fromkeys((40118, 40124, 40125), _lost("not_allowed")),
    **dict.fromkeys((40132, 40133), _throttled("advertiser_quota", "advertiser")),
    **dict.fromkeys((40200, 40201, 40202, 40902, 40903, 40913), _retry("task_conflict")),
    40700: _retry("server_timeout"),
    **dict.fromkeys((50000, 50002), _retry("server_error")),
    **dict.fromkeys((51001, 51021, 51039), _retry("server_timeout")),
    60001: _retry("maintenance"),
}

_BY_RANGE: tuple[tuple[range, _Rule], ...] = (
    (range(40000, 50000), _rejected("client_fault")),
    (range(50000, 70000), _retry("server_error")),
)

# Without a code: the status of whatever stands before TikTok. Everything here may pass by itself.
_BY_STATUS: Mapping[int, _Rule] = {
    401: _retry("gateway_auth"),
    403: _retry("gateway_auth"),
    413: lambda answer: Split("too_large"),
    429: _throttled("too_frequent", "app"),
}


def _by_code(code: int) -> _Rule:
    known = _BY_CODE.get(code)
    if known is not None:
        return known
    return next((rule for codes, rule in _BY_RANGE if code in codes), _retry("unknown_code"))


def _by_status(status: int) -> _Rule:
    if status >= 500:
        return _retry("gateway_error")
    return _BY_STATUS.get(status, _retry("garbage_answer"))


def _code(value: object) -> int | None:
    """A whole number, also as text ("40002") or as a float; a boolean is no code, least of all success."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,9}\s*", value, re.ASCII):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


# A message may echo a token, a hash, an address or a phone number. Long runs of token letters, e-mail addresses and
# international numbers go; dotted field paths stay.
_SECRET = re.compile(r"[A-Za-z0-9_+/=-]{32,}|[^\s@\"'<>]+@[^\s@\"'<>]+|\+[0-9][0-9 ()/-]{5,}[0-9]")
_REMOVED = "[removed]"
_SHORTEST_TOKEN = 4  # shorter ones are no tokens of TikTok, and would take letters out of every word
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def _clean(value: object, token: str, limit: int = MESSAGE_LIMIT) -> str:
    if not isinstance(value, str):
        return ""
    if len(token) >= _SHORTEST_TOKEN:
        value = value.replace(token, _REMOVED)
    printable = _CONTROL.sub(" ", value[: 4 * limit])
    return (printable if limit < MESSAGE_LIMIT else _SECRET.sub(_REMOVED, printable))[:limit]
