"""`python -m tests.bench [--quick] [--output FILE] [row ...]`: measure, and print a Markdown table."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from tests.bench.console import measure_console
from tests.bench.flat import measure_flat
from tests.bench.flood import measure_flood
from tests.bench.growth import measure_growth
from tests.bench.intake import measure_intake
from tests.bench.mapping import measure_mapping
from tests.bench.memory import measure_memory
from tests.bench.pixel import measure_pixel
from tests.bench.report import Row, markdown, surroundings
from tests.bench.road import measure_latency, measure_road
from tests.bench.scattered import measure_scattered
from tests.bench.sizes import FULL, QUICK, SMOKE, Sizes
from tests.bench.tail import measure_tail

__all__ = ["ROWS", "main"]

ROWS: Mapping[str, Callable[[Sizes], Iterator[Row]]] = MappingProxyType(
    {
        "intake": measure_intake,
        "mapping": measure_mapping,
        "road": measure_road,
        "latency": measure_latency,
        "flood": measure_flood,
        "scattered": measure_scattered,
        "growth": measure_growth,
        "memory": measure_memory,
        "flat": measure_flat,
        "console": measure_console,
        "tail": measure_tail,
        "pixel": measure_pixel,
    }
)
_NOTES = """\
Server on core 0, load on the last core, comparisons in turn in the same run; PostgreSQL, and every process of
the whole road, where the kernel puts them. Medians of {repeats} rounds. Different orders of 4 KB, signed, made
beforehand. Databases are thrown away afterwards; the history of ten million takes about 16 GB of disk, one
database at a time."""


def main(arguments: list[str] | None = None) -> int:
    """Measure the rows that were named, or all. Returns 1 when a budget was missed."""
    asked = _parser().parse_args(arguments)
    sizes = {"full": FULL, "quick": QUICK, "smoke": SMOKE}[asked.size]
    heading = surroundings(Path(tempfile.gettempdir()))
    rows: list[Row] = []
    for name in asked.row or ROWS:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        for row in ROWS[name](sizes):
            print(f"  {' | '.join(row.cells())}", file=sys.stderr, flush=True)
            rows.append(row)
    notes = _NOTES.format(repeats=sizes.repeats).replace("\n", " ")
    text = f"{heading}\n\n{markdown(rows)}\n\n{notes}\n"
    print(text)
    if asked.output is not None:
        asked.output.write_text(text, encoding="utf-8")
    return int(any(row.passed is False for row in rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="size", action="store_const", const="quick", default="full")
    size.add_argument("--smoke", dest="size", action="store_const", const="smoke", help="only shows that it works")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the table there too")
    parser.add_argument("row", nargs="*", choices=[[], *ROWS], help="which rows (default: all)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
