"""The pages of the lists and their saved links."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from connector.console.gate import safe_next, viewer_of
from connector.console.list_exports import exported
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
        """The list as CSV or JSON, streamed: the same columns, masked cells and order, up to 50,000 rows."""
        asked = read_list_request(request.query_params, view.listed)
        kind = "json" if request.query_params.get("format") == "json" else "csv"
        return StreamingResponse(
            exported(self._services, view, asked, kind),
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
