"""What a flood against one installation costs another: its purchases, calm, under forgeries, under a signed flood."""

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench.load import LoadSpec, prepared_load
from tests.bench.memory import seed_backlog
from tests.bench.places import INSTALLATION, Place, new_place
from tests.bench.report import Row, at_most, compared
from tests.bench.road import Road, open_road, wait_for_events
from tests.bench.sizes import Sizes
from tests.bench.workload import PIXEL_CODE
from tests.installations import add_installation

__all__ = ["measure_flood"]

_QUIET = "quiet"
_QUIET_RATE = 20  # purchases a second of the store that is not flooded
_PURCHASE = 50_000_000  # the first of its orders, far from the flood's
_MOST_RATE = 5_000  # requests a second for which different bodies are prepared
_MOST_DELAY = 1.0


@dataclass(frozen=True, slots=True)
class _Flood:
    """How the other store is attacked; `backlog` events of its own wait besides."""

    words: str
    forged: bool
    backlog: bool


_FLOODS = (
    _Flood("a flood of forged webhooks", forged=True, backlog=False),
    _Flood("a flood of signed webhooks and {backlog:,} events that wait", forged=False, backlog=True),
)


@dataclass(frozen=True, slots=True)
class _Purchases:
    """Of the quiet store. Times in seconds: until the answer, until TikTok accepted; `flood` requests a second."""

    answer_p99: float
    accepted: list[float]
    flood: float = 0.0

    @property
    def p95(self) -> float:
        return self.accepted[min(int(len(self.accepted) * 0.95), len(self.accepted) - 1)]


def measure_flood(sizes: Sizes) -> Iterator[Row]:
    """The same purchases three times over, each with processes of its own."""
    for kind in sizes.databases:
        calm = _one(sizes, kind, None)
        for flood in _FLOODS:
            yield from _rows(kind, flood.words.format(backlog=sizes.backlog), calm, _one(sizes, kind, flood))


def _rows(kind: str, words: str, calm: _Purchases, flooded: _Purchases) -> Iterator[Row]:
    name = f"{kind}, while another store has {words}, {flooded.flood:,.0f}/s"
    measured = f"p50 {statistics.median(flooded.accepted):.2f} s, p95 {flooded.p95:.2f} s"
    against = f"calm: p50 {statistics.median(calm.accepted):.2f} s, p95 {calm.p95:.2f} s"
    yield compared(f"purchase to acceptance, {name}", measured, against, flooded.p95 / calm.p95)
    yield at_most(f"purchase delayed by it at the 95th of 100, {kind}", flooded.p95 - calm.p95, "s", _MOST_DELAY)
    answers = f"p99 {flooded.answer_p99 * 1000:.1f} ms", f"calm: p99 {calm.answer_p99 * 1000:.1f} ms"
    yield compared(f"purchase's webhook answered, {name}", *answers, flooded.answer_p99 / calm.answer_p99)


def _one(sizes: Sizes, kind: str, flood: _Flood | None) -> _Purchases:
    with new_place(kind) as place:
        add_installation(place.storage, _QUIET, pixel_code=PIXEL_CODE)
        if flood is not None and flood.backlog:
            seed_backlog(place, sizes.backlog)
        with open_road(place) as road:
            return _measured(sizes, place, road, flood)


def _measured(sizes: Sizes, place: Place, road: Road, flood: _Flood | None) -> _Purchases:
    count = max(int(_QUIET_RATE * sizes.latency_seconds), 2)
    ports = tuple(one.port for one in road.receivers)
    spec = LoadSpec(
        ports=ports, path=_path(_QUIET), count=count, rate=_QUIET_RATE, close=True, start=_PURCHASE
    )  # fmt: skip
    with ExitStack() as stack:
        purchases = stack.enter_context(prepared_load(spec))
        attack = stack.enter_context(prepared_load(_attack(sizes, ports, flood))) if flood else None
        if attack is not None:
            attack.start()
            time.sleep(sizes.ahead_seconds)
        result = purchases.run()
        pressed = attack.result() if attack is not None else None
        accepted = wait_for_events(road.tiktok, result.sent_at.keys())
    if result.refused:
        raise RuntimeError(f"{result.refused} purchases were refused")
    spans = sorted(accepted[event_id] - at for event_id, at in result.sent_at.items())
    rate = (pressed.answered + pressed.refused) / pressed.seconds if pressed is not None else 0.0
    return _Purchases(result.p99, spans, rate)


def _attack(sizes: Sizes, ports: tuple[int, ...], flood: _Flood) -> LoadSpec:
    seconds = sizes.latency_seconds + 2 * sizes.ahead_seconds
    prepared = 1000 if flood.forged else int(seconds * _MOST_RATE)
    return LoadSpec(
        ports=ports, path=_path(INSTALLATION), seconds=seconds, connections=sizes.connections, prepared=prepared,
        close=True, forged=flood.forged,
    )  # fmt: skip


def _path(installation_id: str) -> str:
    return f"/webhooks/woocommerce/{installation_id}"
