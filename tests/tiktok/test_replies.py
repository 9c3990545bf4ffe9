"""One table from TikTok's codes to results, and an unshakable reader of answers."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.results import (
    Accepted,
    AccessLost,
    DeliveryResult,
    Rejected,
    RetryLater,
    Split,
    Throttled,
)
from connector.tiktok.explanations import EXPLANATIONS
from connector.tiktok.replies import read_reply, retry_after_seconds

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

CODES: list[tuple[int, str, DeliveryResult]] = [
    (0, "OK", Accepted()),
    (20001, "Partial success", Split("partial_success")),
    (40000, "Request too frequent", Throttled("too_frequent", "advertiser")),
    (40000, "Something is wrong", Rejected("invalid_parameter")),
    (40001, "No permission to operate pixel code", AccessLost("no_permission")),
    (40002, "Invalid parameter", Rejected("invalid_parameter")),
    (40002, "event_source_id: Invalid pixel code.", AccessLost("pixel_code")),
    (40002, "Pixel code is not valid", AccessLost("pixel_code")),
    (40002, "Pixel does not exist.", AccessLost("pixel_code")),
    (40002, "The pixel C4ABC was not found", AccessLost("pixel_code")),
    (40002, "Invalid pixel", AccessLost("pixel_code")),
    (40000, "Invalid pixel_id", AccessLost("pixel_code")),
    (40002, "Invalid content_name: Pixel 8 Pro", Rejected("invalid_parameter")),
    (40006, "", AccessLost("not_found")),
    (40007, "", AccessLost("not_found")),
    (40016, "", Throttled("too_frequent", "app")),
    (40100, "Too many requests", Throttled("app_quota", "app")),
    (40100, "QPD limit reached", Throttled("app_quota_day", "app")),
    (40101, "", AccessLost("app_credentials")),
    (40102, "", AccessLost("token_expired")),
    (40104, "", AccessLost("token_missing")),
    (40105, "", AccessLost("token_revoked")),
    (40110, "", AccessLost("auth_code_invalid")),
    *[(code, "", AccessLost("authorisation_failed")) for code in (40103, 40106, 40107, 40113, 40131)],
    *[(code, "", AccessLost("not_allowed")) for code in (40118, 40124, 40125)],
    *[(code, "", Throttled("advertiser_quota", "advertiser")) for code in (40132, 40133)],
    *[(code, "", RetryLater("task_conflict")) for code in (40200, 40201, 40202, 40902, 40903, 40913)],
    (40700, "", RetryLater("server_timeout")),
    (50000, "", RetryLater("server_error")),
    (50002, "", RetryLater("server_error")),
    *[(code, "", RetryLater("server_timeout")) for code in (51001, 51021, 51039)],
    (60001, "", RetryLater("maintenance")),
    (40999, "", Rejected("client_fault")),
    (59999, "", RetryLater("server_error")),
    (61234, "", RetryLater("server_error")),
    (7, "", RetryLater("unknown_code")),
    (-1, "", RetryLater("unknown_code")),
]


def body(code: object, message: object = "") -> bytes:
    return orjson.dumps({"code": code, "message": message, "request_id": "r-1", "data": {}})


@pytest.mark.parametrize("status", [200, 400, 401, 429, 502])
@pytest.mark.parametrize(("code", "message", "expected"), CODES)
def test_the_code_decides_whatever_the_status(status: int, code: int, message: str, expected: DeliveryResult) -> None:
    read = read_reply(status, {}, body(code, message))
    assert (read.result, read.code, read.message, read.request_id) == (expected, code, message, "r-1")
    assert isinstance(expected, Accepted) or expected.reason in EXPLANATIONS


@pytest.mark.parametrize(
    ("message", "index"),
    [
        ("Batch.3.properties.contents.0.content_id: Not a valid string.", 3),
        ("data.0.event_id must be a string", 0),
        ("data[12] is wrong", 12),
        ("Invalid $.data[4].user.ip", 4),
        ("events[2]: bad", 2),
        ("/data/7/event_time", 7),
        ("Batch.5.event_id, Batch.5.user.ip", 5),
        ("Batch.5.event_id, Batch.6.user.ip", None),
        ("contents.0.content_id", None),
        ("metadata.3 is wrong", None),
        ("event 3 is wrong", None),
        ("data.99999999999", None),
        ('Batch.1.properties.contents.0.content_name "pixel code sticker"', 1),
    ],
)
def test_the_bad_event_is_told_by_its_path_only(message: str, index: int | None) -> None:
    assert read_reply(200, {}, body(40002, message)).result == Rejected("invalid_parameter", index)


@pytest.mark.parametrize(
    ("code", "expected"), [("0", 0), (" 40105 ", 40105), (40100.0, 40100), (True, None), (False, None)]
)
def test_codes_of_odd_types(code: object, expected: int | None) -> None:
    read = read_reply(200, {}, body(code))
    assert read.code == expected
    assert isinstance(read.result, Accepted) == (expected == 0)


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (200, b"<html>hello</html>", RetryLater("garbage_answer")),
        (200, b'{"code":0,"mess', RetryLater("garbage_answer")),
        (200, b"", RetryLater("garbage_answer")),
        (200, b"[0]", RetryLater("garbage_answer")),
        (200, b"{}", RetryLater("garbage_answer")),
        (200, b'{"code":null}', RetryLater("garbage_answer")),
        (302, b"", RetryLater("garbage_answer")),
        (404, b"not found", RetryLater("garbage_answer")),
        (401, b"", RetryLater("gateway_auth")),
        (403, b"<html>", RetryLater("gateway_auth")),
        (413, b"", Split("too_large")),
        (429, b"", Throttled("too_frequent", "app")),
        (500, b"", RetryLater("gateway_error")),
        (503, b"<html>", RetryLater("gateway_error")),
    ],
)
def test_without_a_code_the_status_decides(status: int, content: bytes, expected: DeliveryResult) -> None:
    read = read_reply(status, {}, content)
    assert (read.result, read.code) == (expected, None)
    assert not isinstance(expected, Accepted)
    assert expected.reason in EXPLANATIONS


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("999999999", 86400.0),
        ("Sun, 01 Mar 2026 12:01:00 GMT", 60.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2026 12:01:00", None),  # no zone: not to be compared
        ("-5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    assert retry_after_seconds({"Retry-After": header}, NOW) == seconds


def test_retry_after_reaches_the_result() -> None:
    throttled = read_reply(200, {"retry-after": "9"}, body(40100)).result
    assert throttled == Throttled("app_quota", "app", 9.0)
    assert read_reply(503, {"retry-after": "4"}, b"").result == RetryLater("gateway_error", 4.0)


def test_a_message_is_short_and_holds_no_token_hash_or_address() -> None:
    echo = f"bad token {'f' * 40} for anna@shop.example {'a' * 64}\n" + "long " * 200
    message = read_reply(200, {}, body(40105, echo)).message
    assert "ffff" not in message
    assert "anna" not in message
    assert "aaaa" not in message
    assert "\n" not in message
    assert len(message) <= 500


def test_a_message_never_repeats_the_token_of_the_call_nor_a_phone_number() -> None:
    answer = {
        "code": 40105,
        "message": "Token tok-123 of +49 171 2345678 is bad, data.3.user",
        "request_id": "tok-123",
    }
    read = read_reply(200, {}, orjson.dumps(answer), token="tok-123")
    assert read.message == "Token [removed] of [removed] is bad, data.3.user"
    assert read.request_id == "[removed]"


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.integers(-1, 1000),
    st.dictionaries(st.sampled_from(["retry-after", "Retry-After", "x"]), st.text()),
    st.binary() | st.builds(body, ANY_JSON, ANY_JSON) | ANY_JSON.map(orjson.dumps),
)
def test_reading_never_raises(status: int, headers: dict[str, str], content: bytes) -> None:
    read = read_reply(status, headers, content, NOW)
    assert len(read.message) <= 500
    assert read.code is not None or not isinstance(read.result, Accepted)


@given(st.integers())
def test_only_code_0_is_success(code: int) -> None:
    read = read_reply(200, {}, b'{"code":%d}' % code)
    assert isinstance(read.result, Accepted) == (code == 0)
