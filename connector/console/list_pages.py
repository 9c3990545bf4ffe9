"""The pages of the lists, their exports and their saved links."""

import asyncio
import csv
import io
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import Connection, Row, delete, insert, select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from connector.console.fields import Column
from connector.console.gate import safe_next, viewer_of
from connector.console.list_requests import PAGE_SIZES, ListRequest, read_list_request
from connector.console.list_views import ConsoleList
from connector.console.rendering import ConsolePages
from connector.console.services import ConsoleServices
from connector.errors import UsageError
from connector.storage.journeys import store_names
from connector.storage.lists import Page, count_up_to, read_page, read_sorted
from connector.storage.tables_console import SavedLink

__all__ = ["ListPages"]

_COUNTED = 1000
_SORTED = 1000  # rows among which a column without an index is sorted
_EXPORTED = 50_000
_EXPORT_PART = 500
_EXPORT_SECONDS = 120.0
_EXPORT_TURN = 50
# A spreadsheet takes a cell that starts like this for a formula (OWASP, "CSV Injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_link = SavedLink.__table__  # type: ignore[attr-defined]


class ListPages:
    """One per console; a list is named by its view."""

    def __init__(self, services: ConsoleServices, pages: ConsolePages) -> None:
        self._services = services
        self._pages = pages

    async def show(self, request: Request, view: ConsoleList) -> Response:
        """One page of a list."""
        asked = read_list_request(request.query_params, view.listed)
        found = await self._services.read(lambda connection: _read(connection, view, asked))
        fields = view.shown_fields(asked.columns)
        t = self._pages.translator(request)
        names = [t(f"console.column.{field.name}") for field in fields]
        newer, older = _places(asked, found.page)
        return self._pages.show(
            request,
            "list.html",
            view=view,
            asked=asked,
            stores=found.stores,
            fields=fields,
            shown=len(found.page.rows),
            rows=view.written(found.page.rows, fields, names, self._pages.wording(request)),
            page=found.page,
            newer=newer,
            older=older,
            count=found.count,
            counted=_COUNTED,
            sorted_among=_SORTED,
            page_sizes=PAGE_SIZES,
            links=found.links,
        )

    async def export(self, request: Request, view: ConsoleList) -> Response:
        """The list as CSV or JSON, streamed: the same masked cells, up to 50,000 rows."""
        asked = read_list_request(request.query_params, view.listed)
        fields = view.shown_fields(asked.columns)
        kind = "json" if request.query_params.get("format") == "json" else "csv"
        rows = self._all_rows(view, asked, fields)
        body = _as_json(rows) if kind == "json" else _as_csv(rows, [field.name for field in fields])
        return StreamingResponse(
            body,
            media_type="application/json" if kind == "json" else "text/csv; charset=utf-8",
            headers={"content-disposition": f'attachment; filename="{view.key}.{kind}"'},
        )

    async def save_link(self, request: Request) -> Response:
        """Keep a list's address under a name, for all staff."""
        form = await self._services.guard.read(request)
        title, address = form.get("title")[:80], safe_next(form.get("address"))[:1000]
        if not title:
            raise UsageError("a saved link needs a name")
        values = {
            "id": self._services.storage.new_id(),
            "title": title,
            "address": address,
            "created_by": viewer_of(request).email,
            "created_at": self._services.storage.now(),
        }
        await self._services.run(lambda: self._write(insert(_link).values(values)))
        return RedirectResponse(address, 303)

    async def remove_link(self, request: Request) -> Response:
        """Forget a saved link."""
        form = await self._services.guard.read(request)
        link_id = int(request.path_params["id"])
        await self._services.run(lambda: self._write(delete(_link).where(_link.c.id == link_id)))
        return RedirectResponse(safe_next(form.get("address")), 303)

    def _write(self, statement: Any) -> None:
        with self._services.storage.database.write() as connection:
            connection.execute(statement)

    async def _all_rows(
        self, view: ConsoleList, asked: ListRequest, fields: Sequence[Column]
    ) -> AsyncIterator[dict[str, Any]]:
        wanted = replace(asked.wanted, limit=_EXPORT_PART, before=None, after=None)
        sent, end = 0, time.monotonic() + _EXPORT_SECONDS
        while sent < _EXPORTED and time.monotonic() < end:
            page = await self._services.read(lambda c: read_page(c, view.listed, wanted))  # noqa: B023
            for number, row in enumerate(page.rows):
                if number % _EXPORT_TURN == 0:
                    await asyncio.sleep(0)  # intake runs on this loop too
                yield view.plain(row, fields)
            sent += len(page.rows)  # a look that a rare filter stopped early brings few, the next goes on from there
            if not page.more:
                return
            up = wanted.oldest_first
            wanted = replace(wanted, before=None if up else page.edge, after=page.edge if up else None)


@dataclass(frozen=True, slots=True)
class _Found:
    page: Page
    count: int | None
    stores: Sequence[Row[Any]]
    links: Sequence[Row[Any]]


def _read(connection: Connection, view: ConsoleList, asked: ListRequest) -> _Found:
    """Everything that the page of a list shows, in one transaction."""
    links = connection.execute(select(_link).order_by(_link.c.title).limit(100)).all()
    stores = store_names(connection)
    if not asked.by_key:
        column, descending = asked.sort.removeprefix("-"), asked.sort.startswith("-")
        page = read_sorted(connection, view.listed, asked.wanted, column, descending=descending, among=_SORTED)
        return _Found(page, None, stores, links)
    page = read_page(connection, view.listed, asked.wanted)
    return _Found(page, count_up_to(connection, view.listed, asked.wanted, _COUNTED + 1), stores, links)


def _places(asked: ListRequest, page: Page) -> tuple[str | None, str | None]:
    """Queries of the page before and the page after this one, in the order of the list."""
    wanted = asked.wanted
    if not asked.by_key or not (page.rows or page.more):
        return None, None
    backwards = (wanted.before if wanted.oldest_first else wanted.after) is not None
    first = page.rows[0].id if page.rows else None
    last = page.rows[-1].id if page.rows else page.edge
    came_from = page.more if backwards else (wanted.before is not None or wanted.after is not None)
    goes_on = page.more if not backwards else True
    back_key, on_key = ("before", "after") if wanted.oldest_first else ("after", "before")
    on_edge = page.edge if page.stopped and not backwards else last
    newer = asked.query(**{back_key: str(first)}) if came_from and first is not None else None
    return newer, asked.query(**{on_key: str(on_edge)}) if goes_on and on_edge is not None else None


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
