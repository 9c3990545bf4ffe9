"""A list as CSV or JSON: the columns, filters and order of the page, streamed in parts, in bounded memory."""

import asyncio
import csv
import io
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Row

from connector.console.fields import Column
from connector.console.list_requests import ListRequest
from connector.console.list_views import ConsoleList
from connector.console.services import ConsoleServices
from connector.storage.lists import ids_sorted, read_narrow, read_page, read_rows

__all__ = ["exported"]

_EXPORTED = 50_000
_PART = 500
_NARROW_PART = 5000  # of rows of which only what is sorted by is read
_SECONDS = 120.0
_TURN = 50
# A spreadsheet takes a cell that starts like this for a formula (OWASP, "CSV Injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

_Parts = AsyncIterator[Sequence[Row[Any]]]


def exported(
    services: ConsoleServices, view: ConsoleList, asked: ListRequest, kind: str
) -> AsyncIterator[str] | AsyncIterator[bytes]:
    """The text of an export of the kind `csv` or `json`, of the first 50,000 rows in the order of the list.

    By a column that no index has in order, the newest 50,000 matches are sorted: of those only ids and that column
    are held at once.
    """
    end, fields = time.monotonic() + _SECONDS, view.shown_fields(asked.columns)
    parts = _by_place(services, view, asked, end) if asked.by_key else _by_column(services, view, asked, end)
    rows = _plain(view, parts, fields)
    return _as_json(rows) if kind == "json" else _as_csv(rows, [field.name for field in fields])


async def _by_place(services: ConsoleServices, view: ConsoleList, asked: ListRequest, end: float) -> _Parts:
    wanted = replace(asked.wanted, limit=_PART, before=None, after=None)
    sent = 0
    while sent < _EXPORTED and time.monotonic() < end:
        page = await services.read(lambda c: read_page(c, view.listed, wanted))  # noqa: B023
        yield page.rows
        sent += len(page.rows)  # a look that a rare filter stopped early brings few, the next goes on from there
        if not page.more:
            return
        up = wanted.oldest_first
        wanted = replace(wanted, before=None if up else page.edge, after=page.edge if up else None)


async def _by_column(services: ConsoleServices, view: ConsoleList, asked: ListRequest, end: float) -> _Parts:
    column, descending = asked.sort.removeprefix("-"), asked.sort.startswith("-")
    found = await _values(services, view, asked, column, end)
    ids = await services.run(lambda: ids_sorted(found, descending=descending))
    for start in range(0, len(ids), _PART):
        part = ids[start : start + _PART]
        yield await services.read(lambda c: read_rows(c, view.listed, part))  # noqa: B023


async def _values(
    services: ConsoleServices, view: ConsoleList, asked: ListRequest, column: str, end: float
) -> list[tuple[int, Any]]:
    wanted = replace(asked.wanted, limit=_NARROW_PART, oldest_first=False, before=None, after=None)
    found: list[tuple[int, Any]] = []
    while len(found) < _EXPORTED and time.monotonic() < end:
        page = await services.read(lambda c: read_narrow(c, view.listed, wanted, column))  # noqa: B023
        found += [(row.id, getattr(row, column)) for row in page.rows]
        if not page.more:
            break
        wanted = replace(wanted, before=page.edge)
    return found[:_EXPORTED]


async def _plain(view: ConsoleList, parts: _Parts, fields: Sequence[Column]) -> AsyncIterator[dict[str, Any]]:
    async for rows in parts:
        for number, row in enumerate(rows):
            if number % _TURN == 0:
                await asyncio.sleep(0)  # intake runs on this loop too
            yield view.plain(row, fields)


async def _as_csv(rows: AsyncIterator[dict[str, Any]], names: Sequence[str]) -> AsyncIterator[str]:
    yield _csv_line(names)
    async for row in rows:
        yield _csv_line([_harmless(row[name]) for name in names])


async def _as_json(rows: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    before = b"["
    async for row in rows:
        yield before + b"\n" + orjson.dumps(row)
        before = b","
    yield b"\n]\n" if before == b"," else b"[]\n"


def _csv_line(values: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet would calculate gets an apostrophe in front; numbers stay numbers."""
    if not isinstance(value, str):
        return "" if value is None else value
    plain_number = value.removeprefix("-").replace(".", "", 1).isdigit()
    return value if plain_number or not value.lstrip(" ").startswith(_FORMULA_STARTS) else f"'{value}"
