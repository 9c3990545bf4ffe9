"""What an order is worth and what is in it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from connector.core.store_events import LineItem
from tests.core.mapping_cases import ORDER, sent


@pytest.mark.parametrize(
    ("basis", "value"), [("total", "41.20"), ("without_tax", "34.62"), ("without_tax_and_shipping", "29.72")]
)
def test_value_basis(basis: str, value: str) -> None:
    assert sent(ORDER, value_basis=basis).event.value == Decimal(value)


def test_values_are_not_rounded() -> None:
    order = replace(ORDER, total=Decimal("10.12345678"), total_tax=Decimal("0.00000001"))
    assert sent(order, value_basis="without_tax").event.value == Decimal("10.12345677")


def test_a_zero_total_is_sent_as_zero() -> None:
    event = sent(replace(ORDER, total=Decimal("0.00"))).event
    assert (event.value, event.currency) == (Decimal(0), "EUR")


def test_a_negative_total_becomes_zero_with_a_warning() -> None:
    conversion = sent(replace(ORDER, total=Decimal("-3.00")))
    assert (conversion.event.value, conversion.event.currency) == (Decimal(0), "EUR")
    assert conversion.warnings == ("negative_total",)


def test_a_currency_that_is_not_listed_goes_without_value() -> None:
    conversion = sent(replace(ORDER, currency="BGN"))
    assert (conversion.event.value, conversion.event.currency) == (None, None)
    assert conversion.warnings == ("currency_not_listed",)
    assert sent(replace(ORDER, currency="")).warnings == ("currency_missing",)
    assert sent(replace(ORDER, currency=" huf ")).event.currency == "HUF"


@pytest.mark.parametrize("total", ["NaN", "Infinity", "1E+40", "sNaN", "1E-90"])
def test_a_total_that_is_no_money_goes_without_value(total: str) -> None:
    conversion = sent(replace(ORDER, total=Decimal(total)))
    assert (conversion.event.value, conversion.event.currency) == (None, None)
    assert conversion.warnings == ("value_unreadable",)


@pytest.mark.parametrize(
    ("source", "line", "content_id"),
    [
        ("sku", LineItem(18, 20, "S"), "S"),
        ("sku", LineItem(18, 20, None), "20"),
        ("sku", LineItem(18, 20, " "), "20"),
        ("sku", LineItem(18, None, None), "18"),
        ("id", LineItem(18, 20, "S"), "20"),
        ("id", LineItem(18, None, "S"), "18"),
    ],
)
def test_content_ids(source: str, line: LineItem, content_id: str) -> None:
    contents = sent(replace(ORDER, lines=(line,)), content_id=source).event.contents
    assert [content.content_id for content in contents] == [content_id]


def test_a_deleted_product_counts_but_is_not_named() -> None:
    event = sent(replace(ORDER, lines=(LineItem(None, None, None, "Gone", Decimal(2)), ORDER.lines[1]))).event
    assert [content.content_id for content in event.contents] == ["21"]
    assert event.num_items == 3
    only = sent(replace(ORDER, lines=(LineItem(0, 0, ""),))).event
    assert (only.contents, only.content_type, only.num_items) == ((), None, 1)


def test_lines_without_pieces_are_left_out_and_fractions_round_up() -> None:
    lines = (
        LineItem(1, quantity=Decimal(0)),
        LineItem(2, quantity=Decimal(-1)),
        LineItem(3, quantity=Decimal("0.4")),
    )
    event = sent(replace(ORDER, lines=lines)).event
    assert [content.content_id for content in event.contents] == ["3"]
    assert event.num_items == 1


def test_product_names_are_a_setting() -> None:
    assert {content.content_name for content in sent(ORDER, send_product_names=False).event.contents} == {None}
