"""The query of a list's address: filters, columns, order, place. Total: what is not understood is left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.datastructures import QueryParams

from connector.storage.lists import ListOf, Wanted

__all__ = ["LARGEST_ID", "PAGE_SIZES", "ListRequest", "moment", "read_list_request", "row_id"]

PAGE_SIZES = (25, 50, 100, 200)
_SIZES = frozenset(map(str, PAGE_SIZES))
_LONGEST = 200
LARGEST_ID = (1 << 63) - 1
_POINTED = ("order_id", "event_id", "request_id")


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What was asked, and how to ask for the same with something changed."""

    wanted: Wanted
    columns: tuple[str, ...]  # empty: all
    sort: str  # a column's name, behind a minus when descending
    by_key: bool = True  # the order is that of the ids, so that the list can be paged to its end
    filters: Mapping[str, str] = field(default_factory=dict)  # as typed, for the form and for links

    def query(self, **changes: str | None) -> str:
        """The query string with some values changed; None removes one. Places go with every change of a filter."""
        values = {**self.filters, "cols": ",".join(self.columns), "sort": self.sort, "size": str(self.wanted.limit)}
        values |= {name: value or "" for name, value in changes.items()}
        defaults = {"sort": "-id", "size": str(PAGE_SIZES[1])}
        return str(QueryParams([(n, v) for n, v in values.items() if v and v != defaults.get(n)]))


def read_list_request(params: QueryParams, listed: ListOf) -> ListRequest:
    """Read an address. Unknown columns, sizes and times count as not given."""
    names = ("installation", *listed.equal, "since", "until", *_POINTED)
    filters = {name: text for name in names if (text := params.get(name, "").strip()[:_LONGEST])}
    size = params.get("size", "")
    columns = tuple(name for name in params.get("cols", "").split(",") if name in listed.columns)
    sort = params.get("sort", "-id")
    sort = sort if sort.removeprefix("-") in listed.columns else "-id"
    wanted = Wanted(
        installation_id=filters.get("installation", ""),
        equal={name: filters[name] for name in listed.equal if name in filters},
        since=moment(filters.get("since", "")),
        until=moment(filters.get("until", "")),
        order_id=filters.get("order_id", "").removeprefix("#"),
        event_id=filters.get("event_id", ""),
        request_id=filters.get("request_id", ""),
        before=row_id(params.get("before", "")),
        after=row_id(params.get("after", "")),
        oldest_first=sort in ("id", listed.time),
        limit=int(size) if size in _SIZES else PAGE_SIZES[1],
    )
    return ListRequest(wanted, columns, sort, sort.lstrip("-") in ("id", listed.time), filters)


def moment(text: str) -> datetime | None:
    """An ISO 8601 date or time; without a zone it is UTC. None when it is none."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):  # the first and the last day of all times have no other zone
        return None


def row_id(text: str) -> int | None:
    """A row's id as it stands in an address; None when it can be none."""
    found = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    return found if 0 <= found <= LARGEST_ID else None
