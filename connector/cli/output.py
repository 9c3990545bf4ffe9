"""What goes where: results to standard output, everything else to standard error."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

__all__ = ["ProgressBar", "note", "plain", "progress", "say", "write_json", "write_json_list", "write_table"]


def plain(value: Any) -> Any:
    """A value as JSON carries it: times ISO 8601 in UTC with Z, money as decimal text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(type(value).__name__)


def write_json(document: Any) -> None:
    """Print one JSON document. ASCII only, so that no terminal's encoding can break it."""
    print(json.dumps(document, default=plain, indent=2))


def write_json_list(items: Iterable[Mapping[str, Any]]) -> None:
    """Print one JSON list, item by item as they come, so that it may be longer than memory."""
    out = sys.stdout
    out.write("[")
    separator = "\n"
    for item in items:
        out.write(separator + json.dumps(item, default=plain))
        separator = ",\n"
    out.write("]\n" if separator == "\n" else "\n]\n")
    out.flush()


def write_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """Print a table; `empty` goes to standard error when there is no row. Long tables come in parts.

    A terminal gets rules and wrapped cells; a file or a pipe gets aligned text, one line per row, for `grep`.
    """
    write = _framed if sys.stdout.isatty() else _aligned
    shown = False
    for part in _parts(rows):
        write(columns, [[_cell(value) for value in row] for row in part])
        shown = True
    if not shown:
        note(empty)


def _framed(columns: Sequence[str], rows: list[list[str]]) -> None:
    table = Table(header_style="bold")
    for place, name in enumerate(columns):
        # The first column is what other commands take: never cut.
        table.add_column(name, no_wrap=place == 0, overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    Console(highlight=False).print(table)


def _aligned(columns: Sequence[str], rows: list[list[str]]) -> None:
    lines = [list(columns), *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def say(text: str) -> None:
    """One line of a result for people."""
    print(text)


def note(text: str) -> None:
    """One line beside the result: to standard error."""
    print(text, file=sys.stderr)


class ProgressBar:
    """How far a long command is. Silent when standard error is no terminal."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def total(self, count: int) -> None:
        """How much there is to do, as soon as that is known."""
        self._bar.update(self._task, total=count)

    def advance(self, count: int = 1) -> None:
        """So much more is done."""
        self._bar.advance(self._task, count)

    def reach(self, done: int, total: int) -> None:
        """So much of so much is done by now."""
        self._bar.update(self._task, completed=done, total=total)


@contextmanager
def progress(title: str, total: int | None = None) -> Iterator[ProgressBar]:
    """A progress bar on standard error while the block runs."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
        yield ProgressBar(bar, bar.add_task(title, total=total))


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    # What a store sent may hold control characters; a terminal must not obey them.
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _parts(rows: Iterable[Sequence[Any]], size: int = 500) -> Iterator[list[Sequence[Any]]]:
    part: list[Sequence[Any]] = []
    for row in rows:
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
