"""Writers of one SQLite file take turns, whichever process they are in."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connector.storage.turns import WriterTurns

# Holds the file for 4 ms, again and again, and says on its last line how often.
_BUSY = """
import sys, time
from pathlib import Path
from connector.storage.turns import WriterTurns
path = Path(sys.argv[1])
connection, turns, count = __import__("sqlite3").connect(path, isolation_level=None, timeout=0), WriterTurns(path), 0
end_at = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end_at:
    assert turns.begin(connection, 10)
    connection.execute("INSERT INTO t VALUES (1)")
    if not count:
        print("begun", flush=True)
    time.sleep(0.004)
    connection.execute("COMMIT")
    turns.ended()
    count += 1
print(count, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one table."""
    path = tmp_path / "turns.sqlite3"
    with _connected(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (v)")
    return path


def test_who_waits_gets_the_file_after_a_few_of_another_process_transactions(path: Path) -> None:
    busy = _busy(path, seconds=6)
    turns, taken = WriterTurns(path), list[float]()
    with _connected(path) as connection:
        for _ in range(60):
            began = time.monotonic()
            assert turns.begin(connection, 10)
            taken.append(time.monotonic() - began)
            connection.execute("COMMIT")
            turns.ended()
            time.sleep(0.01)
    assert busy.poll() is None, "it was to be busy all the time"
    assert sorted(taken)[57] < 0.1  # of 60: some 20 of its transactions, at the worst moment of a loaded machine
    assert _count(busy) > 60


def test_a_busy_process_that_nobody_waits_for_never_rests(path: Path) -> None:
    turns = WriterTurns(path)
    with _connected(path) as connection:
        began = time.monotonic()
        for _ in range(300):
            assert turns.begin(connection, 1)
            connection.execute("ROLLBACK")
            turns.ended()
        assert time.monotonic() - began < 300 * 0.006  # giving way each time


def test_patience_ends(path: Path) -> None:
    with _connected(path) as holder, _connected(path) as connection:
        holder.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert not WriterTurns(path).begin(connection, 0.2)
        assert 0.2 <= time.monotonic() - began < 2
        holder.execute("COMMIT")
        assert WriterTurns(path).begin(connection, 0.2)


def test_one_that_died_while_it_waited_is_not_waited_for(path: Path) -> None:
    turns = WriterTurns(path)
    with _connected(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        waiting = _busy(path, seconds=60, until_begun=False)
        deadline = time.monotonic() + 20
        while not turns._others_wait():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        waiting.kill()
        waiting.wait()
        assert not turns._others_wait()


def test_other_errors_are_raised(path: Path) -> None:
    with _connected(path) as connection:
        connection.execute("BEGIN")
        with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
            WriterTurns(path).begin(connection, 5)


def test_its_file_is_private_and_stays_empty(path: Path) -> None:
    turns = WriterTurns(path)
    with _connected(path) as holder, _connected(path) as connection:
        holder.execute("BEGIN IMMEDIATE")
        turns.begin(connection, 0.05)
    made = path.with_name("turns.sqlite3-turns")
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.stat().st_size == 0
    turns.close()


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        yield connection
    finally:
        connection.close()


def _busy(path: Path, *, seconds: float, until_begun: bool = True) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", _BUSY, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    if until_begun:
        assert process.stdout.readline() == "begun\n"
    return process


def _count(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    count = int(process.stdout.read())
    process.wait()
    return count
