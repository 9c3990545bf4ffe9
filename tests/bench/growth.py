"""What 100,000 stores need, simulated: a day's curve of webhooks through receivers, PostgreSQL and workers.

Pure and seeded, second by second. Each stage is a queue that is worked off at the cost the other rows of the bench
measured. Assumed, not measured: machines add up (PostgreSQL to 16 cores); stores are alike; TikTok answers in a
fifth of a second and never throttles; the hours of a day as below; a rush after each full hour; on Black Friday the
busiest hour has five times the average day's mean, and at midnight doors open.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.report import Row
from tests.bench.sizes import Sizes

__all__ = ["AVERAGE_DAY", "BLACK_FRIDAY", "COSTS", "Costs", "Day", "Fleet", "measure_growth", "simulate", "sized"]

_SHAPE = (  # of the events of a day, hour by hour in UTC: Europe's evening, then America's
    0.55, 0.45, 0.40, 0.40, 0.45, 0.55, 0.70, 0.90, 1.05, 1.15, 1.20, 1.20,
    1.20, 1.15, 1.15, 1.20, 1.25, 1.40, 1.55, 1.65, 1.55, 1.30, 1.00, 0.60,
)  # fmt: skip
_TIKTOK_SECONDS = 0.2
_WAKING_SECONDS = 0.1  # NOTIFY, gathering
_MOST_P95 = 2.0
_MOST_EVENTS = 250  # in one call
_CALLS_AT_ONCE = 64  # of one worker


@dataclass(frozen=True, slots=True)
class Costs:
    """Processor time in microseconds. `call` comes once for each call to TikTok, however many events are in it."""

    receive: float = 165.0
    process: float = 190.0
    deliver: float = 140.0
    call: float = 5_000.0
    database_receive: float = 130.0
    database_work: float = 320.0
    database_call: float = 1_500.0


COSTS = Costs()


@dataclass(frozen=True, slots=True)
class Day:
    """`events` of all stores in 24 hours; `rush`: how many times the hour's rate the first minute of an hour is."""

    name: str
    events: float
    stores: int
    rush: float
    midnight: float


AVERAGE_DAY = Day("an average day", 3_535 * 86_400.0, 100_000, rush=1.3, midnight=1.3)
BLACK_FRIDAY = Day("Black Friday", 5 / 1.65 * 3_535 * 86_400.0, 100_000, rush=1.5, midnight=4.0)


@dataclass(frozen=True, slots=True)
class Fleet:
    """How many of each; a receiver and a worker are a core each."""

    receivers: int
    workers: int
    database_cores: int


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a day did to a fleet: the busiest minute's load, 0 to 1; latency in seconds; the longest queue."""

    p50: float
    p95: float
    backlog: float
    receivers: float
    workers: float
    database: float
    events_per_call: float

    @property
    def holds(self) -> bool:
        """Whether TikTok has nineteen of twenty events within the budget."""
        return self.p95 <= _MOST_P95


def arrivals(day: Day, seed: int) -> Iterator[float]:
    """Events of each second: the hour's rate, a rush after each full hour, chance."""
    chance, mean = random.Random(seed), day.events / 86_400 / (sum(_SHAPE) / 24)
    for second in range(86_400):
        hour, into = divmod(second, 3600)
        rate = mean * (_SHAPE[hour] + (_SHAPE[(hour + 1) % 24] - _SHAPE[hour]) * into / 3600)
        height = day.midnight if hour == 0 else day.rush
        rate *= 1 + (height - 1) * math.exp(-into / 120)
        yield max(chance.gauss(rate, math.sqrt(rate)), 0.0)


