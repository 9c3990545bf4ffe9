"""The overview's two charts, and numbers and days as each language writes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from babel.dates import format_skeleton
from babel.numbers import format_compact_decimal, format_decimal, get_currency_precision
from markupsafe import Markup

from connector.install.owner.figures import PURCHASES, Figures
from connector.pages.charts import NARROW, WIDE, Series, bar_chart, line_chart, on_desk_and_phone
from connector.pages.translating import Translator

__all__ = ["Charts", "amounts", "charts", "day_names", "short_amounts", "whole_numbers"]

_TONES = ("tone-a", "tone-b", "tone-c", "tone-d")
_WITHOUT_DIGITS, _SHORTENED = 1e6, 1e8
_SHOWN_NAMES = 3  # the rest is one series of its own


@dataclass(frozen=True, slots=True)
class Charts:
    """Pictures with the series they show. `all_values` are every currency's, for the table; pictures take four."""

    counts: Markup
    count_series: Sequence[Series]
    values: Markup
    value_series: Sequence[Series]
    all_values: Sequence[Series]


def charts(translate: Translator, found: Figures) -> Charts:
    """Of these figures."""
    labels = list(map(day_names(translate), (day.date for day in found.days)))
    counts = _count_series(translate, found)
    tones = (*_TONES, *("",) * len(found.currencies))
    values = [
        Series(currency, [day.values.get(currency, 0.0) for day in found.days], tone)
        for currency, tone in zip(found.currencies, tones, strict=False)
    ]
    drawn = values[: len(_TONES)]
    return Charts(
        counts=on_desk_and_phone(bar_chart, translate("owner.overview.events_chart"), labels, counts, width=WIDE),
        count_series=counts,
        values=on_desk_and_phone(line_chart, translate("owner.overview.value_chart"), labels, drawn, width=NARROW),
        value_series=drawn,
        all_values=values,
    )


def day_names(translate: Translator) -> Callable[[date], str]:
    """Day and month: Nov 25, 25. Nov., 25 nov."""
    return lambda day: format_skeleton("MMMd", day, locale=translate.language)


def whole_numbers(translate: Translator) -> Callable[[float], str]:
    """With the language's thousands."""
    return lambda number: format_decimal(round(number), "#,##0", locale=translate.language)


def amounts(translate: Translator) -> Callable[[float, str], str]:
    """An amount with as many digits as its currency has."""

    def shown(value: float, currency: str) -> str:
        digits = "0" * get_currency_precision(currency)
        return format_decimal(value, f"#,##0.{digits}".rstrip("."), locale=translate.language)

    return shown


def short_amounts(translate: Translator) -> Callable[[float, str], str]:
    """As `amounts`, but what is too long for its place is shortened: 2.96B, 2,96 Mrd."""
    exactly, whole = amounts(translate), whole_numbers(translate)

    def shown(value: float, currency: str) -> str:
        if value < _WITHOUT_DIGITS:
            return exactly(value, currency)
        if value < _SHORTENED:
            return whole(value)
        return format_compact_decimal(value, locale=translate.language, fraction_digits=2)

    return shown


def _event_name(translate: Translator, name: str) -> str:
    """As the settings name it; an event of the owner's own keeps its name."""
    key = "event." + ("CompletePayment" if name in PURCHASES else name)
    return translate(key) if translate.has(key) else name


def _count_series(translate: Translator, found: Figures) -> list[Series]:
    shown, rest = found.names[:_SHOWN_NAMES], found.names[_SHOWN_NAMES:]
    series = [
        Series(_event_name(translate, name), [day.counts.get(name, 0) for day in found.days], tone)
        for name, tone in zip(shown, _TONES, strict=False)
    ]
    if rest:
        others = [sum(day.counts.get(name, 0) for name in rest) for day in found.days]
        series.append(Series(translate("owner.overview.others"), others, _TONES[_SHOWN_NAMES]))
    return series
