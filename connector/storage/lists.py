"""Lists over tables of any size: keyset pages, bounded scans, bounded counts. Only columns that staff may see.

A page walks an index by id, newest first. Conditions that no index answers are applied to what the walk passes,
and the walk stops after a budget of time, saying how far it came: the reader goes on from there. So no filter,
however rare its matches, costs more than the budget.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from sqlalchemy import ARRAY, ColumnElement, Connection, Row, String, any_, func, literal, literal_column, select

from connector.core.row_ids import id_at
from connector.storage.lists_asked import ATTEMPTS, EVENTS, REFUSED, WEBHOOKS, ListOf, Wanted
from connector.storage.lists_pointed import pointed_rows

__all__ = [
    "ATTEMPTS",
    "EVENTS",
    "REFUSED",
    "WEBHOOKS",
    "ListOf",
    "Page",
    "Wanted",
    "count_up_to",
    "ids_sorted",
    "read_narrow",
    "read_page",
    "read_rows",
    "read_sorted",
]

SCAN_SECONDS = 0.04
_FIRST_CHUNK, _LARGEST_CHUNK = 100, 4000  # the first blind: so small that a cold disk keeps within the budget
_NO_END = (1 << 63) - 1
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}")
_NO_NUMBER = -1_999_999_999  # no column of the lists has it
# States so rare that they have an index of their own, over all installations.
_RARE_EVENTS = frozenset({"held", "rejected", "dead"})


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the wished order. `more`: there are or may be others beyond the last row, from id `edge` on.

    `stopped` is True when the budget ended the walk before the page was full.
    """

    rows: Sequence[Row[Any]]
    more: bool
    edge: int | None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class _Conditions:
    """What an index answers, and what has to be looked at row by row."""

    indexed: list[ColumnElement[bool]]
    scanned: dict[str, Any]  # column to value
    leading: list[ColumnElement[Any]]  # columns of the index before the id, in the order of the walk


def read_page(
    connection: Connection, listed: ListOf, wanted: Wanted, clock: Callable[[], float] = time.monotonic
) -> Page:
    """One page."""
    # A place says which way the walk goes; the order of the list only how its rows are shown.
    down = wanted.before is not None or (wanted.after is None and not wanted.oldest_first)
    if wanted.pointed:
        return _pointed_page(connection, listed, wanted, down)
    return _walk(connection, listed, wanted, _conditions(connection, listed, wanted), down, clock)


def read_sorted(
    connection: Connection, listed: ListOf, wanted: Wanted, column: str, *, descending: bool, among: int
) -> Page:
    """The newest `among` matches sorted by a column, of those the first `limit`. Nothing sorts first."""
    newest = replace(wanted, limit=among, oldest_first=False, before=None, after=None)
    found = read_narrow(connection, listed, newest, column)
    ids = ids_sorted([(row.id, getattr(row, column)) for row in found.rows], descending=descending)
    return Page(read_rows(connection, listed, ids[: wanted.limit]), False, None, found.stopped)


def read_narrow(connection: Connection, listed: ListOf, wanted: Wanted, column: str) -> Page:
    """A page of which only the id, one column and those that are filtered by are sure to be there."""
    if wanted.pointed:  # look-ups go by the list itself; only a walk gains from fewer columns
        return read_page(connection, listed, wanted)
    scanned = tuple(name for name in listed.equal if wanted.equal.get(name))
    narrow = replace(listed, columns=tuple(dict.fromkeys(("id", column, *scanned))))
    down = wanted.after is None
    return _walk(connection, narrow, wanted, _conditions(connection, listed, wanted), down, time.monotonic)


def ids_sorted(found: Sequence[tuple[int, Any]], *, descending: bool) -> list[int]:
    """Ids of pairs of id and value, by value; those of one value stay in their order. Nothing sorts first."""
    ordered = sorted(found, key=lambda pair: _sortable(pair[1]), reverse=descending)
    return [row_id for row_id, _ in ordered]


def read_rows(connection: Connection, listed: ListOf, ids: Sequence[int]) -> list[Row[Any]]:
    """These rows in this order; what is gone meanwhile is left out."""
    statement = select(*listed.shown()).where(listed.table.c.id.in_(ids))
    rows = {row.id: row for row in connection.execute(statement)}
    return [rows[row_id] for row_id in ids if row_id in rows]


def count_up_to(connection: Connection, listed: ListOf, wanted: Wanted, most: int) -> int | None:
    """How many rows match, `most` at most; None when only a scan could tell."""
    asked = _conditions(connection, listed, wanted)
    if asked.scanned or wanted.pointed:
        return None
    inner = select(literal_column("1")).select_from(listed.table).where(*asked.indexed).limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(inner)).scalar_one())


def _sortable(value: Any) -> tuple[int, Any]:
    return (0, 0) if value is None else (1, value)


def _pointed_page(connection: Connection, listed: ListOf, wanted: Wanted, down: bool) -> Page:
    """At most some hundred rows: whatever else is wanted is looked at here."""
    low = max(_first_id(wanted), 0 if down or wanted.after is None else wanted.after + 1)
    high = min(_id_after_last(wanted), wanted.before if down and wanted.before is not None else _NO_END)
    values = {
        name: _typed(listed.table.c[name], wanted.equal[name]) for name in listed.equal if wanted.equal.get(name)
    }
    found = [
        row
        for row in pointed_rows(connection, listed, wanted)
        if low <= row.id < high
        and (not wanted.installation_id or row.installation_id == wanted.installation_id)
        and all(getattr(row, name) == value for name, value in values.items())
    ]
    rows = (found[::-1] if down else found)[: wanted.limit]
    more = len(found) > len(rows)
    return _turned(rows, wanted, down, more=more, edge=rows[-1].id if rows else None)


