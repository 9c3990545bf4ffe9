"""Charts are well-formed pictures of exactly the numbers given."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.pages.charts import NARROW, PHONE, WIDE, Series, bar_chart, line_chart


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
    assert picture(line_chart("t", ["a"], [Series("n", [None], "tone-a")])) is not None


def test_a_line_has_a_gap_where_there_was_nothing_to_measure() -> None:
    """0 seconds to acceptance would say that all went at once, in an hour in which nothing went at all."""
    found = picture(line_chart("t", list("abcde"), [Series("n", [5, 6, None, 0, None], "tone-a")]))

    assert [len((one.get("points") or "").split()) for one in found.iter("polyline")] == [2, 1]
    assert [one.text for one in found.iter("title")] == ["t", "a: n 5", "b: n 6", "d: n 0"]


@pytest.mark.parametrize(
    ("highest", "scale"),
    [
        (3, ["0", "1", "2", "3", "4"]),
        (9, ["0", "3", "6", "9", "12"]),
        (22, ["0", "6", "12", "18", "24"]),
        (41, ["0", "15", "30", "45", "60"]),
        (101, ["0", "30", "60", "90", "120"]),
    ],
)
def test_the_scale_is_round_and_the_highest_bar_fills_it(highest: int, scale: list[str]) -> None:
    found = picture(bar_chart("t", ["a"], [Series("n", [highest], "tone-a")]))

    assert [one.text for one in found.iter("text")][:5] == scale


@pytest.mark.parametrize("width", [WIDE, NARROW, PHONE])
@pytest.mark.parametrize("count", [7, 14, 25, 30])
def test_no_day_is_cut_off_at_the_end(width: int, count: int) -> None:
    found = picture(bar_chart("t", ["25. Nov."] * count, [Series("n", [1] * count, "tone-a")], width=width))
    *_, last = (one for one in found.iter("text") if one.text == "25. Nov.")

    ends = float(last.get("x", 0)) + (0 if last.get("class") == "chart-last" else 40)
    assert ends <= width
