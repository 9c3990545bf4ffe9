"""Statements that name a list of values, or what another statement finds, made once for both databases.

SQLite has no arrays: it gets a mark for each value. PostgreSQL gets one array, so the statement's text is the same
whatever the number of values; taking apart a new text with hundreds of marks each time cost the driver a tenth of the
worker's time (measured, `make bench`).
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Executable,
    Select,
    any_,
    bindparam,
    func,
    literal_column,
)

__all__ = ["Among", "PerDatabase", "unindexed"]

# Gives the condition that a column has one of the values of the list parameter of that name, or of those found.
Among = Callable[[Column[Any], str | Select[Any]], ColumnElement[bool]]


class PerDatabase:
    """One statement in the form of either database."""

    def __init__(self, make: Callable[[Among], Executable]) -> None:
        self._forms = {"sqlite": make(_marks), "postgresql": make(_array)}

    def on(self, connection: Connection) -> Executable:
        """The form for this connection."""
        return self._forms[connection.dialect.name]


def unindexed(column: Column[str]) -> ColumnElement[str]:
    """The column as a condition that no index may answer: it only sifts what another, narrower one has found.

    Without statistics, so in every new database, PostgreSQL takes a state or an installation for rare, reads all
    that have it, and keeps that plan while they become many (measured: nine tenths of its time, `make bench`).
    """
    return column.concat(literal_column("''"))


def _marks(column: Column[Any], values: str | Select[Any]) -> ColumnElement[bool]:
    return column.in_(values if isinstance(values, Select) else bindparam(values, expanding=True))


def _array(column: Column[Any], values: str | Select[Any]) -> ColumnElement[bool]:
    if isinstance(values, Select):  # as an array it is asked once; PostgreSQL may ask an IN again for each row
        return column == any_(func.array(values.scalar_subquery(), type_=ARRAY(column.type)))
    return column == any_(bindparam(values, type_=ARRAY(column.type)))
