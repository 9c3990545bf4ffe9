"""The plans of the statements that a query runs, on either database."""

from typing import Any

from sqlalchemy import event as sqlalchemy_event

from connector.storage.engine import Database

__all__ = ["plans_of"]


def plans_of(database: Database, query: Any) -> list[str]:
    """One per SELECT or UPDATE, in order."""
    plans: list[str] = []
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    with database.read() as connection:

        def note(cursor_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if statement.startswith(("SELECT", "UPDATE")):
                inner = cursor.connection.cursor()
                inner.execute(explain + statement, parameters)
                plans.append("\n".join(str(row) for row in inner.fetchall()))

        sqlalchemy_event.listen(database.engine, "before_cursor_execute", note)
        try:
            query(connection)
        finally:
            sqlalchemy_event.remove(database.engine, "before_cursor_execute", note)
    return plans