def _walk(
    connection: Connection,
    listed: ListOf,
    wanted: Wanted,
    asked: _Conditions,
    down: bool,
    clock: Callable[[], float],
) -> Page:
    cursor = wanted.before if wanted.before is not None else wanted.after
    found: list[Row[Any]] = []
    started, chunk, passed = clock(), _FIRST_CHUNK, 0
    while True:
        wish = wanted.limit - len(found) + 1
        statement = _step(listed, asked, down, cursor, chunk if asked.scanned else wish)
        found += connection.execute(statement.limit(wish)).all()
        if len(found) > wanted.limit:
            rows = found[: wanted.limit]
            return _turned(rows, wanted, down, more=True, edge=rows[-1].id)
        edge = _end_of_step(connection, listed, asked, down, cursor, chunk) if asked.scanned else None
        if edge is None:
            return _turned(found, wanted, down, more=False, edge=found[-1].id if found else cursor)
        passed, spent = passed + chunk, clock() - started
        if spent > SCAN_SECONDS:
            return _turned(found, wanted, down, more=True, edge=edge, stopped=True)
        cursor, chunk = edge, _next_chunk(passed, spent)


def _next_chunk(passed: int, spent: float) -> int:
    """What the rest of the budget is good for, going by what was passed so far: where rows come from a cold disk,
    a chunk that suits a warm one would take seconds."""
    affordable = int(passed / max(spent, 1e-4) * (SCAN_SECONDS - spent))
    return max(_FIRST_CHUNK // 2, min(affordable, 2 * passed, _LARGEST_CHUNK))


def _turned(
    rows: Sequence[Row[Any]], wanted: Wanted, down: bool, *, more: bool, edge: int | None, stopped: bool = False
) -> Page:
    """In the wished order: a walk towards newer rows is shown the other way round."""
    return Page(rows[::-1] if down is wanted.oldest_first else rows, more, edge, stopped)


def _step(listed: ListOf, asked: _Conditions, down: bool, cursor: int | None, chunk: int) -> Any:
    beyond = _beyond(listed.table.c.id, cursor, down)
    inner = select(*listed.shown()).where(*asked.indexed, *beyond).order_by(*_order(asked, listed, down)).limit(chunk)
    if not asked.scanned:
        return inner
    part = inner.subquery()
    outer = select(part).order_by(part.c.id.desc() if down else part.c.id.asc())
    return outer.where(*(part.c[name] == value for name, value in asked.scanned.items()))


def _end_of_step(
    connection: Connection, listed: ListOf, asked: _Conditions, down: bool, cursor: int | None, chunk: int
) -> int | None:
    """The last id that the step passed; None when it came to the end of the table."""
    key = listed.table.c.id
    beyond = _beyond(key, cursor, down)
    order = _order(asked, listed, down)
    statement = select(key).where(*asked.indexed, *beyond).order_by(*order).offset(chunk - 1).limit(1)
    found: int | None = connection.execute(statement).scalar()
    return found


def _order(asked: _Conditions, listed: ListOf, down: bool) -> list[ColumnElement[Any]]:
    columns = [*asked.leading, listed.table.c.id]
    return [column.desc() if down else column.asc() for column in columns]


def _beyond(key: Any, cursor: int | None, down: bool) -> list[ColumnElement[bool]]:
    if cursor is None:
        return []
    return [key < cursor if down else key > cursor]


def _conditions(connection: Connection, listed: ListOf, wanted: Wanted) -> _Conditions:
    c = listed.table.c
    asked = _Conditions([], {}, [])
    if wanted.installation_id:
        asked.indexed.append(_is_of(connection, c.installation_id, wanted.installation_id))
        # Named in the order too, so that no planner walks the newest rows of all stores to find those of one that
        # has been silent for months.
        asked.leading.append(c.installation_id)
    if wanted.since is not None:
        asked.indexed.append(c.id >= _first_id(wanted))
    if wanted.until is not None:
        asked.indexed.append(c.id < _id_after_last(wanted))
    for name in listed.equal:
        value = wanted.equal.get(name)
        if not value:
            continue
        if name == "state" and _state_has_index(listed, wanted, value):
            # Written out, since a partial index is used only for its own literal. Only words of the set get here.
            asked.indexed.append(c.state == literal_column(f"'{value}'"))
        else:
            asked.scanned[name] = _typed(c[name], value)
    return asked


def _is_of(connection: Connection, column: Any, value: str) -> ColumnElement[bool]:
    """PostgreSQL drops a column from the order when it is equal to one value; among an array of one it is kept."""
    if connection.dialect.name == "sqlite":
        return cast(ColumnElement[bool], column == value)
    return cast(ColumnElement[bool], column == any_(literal([value], ARRAY(String))))


def _first_id(wanted: Wanted) -> int:
    return 0 if wanted.since is None else id_at(int(wanted.since.timestamp() * 1000))


def _id_after_last(wanted: Wanted) -> int:
    return _NO_END if wanted.until is None else id_at(int(wanted.until.timestamp() * 1000))


def _state_has_index(listed: ListOf, wanted: Wanted, value: str) -> bool:
    if not value.isalpha():
        return False
    if listed is EVENTS:
        return value in _RARE_EVENTS or bool(wanted.installation_id)
    return listed is WEBHOOKS and value == "unreadable" and not wanted.installation_id


def _typed(column: Any, value: str) -> Any:
    if column.type.python_type is not int:
        return value
    return int(value) if _WHOLE_NUMBER.fullmatch(value) else _NO_NUMBER
