"""Charts are well-formed pictures of exactly the numbers given."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.pages.charts import NARROW, Series, bar_chart, line_chart


def picture(chart: str) -> ElementTree.Element:
    found = ElementTree.fromstring(chart).find("svg")
    assert found is not None
    return found


def bars(chart: str, style: str) -> list[float]:
    return [float(one.get("height", 0)) for one in picture(chart).iter("rect") if one.get("class") == style]


def test_bars_are_in_proportion() -> None:
    chart = bar_chart("t", ["a", "b"], [Series("n", [10, 5], "tone-a")])

    tall, short = bars(chart, "tone-a")
    assert tall == pytest.approx(2 * short, rel=0.01)


def test_a_day_without_events_has_no_bar_but_a_tooltip() -> None:
    chart = bar_chart("t", ["a", "b"], [Series("n", [0, 5], "tone-a")])

    assert len(bars(chart, "tone-a")) == 1
    assert [one.text for one in picture(chart).iter("title")] == ["t", "a: 0", "b: n 5"]


def test_names_from_outside_are_escaped() -> None:
    chart = bar_chart("<script>", ['"x"'], [Series("<b>&", [1], "tone-a")])

    assert "<script>" not in chart
    assert "<b>" not in chart
    assert picture(chart).get("aria-label") == "<script>"


_numbers = st.lists(st.floats(0, 1e12), min_size=1, max_size=31)


@given(_numbers)
def test_any_numbers_make_a_picture_inside_its_frame(values: list[float]) -> None:
    labels = [str(at) for at in range(len(values))]
    for chart in (
        bar_chart("t", labels, [Series("n", values, "tone-a")]),
        line_chart("t", labels, [Series("n", values, "tone-a")], width=NARROW),
    ):
        found = picture(chart)
        height = float(found.get("viewBox", "").split()[3])
        for one in found.iter("rect"):
            assert 0 <= float(one.get("y", 0)) <= height
        for one in found.iter("circle"):
            assert 0 <= float(one.get("cy", 0)) <= height


def test_nothing_at_all_is_a_picture_too() -> None:
    assert picture(line_chart("t", [], [])) is not None
