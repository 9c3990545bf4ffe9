"""What reconciliation asks of a database with a long history is found by indexes, on both databases."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event

from connector.operations.backfill import ask_for_all
from connector.operations.reconcile import new_run
from connector.storage.opening import Storage
from connector.storage.reconciling import (
    finish_run,
    last_reconciled,
    last_runs,
    order_standings,
    remember_time,
    remembered_time,
    waiting_runs,
)
from tests.clock import Clock

_QUESTIONS: dict[str, Callable[[Connection], Any]] = {
    "order_standings": lambda connection: order_standings(connection, [b"1" * 16, b"2" * 16]),
    "waiting_runs": waiting_runs,
    "last_reconciled": lambda connection: last_reconciled(connection, ["installation1"]),
    "last_runs": lambda connection: last_runs(connection, "installation1"),
    "remembered_time": lambda connection: remembered_time(connection, "receivers"),
}


@pytest.mark.parametrize("name", _QUESTIONS)
def test_every_question_uses_an_index(storage: Storage, name: str) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    with storage.database.read() as connection:
        event.listen(storage.database.engine, "before_cursor_execute", note)
        _QUESTIONS[name](connection)
        event.remove(storage.database.engine, "before_cursor_execute", note)
        assert len(asked) == 1
        plan = _plan(connection, *asked[0], is_sqlite=storage.database.is_sqlite)

    assert [line for line in plan if "reconcile_run_waiting" not in line] == []


def _plan(connection: Connection, statement: str, parameters: Any, *, is_sqlite: bool) -> list[str]:
    """The lines of its plan that read a whole table; the index of waiting runs holds nothing else and may be read."""
    if is_sqlite:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        return [row[3] for row in rows if row[3].startswith("SCAN")]
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).all()
    return [row[0] for row in rows if "Seq Scan" in row[0]]


def test_the_last_end_is_of_runs_that_went_through(storage: Storage, clock: Clock) -> None:
    ends = [clock() - timedelta(hours=hours) for hours in (3, 1, 2)]
    for end, fault in zip(ends, ("", "unreachable", ""), strict=True):
        run_id = new_run(storage, "installation1", clock() - timedelta(days=1), "hourly")
        with storage.database.write() as connection:
            finish_run(connection, run_id, now=clock(), fault=fault, until=end)

    with storage.database.read() as connection:
        assert last_reconciled(connection, ["installation1", "nobody"]) == {"installation1": ends[2]}
        assert waiting_runs(connection) == []
        assert [run.state for run in last_runs(connection, "installation1")] == ["done", "failed", "done"]


def test_a_time_is_remembered(storage: Storage, clock: Clock) -> None:
    for _ in range(2):
        with storage.database.write() as connection:
            remember_time(connection, "receivers", clock())
        with storage.database.read() as connection:
            assert remembered_time(connection, "receivers") == clock()
        clock.advance(seconds=1)


def test_without_connected_stores_nothing_is_asked(storage: Storage) -> None:
    assert ask_for_all(storage, "hourly") == 0
