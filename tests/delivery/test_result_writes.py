"""Results of calls that end together share a transaction; what is wrong with one is nobody else's."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from connector.core.states import EventState
from connector.delivery import result_writes
from connector.delivery.leases import Leases
from connector.delivery.result_writes import Outcome, ResultWrites
from connector.delivery.worker import DeliveryWorker
from connector.demo.tiktok_stand_in import StandInTikTok
from connector.outbound import Outbound
from connector.storage.deliveries import AttemptRecord, Settlement
from connector.storage.opening import Storage
from connector.storage.queue import Lane, event_queue
from tests.delivery.road import PIXEL, Road, accepted_ids, options, rounds

STORES = 20


class _Poison(tuple[Settlement, ...]):
    """Cannot be written."""

    def __iter__(self) -> Iterator[Settlement]:
        raise ZeroDivisionError


@pytest.fixture
def scattered(road: Road) -> list[str]:
    """An event in each of twenty stores."""
    names = [f"small-{number:02}" for number in range(STORES)]
    return [event_id for name in names for event_id in road.events(1, road.installation(name))]


def test_small_stores_share_transactions(road: Road, tiktok: StandInTikTok, scattered: list[str]) -> None:
    with _commits(road.storage) as commits:
        assert rounds(road.storage, tiktok) == [STORES]
    assert accepted_ids(tiktok) == sorted(scattered)
    assert len(road.attempts) == STORES, "each with a call of its own token"
    assert road.states() == {"delivered": STORES}
    assert not road.work
    assert len(commits) < STORES, "reading, claiming and writing for each would be sixty"


def test_a_look_takes_a_bounded_number_of_events_and_goes_on(road: Road, tiktok: StandInTikTok) -> None:
    for number in range(2, 8):
        road.installation(f"store-{number}")
    for number in range(1, 8):
        road.events(240, f"store-{number}")
    assert rounds(road.storage, tiktok, 3) == [3 * 240, 3 * 240, 240]


def test_one_that_cannot_be_written_costs_the_others_nothing(road: Road) -> None:
    names = [road.installation(f"small-{number}") for number in range(4)]
    outcomes = [_outcome(road, name) for name in names]
    outcomes[2] = replace(outcomes[2], settlements=_Poison())

    found = asyncio.run(_written_together(road.storage, outcomes))

    assert [type(each) for each in found] == [type(None), type(None), ZeroDivisionError, type(None)]
    assert road.states() == {"delivered": 3, "pending": 1}
    assert outcomes[2].record.id not in {row.id for row in road.attempts}
    assert len(road.attempts) == 3


def test_what_waits_is_written_though_its_call_was_cancelled(road: Road) -> None:
    outcomes = [_outcome(road, road.installation(f"small-{number}")) for number in range(3)]

    async def go() -> None:
        results = _results(road.storage)
        tasks = [asyncio.create_task(results.write(each)) for each in outcomes]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await results.finish()

    asyncio.run(go())
    assert road.states() == {"delivered": 3}


def test_a_stop_does_not_wait_for_results_that_cannot_be_written(
    road: Road, tiktok: StandInTikTok, monkeypatch: pytest.MonkeyPatch
) -> None:
    road.events(1)
    database_is_back = threading.Event()
    monkeypatch.setattr(result_writes, "record_attempts", lambda *_: database_is_back.wait(30))

    async def go() -> float:
        async with Outbound() as outbound:
            worker = DeliveryWorker(road.storage, outbound, options(tiktok, shutdown_seconds=0.2))
            stop = asyncio.Event()
            running = asyncio.create_task(worker.run(stop))
            while not tiktok.calls:  # noqa: ASYNC110 - set from another thread
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            began = time.monotonic()
            stop.set()
            await running
            database_is_back.set()
            return time.monotonic() - began

    assert asyncio.run(go()) < 10, "not the thirty seconds of the database"


async def _written_together(storage: Storage, outcomes: list[Outcome]) -> list[BaseException | None]:
    results = _results(storage)
    return await asyncio.gather(*(results.write(each) for each in outcomes), return_exceptions=True)


def _results(storage: Storage) -> ResultWrites:
    return ResultWrites(storage, Leases(storage, 30.0), asyncio.to_thread)


def _outcome(road: Road, installation_id: str) -> Outcome:
    """A call with the store's one event, claimed under a token of its own and accepted."""
    road.events(1, installation_id)
    storage, now = road.storage, road.storage.now()
    token = storage.new_id()
    with storage.database.write() as connection:
        (work,) = event_queue.claim(
            connection, installation_id, Lane.FRESH, now=now, lease_until=now, token=token, limit=5
        )
    record = AttemptRecord(
        storage.new_id(), installation_id, PIXEL, now, 5, 1, False, 200, 0, "OK", "r", "accepted", ""
    )
    return Outcome(token, record, (work.id,), [Settlement((work.id,), EventState.DELIVERED)])


@contextmanager
def _commits(storage: Storage) -> Iterator[list[Any]]:
    seen: list[Any] = []

    def note(connection: Any) -> None:
        seen.append(connection)

    event.listen(storage.database.engine, "commit", note)
    try:
        yield seen
    finally:
        event.remove(storage.database.engine, "commit", note)
