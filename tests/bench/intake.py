"""Intake: webhooks a second on disk, against handlers that answer only, verify only, or commit per request."""

import os
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench.load import LoadResult, LoadSpec, prepared_load
from tests.bench.places import INSTALLATION, Program, new_place, program
from tests.bench.report import Row, at_most, compared
from tests.bench.sizes import Sizes

__all__ = ["measure_intake"]

_DATABASES = {"sqlite": "SQLite, synchronous FULL", "postgresql": "PostgreSQL"}
_REAL = f"/webhooks/woocommerce/{INSTALLATION}"
_HANDLERS = {
    "empty": "/webhooks/empty/x",
    "verify": "/webhooks/verify/x",
    "intake": _REAL,
    "each": _REAL,
    "session": "/webhooks/session/x",
}
_STORING = {"intake", "each", "session"}  # each needs bodies that differ
_MOST_RATE = 16_000  # requests a second for which different bodies are prepared


@dataclass(frozen=True, slots=True)
class _Round:
    load: LoadResult
    cpu_us: float


def measure_intake(sizes: Sizes) -> Iterator[Row]:
    """All rows, database by database."""
    for kind in sizes.databases:
        with ExitStack() as stack:
            servers = {name: _server(stack, kind, name) for name in ("group", "each")}
            for close in (False, True):
                rounds = _rounds(sizes, servers, close)
                yield from _rows(_DATABASES[kind], rounds, sizes, close)


def _server(stack: ExitStack, kind: str, journal: str) -> Program:
    place = stack.enter_context(new_place(kind))
    arguments = ["-m", "tests.bench.intake_server", "{port}", journal, "0"]
    return stack.enter_context(program(arguments, place.environment()))


def _rounds(sizes: Sizes, servers: dict[str, Program], close: bool) -> dict[str, list[_Round]]:
    """Every handler in turn, round after round, so that a slow minute of the machine meets them all."""
    rounds: dict[str, list[_Round]] = {name: [] for name in _HANDLERS}
    start = 50_000_000 * close
    for _ in range(sizes.repeats):
        for name, path in _HANDLERS.items():
            prepared = max(int(sizes.seconds * _MOST_RATE), 100) if name in _STORING else 1000
            spec = LoadSpec(
                ports=(servers["each" if name == "each" else "group"].port,), path=path, close=close, start=start,
                prepared=prepared, seconds=sizes.seconds, connections=sizes.connections,
                cpu=(os.cpu_count() or 1) - 1,
            )  # fmt: skip
            start += prepared
            rounds[name].append(_one(spec, servers["each" if name == "each" else "group"]))
    return rounds


def _one(spec: LoadSpec, server: Program) -> _Round:
    with prepared_load(spec) as load:
        before = server.cpu_seconds()
        result = load.run()
        spent = server.cpu_seconds() - before
    if result.refused or not result.answered:
        raise RuntimeError(f"{result.refused} of {result.answered + result.refused} requests were refused")
    return _Round(result, spent / result.answered * 1e6)


def _rows(database: str, rounds: dict[str, list[_Round]], sizes: Sizes, close: bool) -> Iterator[Row]:
    how = f"{database}, {'Connection: close' if close else 'keep-alive'}"
    machine = None if close else _rate(rounds["empty"])
    yield Row(f"intake, empty handler only ({how})", _figures(rounds["empty"]), empty_rate=machine)
    yield Row(f"intake, verify handler only ({how})", _figures(rounds["verify"]))
    said = f"intake, durable ({how})"
    yield compared(said, _figures(rounds["intake"]), "verify only", _ratio(rounds, "verify"), least=0.4)
    rate = f"{_rate(rounds['intake']):,.0f}/s"
    session = f"a commit per request, as an ordinary application: {_rate(rounds['session']):,.0f}/s"
    yield compared(said, rate, session, _ratio(rounds, "session"), least=15)
    each = f"a commit per request, by our own writer: {_rate(rounds['each']):,.0f}/s"
    yield compared(said, rate, each, _ratio(rounds, "each"))
    p99 = statistics.median(one.load.p99 for one in rounds["intake"]) * 1000
    yield at_most(f"intake p99 at {sizes.connections} connections ({how})", p99, "ms", 50)


def _figures(rounds: list[_Round]) -> str:
    p50 = statistics.median(one.load.p50 for one in rounds) * 1000
    p99 = statistics.median(one.load.p99 for one in rounds) * 1000
    cpu = statistics.median(one.cpu_us for one in rounds)
    return f"{_rate(rounds):,.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms, {cpu:.0f} µs processor"


def _rate(rounds: list[_Round]) -> float:
    return statistics.median(one.load.rate for one in rounds)


def _ratio(rounds: dict[str, list[_Round]], other: str) -> float:
    """The median of each round's own ratio: both sides of it met the same minute."""
    pairs = zip(rounds["intake"], rounds[other], strict=True)
    return statistics.median(mine.load.rate / theirs.load.rate for mine, theirs in pairs)
