"""Many rows in one statement, given to the driver as they are.

The work of a group of webhooks is a handful of wide writes. Turning each value of each row by itself into what the
driver takes cost more than the databases need for the writing (measured, `make bench`). PostgreSQL gets one array for
each column, in binary; SQLite gets the rows. All values are parameters; the names are those of our own tables.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Table

from connector.storage.columns import DecimalText, UtcTime

__all__ = ["BulkInsert", "BulkUpdate"]

_Turn = Callable[[Any], Any]
# A driver may take our enumerations for something else than their text.
_TEXTS = (StrEnum, Decimal)


class _Bulk:
    """The columns that one statement writes, and how each database wants their values."""

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self.table = table
        self.columns: list[Column[Any]] = [table.c[name] for name in names]
        self._prepared: dict[str, tuple[str, list[_Turn | None]]] = {}

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Write the rows; each holds a value for each of the columns, in their order."""
        if not rows:
            return
        text, turns = self._statement(connection.dialect)
        columns = [_turned(values, turn) for values, turn in zip(zip(*rows, strict=True), turns, strict=True)]
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(text, tuple(columns))
        else:
            connection.exec_driver_sql(text, list(zip(*columns, strict=True)))

    def _statement(self, dialect: Dialect) -> tuple[str, list[_Turn | None]]:
        found = self._prepared.get(dialect.name)
        if found is None:
            turns = [_turn(column, dialect) for column in self.columns]
            text = self._arrays(dialect) if dialect.name == "postgresql" else self._marks()
            found = self._prepared[dialect.name] = (text, turns)
        return found

    def _arrays(self, dialect: Dialect) -> str:
        raise NotImplementedError

    def _marks(self) -> str:
        raise NotImplementedError

    def _unnest(self, dialect: Dialect) -> str:
        arrays = ", ".join(f"%b::{_array_of(column, dialect)}" for column in self.columns)
        return f"unnest({arrays}) AS new({self._names()})"

    def _names(self) -> str:
        return ", ".join(column.name for column in self.columns)


class BulkInsert(_Bulk):
    """INSERT of many rows. `conflict` is what follows ON CONFLICT, nothing by default."""

    def __init__(self, table: Table, names: Sequence[str], *, conflict: str = "") -> None:
        super().__init__(table, names)
        self._end = f" ON CONFLICT {conflict}" if conflict else ""

    def _arrays(self, dialect: Dialect) -> str:
        names = self._names()
        return f"INSERT INTO {self.table.name} ({names}) SELECT {names} FROM {self._unnest(dialect)}{self._end}"  # noqa: S608

    def _marks(self) -> str:
        marks = ", ".join("?" * len(self.columns))
        return f"INSERT INTO {self.table.name} ({self._names()}) VALUES ({marks}){self._end}"  # noqa: S608


class BulkUpdate(_Bulk):
    """UPDATE of many rows by their id, which is the last of `names`."""

    def _arrays(self, dialect: Dialect) -> str:
        *changed, key = [column.name for column in self.columns]
        values = ", ".join(f"{name} = new.{name}" for name in changed)
        name = self.table.name
        return f"UPDATE {name} SET {values} FROM {self._unnest(dialect)} WHERE {name}.{key} = new.{key}"  # noqa: S608

    def _marks(self) -> str:
        *changed, key = [column.name for column in self.columns]
        values = ", ".join(f"{name} = ?" for name in changed)
        return f"UPDATE {self.table.name} SET {values} WHERE {key} = ?"  # noqa: S608


def _array_of(column: Column[Any], dialect: Dialect) -> str:
    """Text without its length: a cast to `varchar(n)` would cut what is too long, silently."""
    name = column.type.compile(dialect)
    return "text[]" if name.startswith("VARCHAR") else f"{name}[]"


def _turn(column: Column[Any], dialect: Dialect) -> _Turn | None:
    if isinstance(column.type, UtcTime | DecimalText):
        return column.type.bind_processor(dialect)
    return None


def _turned(values: Sequence[Any], turn: _Turn | None) -> list[Any]:
    if turn is not None:
        return [turn(value) for value in values]
    return [str(value) if isinstance(value, _TEXTS) else value for value in values]
