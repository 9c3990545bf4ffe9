"""Events that each belong to another store: a call to TikTok for each, as with a hundred thousand small stores."""

import time
from collections.abc import Iterator

from tests.bench.memory import seed_backlog
from tests.bench.places import new_place
from tests.bench.report import Row, fact
from tests.bench.road import open_road
from tests.bench.sizes import Sizes
from tests.bench.workload import PIXEL_CODE
from tests.installations import add_installation

__all__ = ["measure_scattered"]

_STALLED_SECONDS = 300.0


def measure_scattered(sizes: Sizes) -> Iterator[Row]:
    """One worker, as many stores as events."""
    for kind in sizes.databases:
        with new_place(kind) as place:
            stores = [f"scattered-{number}" for number in range(sizes.scattered)]
            for name in stores:
                add_installation(place.storage, name, pixel_code=PIXEL_CODE)
            seed_backlog(place, len(stores), stores)
            with open_road(place, receivers=0) as road:
                worker, end_at = road.workers[0], time.monotonic() + _STALLED_SECONDS
                before, began = road.tiktok.counted(), worker.cpu_seconds()
                while (counted := road.tiktok.counted()).accepted < len(stores) and time.monotonic() < end_at:
                    time.sleep(0.05)
                spent = (worker.cpu_seconds() - began) / max(counted.accepted - before.accepted, 1)
        words = f"{kind}, {len(stores):,} events of as many stores"
        yield fact(f"processor of deliver for each call, {words}", spent * 1e6, "µs")
        lost = len(stores) - counted.accepted
        yield Row(f"accepted of {words}", f"{lost} lost", budget="none", passed=not lost)
