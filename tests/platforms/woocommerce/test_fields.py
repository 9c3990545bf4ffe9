import inspect
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.platforms.woocommerce import fields

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
one_value_checks = [
    getattr(fields, name)
    for name in fields.__all__
    if len([p for p in inspect.signature(getattr(fields, name)).parameters.values() if p.default is p.empty]) == 1
]


@pytest.mark.parametrize("check", one_value_checks, ids=lambda check: check.__name__)
@given(value=json_values)
def test_no_check_raises_for_any_json_value(check, value):
    check(value)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12))
def test_decimal_text_keeps_its_value_and_digits(number):
    assert str(fields.decimal(format(number, "f"))) == format(number, "f")


@given(st.floats(min_value=-1e12, max_value=1e12))
def test_a_number_is_read_by_its_shortest_form(number):
    read = fields.decimal(number)
    assert read is None or (read == Decimal(repr(number)))
    assert read is not None or 0 < abs(number) < 1e-19


times = st.integers(0, 4 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(times.map(lambda moment: moment.replace(tzinfo=None)), st.integers(-14, 14))
def test_times_become_utc(moment, hours):
    zone = timezone(timedelta(hours=hours))
    assert fields.utc(moment.isoformat(timespec="seconds")) == moment.replace(microsecond=0, tzinfo=UTC)
    assert fields.utc(moment.replace(tzinfo=zone).isoformat(timespec="seconds")) == moment.replace(
        microsecond=0, tzinfo=zone
    )


@pytest.mark.parametrize("value", ["0000-00-00T00:00:00", "2026-13-01T00:00:00", "yesterday", "2026", "", None, 7])
def test_what_is_no_time_is_none(value):
    assert fields.utc(value) is None


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("https://shop.example/a?b=c", "https://shop.example/a?b=c"),
        ("https://shop.example/wp-json/wc/store/v1/cart/add-item", None),
        ("https://shop.example/?wc-ajax=add_to_cart", None),
        ("https://shop.example/?rest_route=/wc/v3", None),
        ("javascript:alert(1)", None),
        ("/relative", None),
        ("https://shop.example/a b", None),
        ("https://shop.example/" + "a" * 2000, None),
    ],
)
def test_web_addresses(value, address):
    assert fields.web_address(value) == address


def test_query_parameters():
    assert fields.query_parameter("https://s.example/?a=1&ttclid=x%2By", "ttclid", 10) == "x+y"
    assert fields.query_parameter("https://s.example/?notttclid=x", "ttclid", 10) is None
    assert fields.query_parameter("http://[broken?ttclid=x", "ttclid", 10) is None
    assert fields.query_parameter(None, "ttclid", 10) is None
    assert fields.query_parameter("https://s.example/?ttclid=" + "x" * 11, "ttclid", 10) is None


@pytest.mark.parametrize(
    ("value", "status"),
    [("granted", "granted"), ("Granted", "unknown"), (" DENIED ", "denied"), ("no", "unknown"), (1, "unknown")],
)
def test_a_yes_is_said_exactly_and_a_no_anyhow(value, status):
    assert fields.consent_status(value) == status
