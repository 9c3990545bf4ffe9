"""The drill: a running database is copied, lost, put back, and what came in between is fetched from the store."""

import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert

from connector.errors import ConfigurationError, ConnectorError, UsageError
from connector.operations.backup import back_up, restore
from connector.settings import Settings
from connector.storage.opening import Storage, open_storage
from connector.storage.tables import ProcessHeartbeat
from tests.clock import Clock
from tests.databases import bare_settings
from tests.installations import add_installation
from tests.operations.stores import compare, connect, store_on
from tests.road.road import arrive_body, events, order_body, process, webhooks

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder / "connector.sqlite3"


def _database(settings: Settings) -> Path:
    return settings.data_dir / "connector.sqlite3"


def _numbers(storage: Storage) -> list[int]:
    return [row.id for row in webhooks(storage)]


def test_the_drill(make_storage: Callable[[], Storage], settings: Settings, copy: Path, clock: Clock) -> None:
    storage = make_storage()
    with store_on(clock) as store:
        record = connect(storage, store)
        first = store.place_order()
        arrive_body(storage, "order.updated", store._body("order.updated", str(first)))
        process(storage)
        made = back_up(settings, copy)
        assert (made.webhooks, made.events) == (1, 1)

        clock.advance(minutes=5)
        lost = store.place_order()
        arrive_body(storage, "order.updated", store._body("order.updated", str(lost)))
        process(storage)
        assert len(events(storage)) == 2
        storage.close()
        _database(settings).write_bytes(b"a disk went wrong" * 1000)

        done = restore(settings, copy)
        assert (done.webhooks, done.events) == (1, 1)
        assert done.set_aside is not None
        assert done.set_aside.read_bytes().startswith(b"a disk went wrong")
        back = make_storage()
        assert [event.order_id for event in events(back)] == [str(first)]

        report = compare(back, record)  # with the keys that came back
        process(back)
        assert [gap.order_id for gap in report.gaps if gap.state == "fetched"] == [str(lost)]
        assert [event.order_id for event in events(back)] == [str(first), str(lost)]


