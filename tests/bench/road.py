"""The whole road: signed webhooks in at `serve`, accepted events at the stand-in TikTok, every process on its own."""

import statistics
import time
from collections.abc import Iterator, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import select

from connector.storage.tables import ProcessHeartbeat
from tests.bench.load import LoadResult, LoadSpec, prepared_load
from tests.bench.places import INSTALLATION, Place, Program, new_place, program
from tests.bench.report import Row, at_least, at_most, fact
from tests.bench.sizes import Sizes
from tests.bench.stand_in import Counted, StandIn, stand_in
from tests.bench.workload import CART, EVENT_KINDS, ORDER, VIEW

__all__ = ["Road", "measure_latency", "measure_road", "open_road", "wait_for_events"]

_PATH = f"/webhooks/woocommerce/{INSTALLATION}"
_STALLED_SECONDS = 60.0
_LAYOUTS = (("sqlite", 1, 1), ("postgresql", 1, 1), ("postgresql", 2, 2))
# A shop's day: many look, some put in the cart, few buy.
_MIXED = (VIEW, VIEW, CART, VIEW, VIEW, CART, VIEW, ORDER)


@dataclass(frozen=True)
class Road:
    """Everything that runs for one measurement."""

    place: Place
    tiktok: StandIn
    receivers: list[Program]
    workers: list[Program]

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time so far, by part; a worker is a process that sends and a child of it that maps."""
        sending, mapping = zip(*(one.cpu_seconds_each() for one in self.workers), strict=True)
        return {
            "serve": sum(one.cpu_seconds() for one in self.receivers),
            "map": sum(mapping),
            "send": sum(sending),
            "stand-in": self.tiktok.running.cpu_seconds(),
        }


@contextmanager
def open_road(place: Place, receivers: int = 1, workers: int = 1) -> Iterator[Road]:
    """Start the stand-in, `serve --no-delivery` and `deliver`, as often as told, over a database."""
    with ExitStack() as stack:
        tiktok = stack.enter_context(stand_in(place))
        environment = place.environment(tiktok.url)
        deliver, serve = (
            ["-m", "connector", "deliver"],
            ["-m", "connector", "serve", "--no-delivery", "--port", "{port}"],
        )
        working = [stack.enter_context(program(deliver, environment, listens=False)) for _ in range(workers)]
        started = [stack.enter_context(program(serve, environment)) for _ in range(receivers)]
        _wait_for_heartbeats(place, workers)
        yield Road(place, tiktok, started, working)


def _wait_for_heartbeats(place: Place, workers: int) -> None:
    """Workers listen to nobody: their first heartbeat says that they have started."""
    end_at = time.monotonic() + _STALLED_SECONDS
    beats = select(ProcessHeartbeat.__table__).where(ProcessHeartbeat.__table__.c.role == "deliver")
    while time.monotonic() < end_at:
        with place.storage.database.read() as connection:
            if len(connection.execute(beats).all()) >= workers:
                return
        time.sleep(0.05)
    raise RuntimeError("a worker did not start in time")


def measure_road(sizes: Sizes) -> Iterator[Row]:
    """Orders of 4 KB as fast as they are taken, until TikTok has accepted the last."""
    for kind, receivers, workers in _LAYOUTS:
        if kind not in sizes.databases:
            continue
        name = f"whole road, {kind}, {receivers} serve + {workers} deliver"
        rounds = [_one(sizes, kind, receivers, workers, (ORDER,)) for _ in range(sizes.repeats)]
        yield from _rows(name, rounds, {"serve": receivers, "map": workers, "send": workers})
        mixed = _one(sizes, kind, receivers, workers, _MIXED)
        yield fact(f"{name}, 5 views and 2 cart additions for each order", mixed.rate, "/s")


@dataclass(frozen=True, slots=True)
class _Round:
    load: LoadResult
    counted: Counted
    sent: int
    cpu_us: dict[str, float]  # per event, by part

    @property
    def rate(self) -> float:
        """Events a second, from the first byte sent to the last event accepted."""
        return self.counted.accepted / (self.counted.last_at - self.load.first_at)


def _one(sizes: Sizes, kind: str, receivers: int, workers: int, samples: tuple[str, ...]) -> _Round:
    with new_place(kind) as place, open_road(place, receivers, workers) as road:
        spec = LoadSpec(
            ports=tuple(one.port for one in road.receivers), path=_PATH, count=sizes.road,
            connections=sizes.connections, samples=samples,
        )  # fmt: skip
        with prepared_load(spec) as load:
            before = road.cpu_seconds()
            result = load.run()
        counted = _wait_for(road.tiktok, sizes.road)
        spent = {part: after - before[part] for part, after in road.cpu_seconds().items()}
    spent["load"] = result.cpu_seconds
    return _Round(result, counted, sizes.road, {part: each / sizes.road * 1e6 for part, each in spent.items()})


def _wait_for(tiktok: StandIn, count: int) -> Counted:
    """Until that many are accepted, or nothing has moved for a minute; then a moment for copies to show."""
    counted, moved_at = tiktok.counted(), time.monotonic()
    while counted.accepted < count and time.monotonic() - moved_at < _STALLED_SECONDS:
        time.sleep(0.1)
        now = tiktok.counted()
        if now.accepted != counted.accepted:
            moved_at = time.monotonic()
        counted = now
    time.sleep(0.5)
    return tiktok.counted()


def wait_for_events(tiktok: StandIn, event_ids: Set[str]) -> dict[str, float]:
    """Unix time of each event's acceptance, when these are all there. Raises RuntimeError when some never come."""
    end_at = time.monotonic() + _STALLED_SECONDS
    while missing := event_ids - (accepted := tiktok.times()).keys():
        if time.monotonic() > end_at:
            raise RuntimeError(f"{len(missing)} of {len(event_ids)} webhooks never became an accepted event")
        time.sleep(0.5)
    return accepted


