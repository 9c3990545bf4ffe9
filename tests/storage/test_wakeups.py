"""One process tells, another hears, on a real PostgreSQL; on SQLite nothing is started and nothing breaks."""

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import text

from connector.storage.opening import Storage
from connector.storage.wakeups import EVENTS, WEBHOOKS, Wakeups

_LONG = 20.0


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_what_one_process_tells_the_other_hears(make_storage: Callable[..., Storage]) -> None:
    webhooks, events = threading.Event(), threading.Event()
    listener = Wakeups(make_storage().database, {WEBHOOKS: webhooks.set, EVENTS: events.set})
    teller = Wakeups(make_storage().database, {})
    listener.start()
    teller.start()
    try:
        assert webhooks.wait(_LONG), "whoever begins to listen looks once"
        assert events.wait(_LONG)
        webhooks.clear()
        events.clear()
        teller.tell(WEBHOOKS)
        assert webhooks.wait(_LONG)
        assert not events.is_set()
    finally:
        teller.stop()
        listener.stop()


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_broken_connection_is_mended_and_nothing_told_meanwhile_is_missed(
    make_storage: Callable[..., Storage],
) -> None:
    heard = threading.Semaphore(0)
    storage = make_storage()
    both = Wakeups(storage.database, {WEBHOOKS: heard.release})
    both.start()
    try:
        assert heard.acquire(timeout=_LONG)
        with storage.database.write() as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                     " AND datname = current_database()")
            )  # fmt: skip
        assert heard.acquire(timeout=_LONG), "it looks once when it listens again"
        end = time.monotonic() + _LONG
        while not heard.acquire(timeout=0.2):
            assert time.monotonic() < end
            both.tell(WEBHOOKS)
    finally:
        both.stop()


def test_many_tellings_of_one_moment_become_few(storage: Storage) -> None:
    wakeups = Wakeups(storage.database, {})
    for _ in range(10_000):
        wakeups.tell(WEBHOOKS)
    assert wakeups._untold == {WEBHOOKS}
    wakeups.start()
    wakeups.stop()
    assert wakeups._untold == (set() if not storage.database.is_sqlite else {WEBHOOKS})


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_on_sqlite_there_is_nobody_to_tell(make_storage: Callable[..., Storage]) -> None:
    heard = threading.Event()
    wakeups = Wakeups(make_storage().database, {EVENTS: heard.set})
    before = threading.active_count()
    wakeups.start()
    wakeups.tell(EVENTS)
    assert threading.active_count() == before
    wakeups.stop()
    assert not heard.is_set()
