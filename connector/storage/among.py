"""Statements that name a list of values, made once for both databases.

SQLite has no arrays: it gets a mark for each value. PostgreSQL gets one array, so the statement's text is the same
whatever the number of values; taking apart a new text with hundreds of marks each time cost the driver a tenth of the
worker's time (measured, `make bench`).
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ARRAY, Column, ColumnElement, Connection, Executable, any_, bindparam

__all__ = ["Among", "PerDatabase"]

# Gives the condition that a column has one of the values of the list parameter of that name.
Among = Callable[[Column[Any], str], ColumnElement[bool]]


class PerDatabase:
    """One statement in the form of either database."""

    def __init__(self, make: Callable[[Among], Executable]) -> None:
        self._forms = {"sqlite": make(_marks), "postgresql": make(_array)}

    def on(self, connection: Connection) -> Executable:
        """The form for this connection."""
        return self._forms[connection.dialect.name]


def _marks(column: Column[Any], name: str) -> ColumnElement[bool]:
    return column.in_(bindparam(name, expanding=True))


def _array(column: Column[Any], name: str) -> ColumnElement[bool]:
    return column == any_(bindparam(name, type_=ARRAY(column.type)))
