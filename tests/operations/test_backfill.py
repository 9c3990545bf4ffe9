"""When stores are compared by themselves: each hour, after a downtime, after a webhook was revived."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from connector.demo.store_stand_in import StandInStore
from connector.operations.backfill import (
    FURTHEST,
    GRACE,
    OVERLAP,
    WATCH_WEBHOOKS,
    ask_for_all,
    ask_for_one,
    receiver_begins,
    run_waiting,
    watch_receivers,
)
from connector.operations.calls import LoopCalls
from connector.storage.installations import change_installation
from connector.storage.notices import open_notices
from connector.storage.opening import Storage
from connector.storage.tables import ProcessHeartbeat
from connector.storage.tables_reconcile import MaintenanceTask, ReconcileRun
from tests.clock import Clock
from tests.operations.stores import calls, connect, store_on
from tests.road.road import webhooks

_run: Any = ReconcileRun.__table__


@pytest.fixture
def running() -> Iterator[LoopCalls]:
    with calls() as made:
        yield made


def _work(storage: Storage, running: LoopCalls) -> int:
    return run_waiting(storage, running, lambda _: None, lambda: True)


def _runs(storage: Storage) -> list[Any]:
    with storage.database.read() as connection:
        return list(connection.execute(select(_run).order_by(_run.c.id)))


def _beat(storage: Storage, at: datetime, role: str = "serve", name: str = "host-1") -> None:
    with storage.database.write() as connection:
        table = ProcessHeartbeat.__table__
        changed = connection.execute(update(table).where(table.c.name == name).values(seen_at=at)).rowcount  # type: ignore[attr-defined]
        if not changed:
            connection.execute(insert(table), {"name": name, "role": role, "seen_at": at, "details": "{}"})


def test_each_hour_goes_on_where_the_last_run_ended(
    storage: Storage, store: StandInStore, running: LoopCalls, clock: Clock
) -> None:
    connect(storage, store)
    start = clock()
    store.place_order()
    clock.advance(hours=1)
    assert ask_for_all(storage, "hourly") == 1
    assert ask_for_all(storage, "hourly") == 1  # asked for already: not twice
    assert _work(storage, running) == 1
    clock.advance(hours=1)
    ask_for_all(storage, "hourly")
    assert _work(storage, running) == 1

    first, second = _runs(storage)
    assert (first.since, first.until, first.fetched) == (start - OVERLAP, start + timedelta(hours=1) - GRACE, 1)
    assert (second.since, second.fetched) == (first.until - OVERLAP, 0)
    assert _work(storage, running) == 0
    with storage.database.read() as connection:
        assert [notice.kind for notice in open_notices(connection)] == ["orders_fetched"]


@pytest.mark.parametrize("reason", ["asked", "revived", "downtime"])
def test_a_short_run_in_between_hides_no_hole(
    storage: Storage, store: StandInStore, running: LoopCalls, clock: Clock, reason: str
) -> None:
    """The store was out of reach for a day; what it sold then is still to be compared."""
    connect(storage, store)
    clock.advance(hours=1)
    ask_for_all(storage, "hourly")
    _work(storage, running)
    up_to = _runs(storage)[0].until
    clock.advance(hours=12)
    store.place_order()
    clock.advance(hours=12)
    ask_for_one(storage, "installation1", clock() - timedelta(minutes=5), reason)
    _work(storage, running)

    ask_for_all(storage, "hourly")
    _work(storage, running)

    assert _runs(storage)[-1].since == up_to - OVERLAP
    assert len(webhooks(storage)) == 1


def test_the_last_minutes_are_left_to_the_stores_own_queue(
    storage: Storage, store: StandInStore, running: LoopCalls, clock: Clock
) -> None:
    connect(storage, store)
    clock.advance(hours=1)
    store.place_order()

    ask_for_all(storage, "hourly")
    _work(storage, running)

    assert webhooks(storage) == []


def test_a_downtime_is_found_by_the_gap_in_the_heartbeats(
    storage: Storage, store: StandInStore, running: LoopCalls, clock: Clock
) -> None:
    connect(storage, store)
    clock.advance(hours=5)
    up_to = clock()
    _beat(storage, up_to)
    assert watch_receivers(storage) == 0
    clock.advance(minutes=30)
    order_id = store.place_order()
    assert watch_receivers(storage) == 0  # nobody is back yet
    _beat(storage, clock(), name="host-2")  # another process, after the restart
    assert watch_receivers(storage) == 1
    assert watch_receivers(storage) == 0
    _work(storage, running)

    (run,) = _runs(storage)
    assert (run.reason, run.since, run.fetched) == ("downtime", up_to - OVERLAP, 1)
    assert [webhook.body.startswith(b'{"id":%d' % order_id) for webhook in webhooks(storage)] == [True]


@pytest.mark.parametrize(("seconds", "runs"), [(7, 0), (12, 1), (73, 1)])
def test_a_receiver_that_begins_asks_for_what_a_short_downtime_swallowed(
    storage: Storage, store: StandInStore, running: LoopCalls, clock: Clock, seconds: int, runs: int
) -> None:
    connect(storage, store)
    assert receiver_begins(storage) == 0  # there was none before
    heard = clock()
    _beat(storage, heard)
    watch_receivers(storage)
    clock.advance(seconds=seconds)
    store.place_order()

    assert receiver_begins(storage) == runs
    _beat(storage, clock(), name="host-2")
    assert watch_receivers(storage) == 0
    _work(storage, running)

    assert [(run.reason, run.since, run.fetched) for run in _runs(storage)] == [
        ("downtime", heard - OVERLAP, 1)
    ] * runs


def test_a_receiver_that_begins_beside_others_asks_for_nothing(
    storage: Storage, store: StandInStore, clock: Clock
) -> None:
    connect(storage, store)
    _beat(storage, clock())
    clock.advance(minutes=5)
    _beat(storage, clock(), name="host-2")

    assert receiver_begins(storage) == 0


@pytest.mark.parametrize(("seconds", "role"), [(90, "serve"), (3600, "deliver")])
def test_neither_a_quick_restart_nor_a_stopped_worker_is_a_downtime(
    storage: Storage, store: StandInStore, clock: Clock, seconds: int, role: str
) -> None:
    connect(storage, store)
    _beat(storage, clock(), role)
    watch_receivers(storage)
    clock.advance(seconds=seconds)
    _beat(storage, clock(), role)

    assert watch_receivers(storage) == 0


@pytest.mark.parametrize(("seconds", "looked_at"), [(7, False), (12, True), (90, True)])
def test_after_seconds_without_a_receiver_the_webhooks_are_looked_at_at_once(
    storage: Storage, clock: Clock, seconds: int, looked_at: bool
) -> None:
    began = clock()
    with storage.database.write() as connection:
        connection.execute(insert(MaintenanceTask.__table__), {"name": WATCH_WEBHOOKS, "started_at": began})
    _beat(storage, clock())
    watch_receivers(storage)
    clock.advance(seconds=seconds)
    _beat(storage, clock())
    watch_receivers(storage)

    with storage.database.read() as connection:
        name = MaintenanceTask.__table__.c.name
        started = connection.execute(select(MaintenanceTask.__table__.c.started_at).where(name == WATCH_WEBHOOKS))
        assert started.scalar() == (None if looked_at else began)


def test_a_revived_webhook_is_looked_behind(
    storage: Storage, store: StandInStore, running: LoopCalls, clock: Clock
) -> None:
    connect(storage, store)
    store.place_order()
    healthy_at = clock()
    clock.advance(days=2)

    ask_for_one(storage, "installation1", healthy_at)
    ask_for_one(storage, "installation1", None)
    _work(storage, running)

    behind, unknown = _runs(storage)
    assert (behind.since, behind.fetched) == (healthy_at - OVERLAP, 1)
    assert unknown.since == clock() - FURTHEST


def test_nothing_older_than_tiktok_takes_is_fetched_by_itself(
    storage: Storage, store: StandInStore, clock: Clock
) -> None:
    connect(storage, store)
    clock.advance(days=30)

    ask_for_all(storage, "hourly")

    assert [run.since for run in _runs(storage)] == [clock() - FURTHEST]


def test_one_stores_trouble_is_not_the_next_ones(
    storage: Storage, store: StandInStore, running: LoopCalls, clock: Clock
) -> None:
    with store_on(clock) as other:
        connect(storage, other, "a-broken")
        other.keys.clear()
        connect(storage, store, "b-whole")
        clock.advance(minutes=30)
        store.place_order()
        clock.advance(minutes=30)
        ask_for_all(storage, "hourly")
        assert _work(storage, running) == 2

    assert {run.installation_id: (run.state, run.fault) for run in _runs(storage)} == {
        "a-broken": ("failed", "unauthorised"),
        "b-whole": ("done", ""),
    }
    with storage.database.read() as connection:
        notices = {(notice.installation_id, notice.kind) for notice in open_notices(connection)}
    assert notices == {("a-broken", "store_keys_lost"), ("b-whole", "orders_fetched")}


@pytest.mark.parametrize(("state", "asked"), [("active", 1), ("paused", 1), ("removed", 0), ("installing", 0)])
def test_paused_stores_are_compared_removed_ones_are_not(
    storage: Storage, store: StandInStore, state: str, asked: int
) -> None:
    connect(storage, store)
    with storage.database.write() as connection:
        change_installation(connection, "installation1", storage.now(), state=state)

    assert ask_for_all(storage, "hourly") == asked
    assert len(_runs(storage)) == asked


def test_work_stops_between_two_stores(storage: Storage, store: StandInStore, running: LoopCalls) -> None:
    connect(storage, store)
    ask_for_all(storage, "hourly")

    assert run_waiting(storage, running, lambda _: None, lambda: False) == 0
    assert [run.state for run in _runs(storage)] == ["asked"]
