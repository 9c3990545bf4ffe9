"""What a worker holds: fenced, renewed, given back. On a real socket, over both databases."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from connector.delivery.worker import DeliveryWorker
from connector.demo.tiktok_stand_in import StandInTikTok
from connector.outbound import Outbound
from connector.storage.opening import Storage
from connector.storage.tables import Event
from tests.clock import Clock
from tests.delivery.road import Road, copies, options, rounds


def test_a_worker_that_lost_its_lease_changes_nothing(
    road: Road, make_storage: Callable[..., Storage], tiktok: StandInTikTok, clock: Clock
) -> None:
    """The first worker's answer comes after the second has the work: only the second's counts."""
    (event_id,) = road.events(1)
    other = make_storage()
    tiktok.set_mode("slow", count=1, seconds=1.0)

    async def go() -> None:
        async with Outbound() as outbound:
            slow = DeliveryWorker(road.storage, outbound, options(tiktok, lease_seconds=30.0))
            quick = DeliveryWorker(other, outbound, options(tiktok))
            first = asyncio.create_task(slow.run_once())
            while not tiktok.calls:  # noqa: ASYNC110 - set from another thread
                await asyncio.sleep(0.01)
            assert await quick.run_once() == 0  # the lease holds
            clock.advance(seconds=31)
            assert await quick.run_once() == 1
            delivered_at = road.event(event_id).delivered_at
            clock.advance(seconds=5)
            await first
            assert road.event(event_id).delivered_at == delivered_at

    asyncio.run(go())
    row = road.event(event_id)
    assert (row.state, row.attempts) == ("delivered", 1)
    assert list(copies(tiktok)) == [2]
    assert len(road.attempts) == 2


@pytest.mark.parametrize("renewed", [False, True], ids=["sender_first", "keeper_first"])
def test_who_stood_still_for_longer_than_a_lease_judges_again_before_the_call(
    road: Road, tiktok: StandInTikTok, clock: Clock, renewed: bool
) -> None:
    """A machine that slept for three days, between a claim and its call: TikTok would count the browser's copy again.
    Whether the keeper of the leases is the first to wake, or the sender.
    """
    (event_id,) = road.events(1, browser_copy=True)

    async def go() -> None:
        async with Outbound() as outbound:
            worker = DeliveryWorker(road.storage, outbound, options(tiktok, lease_seconds=30.0))
            (claim,) = await worker._take()
            clock.advance(days=3)
            if renewed:
                worker._leases.renew_all()
            assert await worker._send(claim) == 0
            assert (road.event(event_id).state, [one.run_at <= clock() for one in road.work]) == ("pending", [True])
            await worker.run_once()

    asyncio.run(go())
    assert tiktok.calls == 0
    assert road.states() == {"held browser_copy_probable": 1}
    assert road.work == []


def test_who_stood_still_leaves_to_others_what_they_took_meanwhile(
    road: Road, make_storage: Callable[..., Storage], tiktok: StandInTikTok, clock: Clock
) -> None:
    (event_id,) = road.events(1)
    other = make_storage()

    async def go() -> None:
        async with Outbound() as outbound:
            frozen = DeliveryWorker(road.storage, outbound, options(tiktok, lease_seconds=30.0))
            (claim,) = await frozen._take()
            clock.advance(seconds=31)
            assert await DeliveryWorker(other, outbound, options(tiktok)).run_once() == 1
            assert await frozen._send(claim) == 0

    asyncio.run(go())
    assert (road.event(event_id).state, list(copies(tiktok))) == ("delivered", [1])


def test_a_lease_is_renewed_while_a_call_is_in_flight(
    road: Road, make_storage: Callable[..., Storage], tiktok: StandInTikTok
) -> None:
    from datetime import UTC, datetime

    slow_storage = make_storage(now=lambda: datetime.now(UTC))
    other = make_storage(now=lambda: datetime.now(UTC))
    tiktok.clock = lambda: datetime.now(UTC).timestamp()
    road.events(1)
    tiktok.set_mode("slow", count=1, seconds=1.5)

    async def go() -> list[int]:
        async with Outbound() as outbound:
            slow = DeliveryWorker(slow_storage, outbound, options(tiktok, lease_seconds=0.6))
            quick = DeliveryWorker(other, outbound, options(tiktok))
            first = asyncio.create_task(slow.run_once())
            while not tiktok.calls:  # noqa: ASYNC110 - set from another thread
                await asyncio.sleep(0.01)
            seen = []
            while not first.done():
                seen.append(await quick.run_once())
                await asyncio.sleep(0.1)
            return seen

    assert set(asyncio.run(go())) == {0}
    assert list(copies(tiktok)) == [1]


def test_a_stop_gives_back_what_was_not_sent(road: Road, tiktok: StandInTikTok, clock: Clock) -> None:
    road.events(30)
    tiktok.set_mode("hang")

    async def go() -> None:
        async with Outbound() as outbound:
            worker = DeliveryWorker(road.storage, outbound, options(tiktok, batch_size=10, shutdown_seconds=0.1))
            stop = asyncio.Event()
            running = asyncio.create_task(worker.run(stop))
            while tiktok.calls < 3:  # noqa: ASYNC110 - set from another thread
                await asyncio.sleep(0.01)
            stop.set()
            await running

    asyncio.run(go())
    assert {(each.lease_token, each.run_at, each.tries) for each in road.work} == {(0, clock(), 0)}
    assert len(road.work) == 30
    assert {each.attempts for each in road.rows(Event)} == {0}
    tiktok.set_mode("ok")
    assert rounds(road.storage, tiktok) == [30]


def test_run_wakes_for_new_work_and_ends_when_told(road: Road, tiktok: StandInTikTok) -> None:
    async def go() -> None:
        async with Outbound() as outbound:
            worker = DeliveryWorker(road.storage, outbound, options(tiktok, interval=60.0))
            stop = asyncio.Event()
            running = asyncio.create_task(worker.run(stop))
            while worker.looked_at is None:  # noqa: ASYNC110 - set from another thread
                await asyncio.sleep(0.01)
            road.events(3)
            waker = threading.Thread(target=worker.wake)
            waker.start()
            waker.join()
            async with asyncio.timeout(20):
                while len(tiktok.accepted) < 3:  # noqa: ASYNC110 - set from another thread
                    await asyncio.sleep(0.01)
                stop.set()
                await running

    asyncio.run(go())
    assert road.states() == {"delivered": 3}
