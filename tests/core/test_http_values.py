"""Values of HTTP that are read in more than one place."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.http_values import http_time


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Sun, 06 Nov 1994 08:49:37 +0100", datetime(1994, 11, 6, 8, 49, 37, tzinfo=timezone(timedelta(hours=1)))),
        ("Sun, 06 Nov 1994 08:49:37 -0000", None),  # says that it names no zone (RFC 5322)
        ("Thu, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Thu, 01 Jan 2026 00:00:00 +99999999999", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_dates_of_headers(text: str | None, moment: datetime | None) -> None:
    assert http_time(text) == moment


@given(st.text(alphabet="Sun,06Nov19948:3GMT+- \0é99", max_size=60))
def test_any_header_is_a_date_or_none(text: str) -> None:
    told = http_time(text)
    assert told is None or told.tzinfo is not None
