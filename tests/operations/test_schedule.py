"""Periodic tasks: one process at a time, each when it is due, none stopped by another's failure."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import select

from connector.operations.schedule import LEASE, Schedule, ScheduleThread, Task, Turn
from connector.storage.opening import Storage
from connector.storage.tables_reconcile import MaintenanceTask
from tests.clock import Clock

HOUR = timedelta(hours=1)


def _schedule(storage: Storage, ran: list[str], *names: str, every: timedelta = HOUR) -> Schedule:
    def task(name: str) -> Task:
        return Task(name, every, lambda _turn: ran.append(name))

    return Schedule(storage, "test", [task(name) for name in names])


def test_tasks_come_when_they_are_due(storage: Storage, clock: Clock) -> None:
    ran: list[str] = []
    schedule = _schedule(storage, ran, "a", "b")

    assert schedule.run_round() == ["a", "b"]
    clock.advance(minutes=59)
    assert schedule.run_round() == []
    clock.advance(minutes=1)
    assert schedule.run_round() == ["a", "b"]


def test_a_restart_repeats_nothing(storage: Storage, clock: Clock) -> None:
    ran: list[str] = []
    first = _schedule(storage, ran, "a")
    first.run_round()
    first.release()
    clock.advance(minutes=10)

    assert _schedule(storage, ran, "a").run_round() == []
    assert ran == ["a"]


def test_a_clock_that_is_set_back_stops_no_task(make_storage: Callable[..., Storage], clock: Clock) -> None:
    """Neither the time of the last run nor the lease of a process that died lasts for the five hours."""
    ran: list[str] = []
    _schedule(make_storage(), ran, "a").run_round()
    alive = _schedule(make_storage(), ran, "a")
    clock.advance(minutes=2)
    assert alive.run_round() == []
    clock.advance(hours=-5)
    assert alive.run_round() == ["a"]
    died, clock.time = clock(), clock() - timedelta(hours=3)
    assert _schedule(make_storage(), ran, "a").run_round() == ["a"], died


def test_frequent_tasks_leave_no_trace(storage: Storage, clock: Clock) -> None:
    ran: list[str] = []
    schedule = _schedule(storage, ran, "a", every=timedelta(seconds=5))
    schedule.run_round()
    clock.advance(seconds=4)
    schedule.run_round()
    clock.advance(seconds=1)
    schedule.run_round()

    assert ran == ["a", "a"]
    with storage.database.read() as connection:
        assert list(connection.execute(select(MaintenanceTask.__table__.c.name)).scalars()) == ["lease:test"]


def test_one_process_leads_until_its_lease_runs_out(make_storage: Callable[..., Storage], clock: Clock) -> None:
    ran: list[str] = []
    first, second = (_schedule(make_storage(), ran, "a", every=timedelta(0)) for _ in range(2))

    assert first.run_round() == ["a"]
    assert second.run_round() == []
    clock.advance(seconds=LEASE.total_seconds() / 2)
    assert first.run_round() == ["a"]  # renewed
    clock.advance(seconds=LEASE.total_seconds() - 1)
    assert second.run_round() == []
    clock.advance(seconds=1)
    assert second.run_round() == ["a"]
    assert first.run_round() == []


def test_a_lease_given_back_is_free_at_once(make_storage: Callable[..., Storage]) -> None:
    first, second = (_schedule(make_storage(), []) for _ in range(2))
    assert first.lead()
    assert not second.lead()

    first.release()

    assert second.lead()
    first.release()  # not ours any more: changes nothing
    assert second.lead()


def test_groups_do_not_wait_for_each_other(make_storage: Callable[..., Storage]) -> None:
    first = Schedule(make_storage(), "orders", [])
    second = Schedule(make_storage(), "retention", [])

    assert first.lead()
    assert second.lead()


def test_many_processes_one_leader(make_storage: Callable[..., Storage]) -> None:
    schedules = [_schedule(make_storage(), []) for _ in range(6)]
    led: list[bool] = []
    start = threading.Barrier(len(schedules))

    def race(schedule: Schedule) -> None:
        start.wait()
        led.append(schedule.lead())

    threads = [threading.Thread(target=race, args=(schedule,)) for schedule in schedules]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(led) == [False] * 5 + [True]


def test_a_task_that_fails_stops_no_other(storage: Storage, clock: Clock) -> None:
    ran: list[str] = []

    def fail(_turn: Turn) -> None:
        raise RuntimeError("canary text")

    tasks = [Task("broken", HOUR, fail), Task("whole", HOUR, lambda _: ran.append("whole") or "done it")]
    schedule = Schedule(storage, "test", tasks)

    assert schedule.run_round() == ["broken", "whole"]
    with storage.database.read() as connection:
        rows = connection.execute(select(MaintenanceTask.__table__)).all()
    results = {row.name: row.result for row in rows}
    assert results["broken"] == "fault:RuntimeError"
    assert results["whole"] == "done it"
    clock.advance(hours=1)
    assert schedule.run_round() == ["broken", "whole"]


def test_a_long_task_keeps_the_lease_and_hears_of_the_stop(
    make_storage: Callable[..., Storage], clock: Clock
) -> None:
    heard: list[bool] = []
    stop = threading.Event()
    other = Schedule(make_storage(), "test", [])

    def work(turn: Turn) -> None:
        for _ in range(3):
            clock.advance(seconds=40)
            heard.append(turn.go_on())
            heard.append(other.lead())
        stop.set()
        heard.append(turn.go_on())

    Schedule(make_storage(), "test", [Task("long", HOUR, work)], stop=stop).run_round()

    assert heard == [True, False] * 3 + [False]


def test_a_thread_begins_and_ends(storage: Storage) -> None:
    ran = threading.Event()
    times: list[datetime] = []

    def work(turn: Turn) -> None:
        times.append(storage.now())
        ran.set()
        turn.sleep(60)

    thread = ScheduleThread(storage, "test", [Task("a", HOUR, work)], round_seconds=0.01)
    thread.start()
    assert ran.wait(20)
    thread.stop()

    assert len(times) == 1
    assert Schedule(storage, "test", []).lead()  # the lease was given back