def test_a_copy_is_of_one_moment_while_others_write(
    storage: Storage, settings: Settings, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every webhook in it has its dedup key and its work, and none of those is without its webhook."""
    monkeypatch.setattr("connector.operations.backup._PAGES", 3)  # many steps, with writes between them
    add_installation(storage)
    for number in range(1, 100):
        arrive_body(storage, "order.updated", order_body(number, padding="x" * 20_000))
    stop, written = threading.Event(), list[int]()

    def write() -> None:
        number = 1000
        while not stop.is_set():
            number += 1
            arrive_body(storage, "order.updated", order_body(number))
            written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        reached: list[tuple[int, int]] = []
        made = back_up(settings, copy, lambda done, total: reached.append((done, total)))
    finally:
        stop.set()
        writer.join()

    assert written
    assert reached[-1][0] == reached[-1][1] > 0
    with closing(sqlite3.connect(copy)) as connection:
        counts = [connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in _TOGETHER]
    assert counts == [made.webhooks] * 3
    assert made.webhooks >= 99
    assert len(reached) > 20


_TOGETHER = ("webhook", "webhook_key", "webhook_work")


def test_a_copy_is_one_private_file(storage: Storage, settings: Settings, copy: Path) -> None:
    back_up(settings, copy)

    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_backup_never_overwrites_a_file(storage: Storage, settings: Settings, copy: Path) -> None:
    copy.write_text("precious")

    with pytest.raises(UsageError, match="never overwrites"):
        back_up(settings, copy)

    assert copy.read_text() == "precious"


def test_a_backup_into_no_folder_names_the_folder(storage: Storage, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no folder .*/nowhere$"):
        back_up(settings, tmp_path / "nowhere" / "connector.sqlite3")


def test_nothing_is_restored_under_a_process_that_has_the_database_open(
    storage: Storage, settings: Settings, copy: Path
) -> None:
    """Whether or not it was heard of lately: one that hangs would write into a file that is no longer there."""
    back_up(settings, copy)
    with storage.database.read() as connection:
        connection.exec_driver_sql("SELECT 1")
    with pytest.raises(UsageError, match="stop"):
        restore(settings, copy)

    with storage.database.write() as connection:
        beat = {"name": "host-1", "role": "serve", "seen_at": datetime.now(UTC), "details": "{}"}
        connection.execute(insert(ProcessHeartbeat.__table__), beat)
    storage.close()
    assert restore(settings, copy).set_aside is not None, "right after a stop"


def test_what_stood_there_is_set_aside_with_its_log(
    storage: Storage, settings: Settings, copy: Path, tmp_path: Path
) -> None:
    back_up(settings, copy)
    add_installation(storage)
    arrive_body(storage, "order.updated", order_body(1))
    # The process died here: its log was never written back.
    died = shutil.copytree(settings.data_dir, tmp_path / "died")
    done = restore(settings.model_copy(update={"data_dir": died}), copy)

    assert done.set_aside is not None
    with closing(sqlite3.connect(done.set_aside)) as connection:
        assert connection.execute("SELECT count(*) FROM webhook").fetchone() == (1,)
    with closing(sqlite3.connect(died / "connector.sqlite3")) as connection:
        assert connection.execute("SELECT count(*) FROM webhook").fetchone() == (0,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("damage", ["torn", "overwritten", "another program's", "text", "empty"])
def test_a_damaged_backup_changes_nothing(storage: Storage, settings: Settings, copy: Path, damage: str) -> None:
    add_installation(storage)
    for number in range(1, 60):
        arrive_body(storage, "order.updated", order_body(number))
    back_up(settings, copy)
    storage.close()
    _spoil(copy, damage)
    before = _database(settings).read_bytes()

    with pytest.raises(ConnectorError):
        restore(settings, copy)

    assert _database(settings).read_bytes() == before
    assert [path.name for path in settings.data_dir.glob("*.part*")] == []


def _spoil(copy: Path, damage: str) -> None:
    whole = copy.read_bytes()
    if damage == "another program's":
        copy.unlink()
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("CREATE TABLE something (id INTEGER)")
            connection.commit()
        return
    middle = len(whole) // 2
    copy.write_bytes(
        {
            "torn": whole[:middle],
            "overwritten": whole[: 4 * 16384] + b"\xa5" * 16384 * 8 + whole[12 * 16384 :],
            "text": b"not a database",
            "empty": b"",
        }[damage]
    )


def test_other_keys_do_not_open_it(storage: Storage, settings: Settings, copy: Path, tmp_path: Path) -> None:
    back_up(settings, copy)
    elsewhere = bare_settings(tmp_path / "elsewhere", secret_keys="o" * 40)

    with pytest.raises(ConfigurationError, match="secret keys"):
        restore(elsewhere, copy)

    assert not _database(elsewhere).exists()
    same = bare_settings(tmp_path / "elsewhere")
    assert restore(same, copy).set_aside is None
    open_storage(same).close()


def test_a_backup_of_a_newer_version_is_refused(storage: Storage, settings: Settings, copy: Path) -> None:
    back_up(settings, copy)
    storage.close()
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()

    with pytest.raises(ConfigurationError, match="newer version"):
        restore(settings, copy)


def test_an_older_backup_is_brought_to_this_version(storage: Storage, settings: Settings, copy: Path) -> None:
    back_up(settings, copy)
    storage.close()
    with closing(sqlite3.connect(copy)) as connection:
        for table in ("reconcile_run", "maintenance_task", "housekeeping_cursor", "sign_in_count", "replay_item"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE replay_job DROP COLUMN taken_back")
        connection.execute("UPDATE alembic_version SET version_num = '0003'")
        connection.commit()

    restore(settings, copy)

    open_storage(settings).close()  # raises when a migration is missing


def test_a_full_disk_leaves_nothing_behind(
    storage: Storage, settings: Settings, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("connector.operations.backup.os.fsync", full)

    with pytest.raises(OSError, match="No space"):
        back_up(settings, copy)

    assert list(copy.parent.iterdir()) == []
    shutil.rmtree(copy.parent)


def test_postgresql_has_its_own_tools(database_kind: str, tmp_path: Path, copy: Path) -> None:
    settings = bare_settings(tmp_path).model_copy(update={"database_url": "postgresql://db/connector"})

    for command in (back_up, restore):
        with pytest.raises(UsageError, match="pg_dump"):
            command(settings, copy)
