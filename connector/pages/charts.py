"""Bar and line charts as inline SVG, drawn on the server: no script, no library, readable without colours.

Each chart is one picture with a title; the same numbers stand in a table beside it, so nothing hangs on seeing it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Protocol

from markupsafe import Markup

__all__ = ["NARROW", "PHONE", "WIDE", "Chart", "Series", "bar_chart", "line_chart", "on_desk_and_phone"]

HEIGHT = 230
WIDE, NARROW, PHONE = 960, 480, 340  # in the units of the text, so that it looks alike in all of them
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 8, 10, 26
_PLOT_HEIGHT = HEIGHT - _TOP - _BOTTOM
_MOST_LABELS, _LABEL_WIDTH = 7, 80
_LINES = 4


_CLASSES = {WIDE: " chart-wide", PHONE: " chart-phone"}
_ROUND = (1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Series:
    """One row of numbers; `style` is a CSS class that the stylesheet colours. None is a time with nothing to measure:
    a line has a gap there, since 0 would be an answer.
    """

    name: str
    values: Sequence[float | None]
    style: str


def bar_chart(title: str, labels: Sequence[str], series: Sequence[Series], *, width: int = WIDE) -> Markup:
    """Stacked bars, one per label. Each bar's tooltip names its numbers."""
    totals = [sum(one.values[at] or 0.0 for one in series) for at in range(len(labels))]
    top = _round_up(max(totals, default=0.0))
    step = _step(labels, width)
    bars = Markup("").join(_bar(at, label, series, top, step) for at, label in enumerate(labels))
    return _picture(title, labels, top, bars, width)


def line_chart(title: str, labels: Sequence[str], series: Sequence[Series], *, width: int = WIDE) -> Markup:
    """One line per series, with a dot and a tooltip per label; nothing where there is no value."""
    top = _round_up(max((value for one in series for value in one.values if value is not None), default=0.0))
    lines = Markup("").join(_line(one, labels, top, width) for one in series)
    return _picture(title, labels, top, lines, width)


class Chart(Protocol):
    """Either kind."""

    def __call__(self, title: str, labels: Sequence[str], series: Sequence[Series], *, width: int) -> Markup:
        """The picture."""
        ...


def on_desk_and_phone(
    draw: Chart, title: str, labels: Sequence[str], series: Sequence[Series], *, width: int
) -> Markup:
    """Drawn twice, since text in a picture shrinks with it; the stylesheet shows the one that fits the screen."""
    return Markup('<div class="for-desk">{}</div><div class="for-phone">{}</div>').format(
        draw(title, labels, series, width=width), draw(title, labels, series, width=PHONE)
    )


def _bar(at: int, label: str, series: Sequence[Series], top: float, step: float) -> Markup:
    parts, base = [], float(_TOP + _PLOT_HEIGHT)
    for one in series:
        height = (one.values[at] or 0.0) / top * _PLOT_HEIGHT
        if height <= 0:
            continue
        base -= height
        parts.append(
            Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="1.5"/>').format(
                one.style, _n(_LEFT + at * step + step * 0.15), _n(base), _n(step * 0.7), _n(height)
            )
        )
    numbers = ", ".join(f"{one.name} {_short(value)}" for one in series if (value := one.values[at]))
    tooltip = Markup("<title>{}: {}</title>").format(label, numbers or "0")
    hit = Markup('<rect class="chart-hit" x="{}" y="{}" width="{}" height="{}"/>').format(
        _n(_LEFT + at * step), _TOP, _n(step), _PLOT_HEIGHT
    )
    return Markup("<g>{}{}{}</g>").format(tooltip, hit, Markup("").join(parts))


def _line(one: Series, labels: Sequence[str], top: float, width: int) -> Markup:
    step, runs, dots = _step(labels, width), [list[str]()], []
    for at, value in enumerate(one.values):
        if value is None:
            runs.append([])
            continue
        x, y = _n(_LEFT + (at + 0.5) * step), _n(_TOP + _PLOT_HEIGHT - value / top * _PLOT_HEIGHT)
        runs[-1].append(f"{x},{y}")
        dots.append(
            Markup('<circle class="{}" cx="{}" cy="{}" r="3"><title>{}: {} {}</title></circle>').format(
                one.style, x, y, labels[at], one.name, _short(value)
            )
        )
    lines = [
        Markup('<polyline class="chart-line {}" points="{}"/>').format(one.style, " ".join(run))
        for run in runs
        if run
    ]
    return Markup("").join([*lines, *dots])


def _step(labels: Sequence[str], width: int) -> float:
    return (width - _LEFT - _RIGHT) / max(len(labels), 1)


def _picture(title: str, labels: Sequence[str], top: float, inside: Markup, width: int) -> Markup:
    return Markup(
        '<div class="chart-scroll"><svg class="chart{}" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        "<title>{}</title>{}{}{}</svg></div>"
    ).format(
        _CLASSES.get(width, ""),
        width,
        HEIGHT,
        title,
        title,
        _scale(top, width),
        inside,
        _days(labels, width),
    )


def _scale(top: float, width: int) -> Markup:
    rows = []
    for number in range(_LINES + 1):
        y = _TOP + _PLOT_HEIGHT - number / _LINES * _PLOT_HEIGHT
        rows.append(
            Markup('<line class="chart-grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text x="{}" y="{}">{}</text>').format(
                _LEFT, width - _RIGHT, _n(y), _n(y), _LEFT - 6, _n(y + 4), _short(top * number / _LINES)
            )
        )
    return Markup('<g class="chart-scale">{}</g>').format(Markup("").join(rows))


def _days(labels: Sequence[str], width: int) -> Markup:
    step = _step(labels, width)
    every = ceil(len(labels) / min(_MOST_LABELS, width // _LABEL_WIDTH)) or 1
    shown = (
        _day(label, _LEFT + (at + 0.5) * step, width)
        for at, label in enumerate(labels)
        if (len(labels) - 1 - at) % every == 0
    )
    return Markup('<g class="chart-days">{}</g>').format(Markup("").join(shown))


def _day(label: str, x: float, width: int) -> Markup:
    """A name under its bar; the last one ends with the picture, which would cut it off."""
    is_last = x + _LABEL_WIDTH / 2 > width
    return Markup('<text{} x="{}" y="{}">{}</text>').format(
        Markup(' class="chart-last"') if is_last else "", _n(width - 1 if is_last else x), HEIGHT - 8, label
    )


def _round_up(value: float) -> float:
    """The next of 4, 8, 12, 16, 20, 24, 32, 40, 60, 80, 100, 120 …: four lines stand at round numbers, whole ones
    for what is counted in whole ones, and the highest bar reaches well up.
    """
    if value <= 8:
        return 4.0 if value <= 4 else 8.0
    power = max(10 ** floor(log10(value)), 10)
    return next(float(round(step * power)) for step in (*_ROUND, 12) if value <= step * power)


def _short(value: float) -> str:
    """1,234,567 as 1.2M; whole numbers without a point."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if sign == 'k' else size):.3g}{sign}"
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
