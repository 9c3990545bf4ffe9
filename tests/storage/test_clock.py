"""Machines that share a PostgreSQL share its time, whatever their own clocks say."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from connector.core.row_ids import time_of
from connector.storage import clock as clocks
from connector.storage import opening
from connector.storage.clock import DatabaseClock
from connector.storage.engine import Database
from connector.storage.opening import open_storage
from tests.databases import settings_for

_NEAR = timedelta(seconds=1)


class Count:
    """Seconds that a test counts."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def _database_time(database: Database) -> datetime:
    with database.read() as connection:
        found: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found


def test_a_machine_whose_clock_is_wrong_goes_by_the_databases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = timedelta(hours=-5)
    monkeypatch.setattr(opening, "utc_now", lambda: datetime.now(UTC) + wrong)
    monkeypatch.setattr(time, "time_ns", lambda: int((datetime.now(UTC) + wrong).timestamp() * 1e9))
    storage = open_storage(settings_for("postgresql", tmp_path))
    theirs = _database_time(storage.database)

    assert abs(storage.now() - theirs) < _NEAR
    assert abs(time_of(storage.new_id()) / 1000 - theirs.timestamp()) < 1
    storage.close()


def test_time_goes_on_without_asking_and_is_asked_again_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, count = open_storage(settings_for("postgresql", tmp_path)), Count()
    clock = DatabaseClock(storage.database, count)
    began = clock()
    count.seconds += 4
    assert clock() - began == timedelta(seconds=4)

    asked = []
    monkeypatch.setattr(DatabaseClock, "ask", lambda _: asked.append(clock._since_start()))
    count.seconds += 2
    clock()
    clock()
    for _ in range(100):
        if asked:
            break
        time.sleep(0.01)
    assert asked == [count.seconds], "once, beside whoever asked for the time"
    storage.close()


def test_the_databases_clock_is_followed_and_small_steps_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, count = open_storage(settings_for("postgresql", tmp_path)), Count()
    clock = DatabaseClock(storage.database, count)
    before = clock()
    clock.ask()
    assert clock() == before, "milliseconds of another measurement change nothing"

    monkeypatch.setattr(clocks, "_NOW", text("SELECT clock_timestamp() - interval '2 hours'"))
    clock.ask()
    assert abs(before - timedelta(hours=2) - clock()) < _NEAR
    storage.close()


def test_without_the_database_time_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, count = open_storage(settings_for("postgresql", tmp_path)), Count()
    clock = DatabaseClock(storage.database, count)
    began = clock()
    monkeypatch.setattr(clocks, "_NOW", text("SELECT no_such_function()"))
    clock.ask()
    count.seconds += 60
    assert clock() - began == timedelta(seconds=60)
    storage.close()
