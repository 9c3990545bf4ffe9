"""Whether a webhook costs as much after ten million others as after ten thousand."""

import statistics
import time
from collections.abc import Iterator

from connector.intake.processing import Processor
from connector.storage.arrivals import Arrival, ArrivalWriter, digest_of
from tests.bench.history import STORES, add_stores, seed_history
from tests.bench.places import Place, new_place
from tests.bench.report import Row, compared, fact
from tests.bench.sizes import Sizes
from tests.bench.workload import ORDER, VIEW, Template

__all__ = ["event_cost", "measure_flat"]

_GROUP = 64
_WARMING = 5  # groups that are not counted


def measure_flat(sizes: Sizes) -> Iterator[Row]:
    """Intake and processing of the same webhooks over a little and over a large history."""
    for kind in sizes.databases:
        with new_place(kind) as place:
            add_stores(place)
            seed_history(place, 0, sizes.little_history, sizes.history)
            little = event_cost(place, sizes.flat, 0)
            started = time.perf_counter()
            seed_history(place, sizes.little_history, sizes.history, sizes.history)
            seeding = time.perf_counter() - started
            large = event_cost(place, sizes.flat, sizes.flat)
            size = place.size_bytes()
        words = f"intake and processing of an event, {kind}, {sizes.history:,} rows of history"
        against = f"{sizes.little_history:,} rows: {little * 1e6:,.0f} µs"
        yield compared(words, f"{large * 1e6:,.0f} µs", against, large / little, most=1.3)
        yield fact(f"history of that row, {kind}, seeded in {seeding:.0f} s", size / 1e9, "GB on disk")


def event_cost(place: Place, count: int, start: int) -> float:
    """Seconds of one event: the median of groups of 64, each committed and processed."""
    templates = [Template(ORDER), Template(VIEW)]
    processor = Processor(place.storage, 30.0)
    writer = ArrivalWriter(place.storage.database)
    spans = []
    for first in range(start, start + count + _WARMING * _GROUP, _GROUP):
        arrivals = [_arrival(place, templates[n % 2], n) for n in range(first, first + _GROUP)]
        started = time.perf_counter()
        writer.write(arrivals)
        while processor.run_once():
            pass
        spans.append((time.perf_counter() - started) / _GROUP)
    writer.close()
    return statistics.median(spans[_WARMING:])


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
