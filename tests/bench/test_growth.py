"""The simulation behind the table of `connector/ARCHITECTURE.md`: what it keeps to, and that the table follows it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.growth import AVERAGE_DAY, BLACK_FRIDAY, Day, Fleet, arrivals, simulate, sized

_ARCHITECTURE = Path(__file__).resolve().parents[2] / "connector" / "ARCHITECTURE.md"
_SMALL = replace(AVERAGE_DAY, events=86_400 * 20.0, stores=500)


def _counts(word: str) -> list[int]:
    """The numbers of the table's row that begins with that word."""
    (row,) = re.findall(rf"^\| {word}[^|]*\|([^|]+)\|([^|]+)\|$", _ARCHITECTURE.read_text(), re.MULTILINE)
    return [int(cell) for cell in row]


@pytest.mark.parametrize(("column", "day"), tuple(enumerate((AVERAGE_DAY, BLACK_FRIDAY))))
def test_the_published_counts_hold_their_day(column: int, day: Day) -> None:
    published = Fleet(*(_counts(word)[column] for word in ("receivers", "workers", "cores of PostgreSQL")))

    found = simulate(day, published)

    assert found.holds
    assert published == sized(day)
    assert max(found.receivers, found.workers, found.database) < 0.95


def test_a_day_is_the_same_day_again_and_has_its_events() -> None:
    assert list(arrivals(_SMALL, 1)) == list(arrivals(_SMALL, 1)) != list(arrivals(_SMALL, 2))
    plain = replace(_SMALL, rush=1.0, midnight=1.0)
    assert sum(arrivals(plain, 1)) == pytest.approx(plain.events, rel=0.02)


def test_too_few_workers_leave_a_backlog_and_fill_their_calls() -> None:
    enough, few = simulate(_SMALL, sized(_SMALL)), simulate(_SMALL, Fleet(2, 1, 2))
    tight = simulate(replace(_SMALL, events=_SMALL.events * 8), Fleet(2, 1, 2))

    assert enough.holds
    assert enough.p95 <= few.p95 < tight.p95
    assert tight.backlog > few.backlog
    assert tight.events_per_call > enough.events_per_call