def simulate(day: Day, fleet: Fleet, costs: Costs = COSTS, *, seed: int = 1) -> Simulated:
    """The day, second by second. Receivers come first at the database: what is stored can wait."""
    at_door = waiting = backlog = calls = sent = 0.0
    spans: list[tuple[float, float]] = []  # seconds until acceptance, events
    loads: list[tuple[float, float, float]] = []
    for new in arrivals(day, seed):
        at_door += new
        database = fleet.database_cores * 1e6
        stored = min(at_door, fleet.receivers * 1e6 / costs.receive, database / costs.database_receive)
        at_door, waiting = at_door - stored, waiting + stored
        batch = _events_per_call(waiting, day.stores)
        own = costs.process + costs.deliver + costs.call / batch
        theirs = costs.database_work + costs.database_call / batch
        database_left = database - stored * costs.database_receive
        in_flight = fleet.workers * _CALLS_AT_ONCE / _TIKTOK_SECONDS * batch
        capacity = min(fleet.workers * 1e6 / own, in_flight, database_left / theirs)
        done = min(waiting, capacity)
        waiting -= done
        calls, sent = calls + done / batch, sent + done
        backlog = max(backlog, waiting + at_door)
        late = at_door / max(stored, 1.0) + (waiting + done / 2) / max(capacity, 1.0)
        spans.append((late + _WAKING_SECONDS + _TIKTOK_SECONDS, new))
        used = (stored * costs.database_receive + done * theirs) / database
        loads.append((stored * costs.receive / fleet.receivers / 1e6, done * own / fleet.workers / 1e6, used))
    peak = [max(_minutes([load[part] for load in loads])) for part in range(3)]
    return Simulated(_share(spans, 0.5), _share(spans, 0.95), backlog, *peak, sent / max(calls, 1.0))


def _events_per_call(waiting: float, stores: int) -> float:
    """What waits, over the stores that have any of it; a longer backlog makes fuller calls."""
    if waiting < 1:
        return 1.0
    return min(waiting / (stores * -math.expm1(-waiting / stores)), float(_MOST_EVENTS))


def _minutes(loads: list[float]) -> list[float]:
    return [sum(loads[start : start + 60]) / 60 for start in range(0, len(loads), 60)]


def _share(spans: list[tuple[float, float]], share: float) -> float:
    """The latency that this share of all events did not exceed."""
    left = share * sum(events for _, events in spans)
    for seconds, events in sorted(spans):
        left -= events
        if left <= 0:
            return seconds
    return spans[-1][0]


def sized(day: Day, costs: Costs = COSTS, *, seed: int = 1) -> Fleet:
    """As many as the busiest minute needs: receivers half loaded, workers and database at five sixths.

    Each event is a call of its own there: a hundred thousand stores have seldom two events at the same moment.
    """
    peak = max(_minutes(list(arrivals(day, seed))))
    own = max(costs.process + costs.deliver + costs.call, _TIKTOK_SECONDS * 1e6 / _CALLS_AT_ONCE)
    theirs = costs.database_receive + costs.database_work + costs.database_call
    return Fleet(
        max(2, math.ceil(peak * costs.receive / 1e6 * 2)),
        max(2, math.ceil(peak * own / 1e6 * 1.2)),
        max(2, math.ceil(peak * theirs / 1e6 * 1.2)),
    )


def measure_growth(sizes: Sizes) -> Iterator[Row]:
    """Each day with as many machines as its busiest minute needs."""
    del sizes  # a simulation is as quick as it is
    for day in (AVERAGE_DAY, BLACK_FRIDAY):
        fleet = sized(day)
        found = simulate(day, fleet)
        words = f"simulated, {day.stores:,} stores, {day.name}: {fleet.receivers} receivers, {fleet.workers} workers"
        yield Row(
            f"{words}, {fleet.database_cores} cores of PostgreSQL",
            f"p50 {found.p50:.1f} s, p95 {found.p95:.1f} s; backlog at most {found.backlog:,.0f}",
            f"busiest minute: receivers {found.receivers:.0%}, workers {found.workers:.0%}, "
            f"PostgreSQL {found.database:.0%}; {found.events_per_call:.2f} events a call",
            budget=f"p95 at most {_MOST_P95:g} s",
            passed=found.holds,
        )
