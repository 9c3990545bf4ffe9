"""Whether a webhook costs as much after ten million others as after ten thousand.

A few trees have keys that come in no order (digests, event ids): each new row falls somewhere in them. A server that
wrote its history has them in memory; here the history was written past the program, so they are read in before. How
much that is stands in the table, and so does the cost without it, as after the machine's restart.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connector.intake.processing import Processor
from connector.storage.arrivals import Arrival, ArrivalWriter, digest_of
from tests.bench.history import STORES, add_stores, seed_history
from tests.bench.page_cache import forget, read_scattered_trees
from tests.bench.places import Place, new_place
from tests.bench.report import Row, compared, fact
from tests.bench.sizes import Sizes
from tests.bench.workload import ORDER, VIEW, Template

__all__ = ["flat_rows", "measure_flat"]

_GROUP = 64
_WARMING = 5  # groups that are not counted


def measure_flat(sizes: Sizes) -> Iterator[Row]:
    """Intake and processing of the same webhooks over a little and over a large history, in turn."""
    for kind in sizes.databases:
        with new_place(kind) as place:
            began = time.perf_counter()
            add_stores(place)
            seed_history(place, 0, sizes.history, sizes.history)
            yield fact(f"history, {kind}, {sizes.history:,} webhooks, seeded", time.perf_counter() - began, "s")
            yield from flat_rows(place, sizes)


def flat_rows(place: Place, sizes: Sizes) -> Iterator[Row]:
    """The same at a place that has its history already."""
    words = f"intake and processing of an event, {place.kind}, {sizes.history:,} rows of history"
    with new_place(place.kind) as small:
        add_stores(small)
        seed_history(small, 0, sizes.little_history, sizes.little_history)
        against = f"{sizes.little_history:,} rows: "
        forget(place)
        little, large = _costs((small, place), 0, sizes.flat)
        cold = f"{words}, nothing of it in memory"
        yield compared(cold, _figures(large), against + _figures(little), large.seconds / little.seconds)
        trees = read_scattered_trees(place)
        little, large = _costs((small, place), 10 * sizes.flat, sizes.flat)
        yield compared(words, _figures(large), against + _figures(little), large.seconds / little.seconds, most=1.3)
    yield fact(f"history of that row, {place.kind}", place.size_bytes() / 1e9, "GB on disk")
    yield fact(f"trees of that row whose keys come in no order, {place.kind}", trees / 1e9, "GB")


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of one event, in seconds: by the clock (median of the groups), and of this process' processor (mean)."""

    seconds: float
    processor: float


def _figures(cost: _Cost) -> str:
    return f"{cost.seconds * 1e6:,.0f} µs, {cost.processor * 1e6:,.0f} µs processor"


def _costs(places: Sequence[Place], begin: int, count: int) -> list[_Cost]:
    """Group by group, each group at every place in turn, so that a slow minute of the machine meets them all. `begin`
    numbers the first webhook: none may have been there before.
    """
    roads = [_Road(place) for place in places]
    for first in range(begin, begin + count + _WARMING * _GROUP, _GROUP):
        for road in roads:
            road.take(first)
    return [road.end() for road in roads]


class _Road:
    """A journal's writer and a processor over one place, without threads between them."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._templates = [Template(ORDER), Template(VIEW)]
        self._processor = Processor(place.storage, 30.0)
        self._writer = ArrivalWriter(place.storage.database)
        self._spans: list[tuple[float, float]] = []

    def take(self, first: int) -> None:
        """Commit and process one group of webhooks."""
        arrivals = [_arrival(self._place, self._templates[n % 2], n) for n in range(first, first + _GROUP)]
        started, spent = time.perf_counter(), time.process_time()
        self._writer.write(arrivals)
        while self._processor.run_once():
            pass
        self._spans.append((time.perf_counter() - started, time.process_time() - spent))

    def end(self) -> _Cost:
        """What an event cost."""
        self._writer.close()
        counted = self._spans[_WARMING:]
        return _Cost(
            statistics.median(seconds for seconds, _ in counted) / _GROUP,
            statistics.mean(spent for _, spent in counted) / _GROUP,
        )


def _arrival(place: Place, template: Template, number: int) -> Arrival:
    body, store = template.body(number).body, STORES[number // 2 % len(STORES)]
    return Arrival(
        id=place.storage.new_id(),
        installation_id=store,
        topic=template.topic,
        received_at=place.storage.now(),
        digest=digest_of(store, template.topic, body),
        headers="{}",
        body=body,
    )