def _rows(name: str, rounds: list[_Round], processes: dict[str, int]) -> Iterator[Row]:
    rate = statistics.median(one.rate for one in rounds)
    yield at_least(f"{name}, accepted at TikTok, load and stand-in on the same cores", rate, "events/s", 1500)
    lost = sum(one.sent - one.counted.accepted for one in rounds)
    double = sum(one.counted.received - one.counted.accepted for one in rounds)
    refused = sum(one.load.refused for one in rounds)
    yield Row(
        f"{name}, of {sum(one.sent for one in rounds):,} webhooks",
        f"{lost} lost, {double} double, {refused} refused",
        budget="none",
        passed=not (lost or double or refused),
    )
    cpu = {part: statistics.median(one.cpu_us[part] for one in rounds) for part in rounds[0].cpu_us}
    spent = ", ".join(f"{part} {each:.0f}" for part, each in cpu.items())
    yield Row(f"{name}, processor time of each event", f"{spent} µs")
    # Two cores have two seconds of processor a second, and no interpreter can use more than one of them.
    each_alone = max(cpu[part] / count for part, count in processes.items())
    alone = 1e6 / max(each_alone, sum(cpu[part] for part in processes) / 2)
    yield at_least(f"{name}, computed from that for load and stand-in elsewhere", alone, "events/s", 3000)


def measure_latency(sizes: Sizes) -> Iterator[Row]:
    """From a webhook's first byte to its event's acceptance, at a steady rate and with the settings as they come."""
    for kind in sizes.databases:
        spans = sorted(_latencies(sizes, kind))
        name = f"webhook to acceptance, {kind}, {sizes.latency_rate}/s"
        yield fact(f"{name}, p50", spans[len(spans) // 2], "s")
        yield at_most(f"{name}, p95", spans[min(int(len(spans) * 0.95), len(spans) - 1)], "s", 2)


def _latencies(sizes: Sizes, kind: str) -> list[float]:
    count = int(sizes.latency_rate * sizes.latency_seconds)
    with new_place(kind) as place, open_road(place) as road:
        time.sleep(1)
        spec = LoadSpec(
            ports=(road.receivers[0].port,), path=_PATH, count=count, rate=sizes.latency_rate, close=True,
            samples=EVENT_KINDS,
        )  # fmt: skip
        with prepared_load(spec) as load:
            result = load.run()
        accepted = wait_for_events(road.tiktok, result.sent_at.keys())
    return [accepted[event_id] - at for event_id, at in result.sent_at.items()]
