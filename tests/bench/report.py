"""What a measurement says, and the table and the surroundings that it is printed with."""

import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

__all__ = ["Row", "at_least", "at_most", "fact", "markdown", "surroundings"]

_HEADINGS = ("what", "measured", "compared with", "ratio", "budget", "verdict")
_BUDGETS_WERE_SET_AT = (
    30_000  # answers a second of an empty handler, one core, keep-alive: the machine of the budgets
)
_TIMES = ("ms", "s")
_PACKAGES = ("uvicorn", "uvloop", "httptools", "sqlalchemy", "psycopg", "orjson")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `passed` is None when there is no budget.

    `share` of a budget of speed: how many times it is met, 1 being just so. `empty_rate` is given by the row that
    tells how fast this machine is: answers a second of a handler that does nothing.
    """

    what: str
    measured: str
    compared_with: str = ""
    ratio: float | None = None
    budget: str = ""
    passed: bool | None = None
    share: float | None = None
    empty_rate: float | None = None

    def cells(self, empty_rate: float | None = None) -> tuple[str, ...]:
        """As printed. A miss of speed says too what it comes to at the rate for which the budgets were set."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        verdict = {None: "", True: "pass", False: "**miss**"}[self.passed]
        if self.passed is False and self.share is not None and empty_rate is not None:
            there = self.share * _BUDGETS_WERE_SET_AT / empty_rate
            verdict += f" here; computed for {_BUDGETS_WERE_SET_AT:,} empty answers/s: {there:.2f} of the budget"
        return (self.what, self.measured, self.compared_with, ratio, self.budget, verdict)


def at_least(what: str, value: float, unit: str, budget: float) -> Row:
    """A value that must not be smaller."""
    text = f"at least {_number(budget, unit)}"
    return Row(what, _number(value, unit), budget=text, passed=value >= budget, share=value / budget)


def at_most(what: str, value: float, unit: str, budget: float) -> Row:
    """A value that must not be larger."""
    text = f"at most {_number(budget, unit)}"
    share = budget / value if unit in _TIMES and value else None
    return Row(what, _number(value, unit), budget=text, passed=value <= budget, share=share)


def fact(what: str, value: float, unit: str) -> Row:
    """A value without a budget."""
    return Row(what, _number(value, unit))


def compared(
    what: str,
    measured: str,
    compared_with: str,
    ratio: float,
    *,
    least: float | None = None,
    most: float | None = None,
) -> Row:
    """A value whose budget is its ratio to another of the same run."""
    if least is not None:
        return Row(what, measured, compared_with, ratio, f"ratio at least {least:g}", ratio >= least)
    if most is not None:
        return Row(what, measured, compared_with, ratio, f"ratio at most {most:g}", ratio <= most)
    return Row(what, measured, compared_with, ratio)


def _number(value: float, unit: str) -> str:
    text = f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.2f}"
    return f"{text} {unit}"


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [_line(_HEADINGS), _line(["---"] * len(_HEADINGS))]
    empty_rate = next((row.empty_rate for row in rows if row.empty_rate is not None), None)
    return "\n".join([*lines, *(_line(row.cells(empty_rate)) for row in rows)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def surroundings(folder: Path) -> str:
    """Machine, disk, versions and date, without which a figure says little."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    lines = [
        f"Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"Processor: {_processor()}, {os.cpu_count()} cores; memory {_memory_gb():.0f} GB; {platform.platform()}",
        f"Disk: write and fsync of 4 KB {_fsync_ms(folder):.2f} ms (median of 100); "
        f"load average at the start {os.getloadavg()[0]:.1f}",
        f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}, {packages}",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _fsync_ms(folder: Path) -> float:
    spans = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(100):
            started = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            spans.append(time.perf_counter() - started)
    return statistics.median(spans) * 1000
