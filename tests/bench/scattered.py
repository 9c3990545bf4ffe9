"""Events that each belong to another store: a call to TikTok for each, as with a hundred thousand small stores."""

import time
from collections.abc import Iterator

from sqlalchemy import select

from connector.storage.tables_reconcile import MaintenanceTask
from tests.bench.memory import seed_backlog
from tests.bench.places import Place, new_place
from tests.bench.report import Row, fact
from tests.bench.road import open_road
from tests.bench.sizes import Sizes
from tests.bench.workload import PIXEL_CODE
from tests.installations import add_installation

__all__ = ["measure_scattered"]

_STALLED_SECONDS = 300.0
_WATCHERS = ("watch_webhooks", "watch_storefronts")


def measure_scattered(sizes: Sizes) -> Iterator[Row]:
    """One worker, as many stores as events."""
    for kind in sizes.databases:
        with new_place(kind) as place:
            stores = [f"scattered-{number}" for number in range(sizes.scattered)]
            for name in stores:
                add_installation(place.storage, name, pixel_code=PIXEL_CODE)
            with open_road(place, receivers=0) as road:
                _wait_for_watchers(place)
                worker, end_at = road.workers[0], time.monotonic() + _STALLED_SECONDS
                before, began = road.tiktok.counted(), worker.cpu_seconds()
                seed_backlog(place, len(stores), stores)
                while (counted := road.tiktok.counted()).accepted < len(stores) and time.monotonic() < end_at:
                    time.sleep(0.05)
                spent = (worker.cpu_seconds() - began) / max(counted.accepted - before.accepted, 1)
        words = f"{kind}, {len(stores):,} events of as many stores"
        yield fact(f"processor of deliver for each call, {words}", spent * 1e6, "µs")
        lost = len(stores) - counted.accepted
        yield Row(f"accepted of {words}", f"{lost} lost", budget="none", passed=not lost)


def _wait_for_watchers(place: Place) -> None:
    """What comes for each store once a quarter of an hour is over: it is no cost of a call."""
    table = MaintenanceTask.__table__  # type: ignore[attr-defined]
    done = select(table.c.name).where(table.c.name.in_(_WATCHERS), table.c.finished_at.is_not(None))
    end_at = time.monotonic() + _STALLED_SECONDS
    while time.monotonic() < end_at:
        with place.storage.database.read() as connection:
            if len(connection.execute(done).all()) == len(_WATCHERS):
                return
        time.sleep(0.2)
    raise RuntimeError("the stores were not looked after in time")
