"""One store's backlog, however long, and another store's purchase: who waits for whom, counted in turns."""

import asyncio
import time

import pytest

from connector.core.states import Lane
from connector.delivery.worker import DeliveryWorker
from connector.demo.tiktok_stand_in import StandInTikTok
from connector.intake.processing import Processor
from connector.outbound import Outbound
from connector.storage.arrivals import Arrival, ArrivalWriter, digest_of
from connector.storage.opening import Storage
from connector.storage.queue import NewWork, event_queue, webhook_queue
from tests.clock import Clock
from tests.delivery.road import Road, options, rounds
from tests.installations import add_installation
from tests.road.road import arrive_body, order_body, webhooks

BACKLOG = 50_000


def _backlog(road: Road, count: int = BACKLOG, lane: Lane = Lane.FRESH) -> None:
    """Work for so many events of one store. Most events themselves are left out: only what is claimed is read."""
    now = road.storage.now()
    road.events(3000, lane=lane)
    work = [NewWork(row_id, "store-1", now, lane) for row_id in road.storage.new_ids(count - 3000)]
    with road.storage.database.write() as connection:
        event_queue.add(connection, work)


def test_a_purchase_leaves_in_the_first_round_whatever_waits_before_it(road: Road, tiktok: StandInTikTok) -> None:
    road.installation("store-2")
    _backlog(road)
    rounds(road.storage, tiktok)
    (mine,) = road.events(1, "store-2")
    began = time.monotonic()
    rounds(road.storage, tiktok)
    assert mine in {one.event["event_id"] for one in tiktok.accepted}
    assert time.monotonic() - began < 5, "one round, not a backlog"
    with road.storage.database.read() as connection:
        assert event_queue.backlog(connection) > BACKLOG - 5000


def test_a_purchase_is_in_the_next_claims_whatever_replay_of_its_own_store_waits(
    road: Road, tiktok: StandInTikTok
) -> None:
    _backlog(road, lane=Lane.REPLAY)
    rounds(road.storage, tiktok)
    (mine,) = road.events(1)
    rounds(road.storage, tiktok)
    assert mine in {one.event["event_id"] for one in tiktok.accepted}
    with road.storage.database.read() as connection:
        assert event_queue.backlog(connection) > BACKLOG - 5000


@pytest.mark.parametrize(("stores", "concurrency"), [(1, 8), (1, 2), (5, 8), (5, 4)])
def test_replays_that_are_being_sent_leave_a_place_for_a_purchase(
    road: Road, tiktok: StandInTikTok, stores: int, concurrency: int
) -> None:
    """All their calls hang. A purchase, of one of those stores, does not wait for any of them."""
    names = [road.installation(f"replaying-{number}") for number in range(stores)]
    for name in names:
        road.events(200, name, lane=Lane.REPLAY)

    async def go() -> None:
        async with Outbound() as outbound:
            settings = options(tiktok, batch_size=10, concurrency=concurrency, shutdown_seconds=0.1)
            worker = DeliveryWorker(road.storage, outbound, settings)
            stop = asyncio.Event()
            tiktok.set_mode("hang")
            running = asyncio.create_task(worker.run(stop))
            await asyncio.sleep(0.5)
            assert tiktok.calls > 0
            road.events(1, names[0])
            worker.wake()
            async with asyncio.timeout(2):
                while not any(one.lease_token for one in road.work if one.lane == Lane.FRESH):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            stop.set()
            await running

    asyncio.run(go())


def test_calls_of_one_store_never_take_every_place(road: Road, tiktok: StandInTikTok) -> None:
    """Its calls hang. The other store's purchase, which comes later, does not wait for any of them."""
    road.installation("store-2")
    road.events(400)

    async def go() -> set[str]:
        async with Outbound() as outbound:
            worker = DeliveryWorker(
                road.storage, outbound, options(tiktok, batch_size=10, concurrency=4, shutdown_seconds=0.1)
            )
            stop = asyncio.Event()
            tiktok.set_mode("hang")
            running = asyncio.create_task(worker.run(stop))
            while tiktok.calls < 2:  # noqa: ASYNC110 - set from another thread
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            assert tiktok.calls == 2, "two of four places stay free"
            road.events(1, "store-2")
            worker.wake()
            async with asyncio.timeout(1):
                while tiktok.calls < 3:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            stop.set()
            await running
            return {each.installation_id for each in road.work if each.tries == 0}

    asyncio.run(go())


def test_a_webhook_is_processed_in_the_first_group_whatever_waits_before_it(storage: Storage, clock: Clock) -> None:
    for name in ("busy", "quiet"):
        add_installation(storage, name)
    _stored(storage, "busy", BACKLOG)
    arrive_body(storage, "order.updated", order_body(1), "quiet")
    assert Processor(storage, 30.0).run_once() > 1
    assert [row.state for row in webhooks(storage) if row.installation_id == "quiet"] == ["processed"]
    with storage.database.read() as connection:
        assert webhook_queue.backlog(connection) >= BACKLOG - 128


def test_a_webhook_is_processed_before_all_that_a_replay_of_its_store_reads_anew(
    storage: Storage, clock: Clock
) -> None:
    add_installation(storage, "busy")
    _stored(storage, "busy", BACKLOG, Lane.REPLAY)
    arrive_body(storage, "order.updated", order_body(1), "busy")
    assert Processor(storage, 30.0).run_once() > 1
    assert [row.state for row in webhooks(storage) if row.topic == "order.updated"] == ["processed"]


def _stored(storage: Storage, installation_id: str, count: int, lane: Lane = Lane.FRESH) -> None:
    now, writer = storage.now(), ArrivalWriter(storage.database)
    for start in range(0, count, 5000):
        group = []
        for number, row_id in enumerate(storage.new_ids(min(5000, count - start)), start):
            body = b'{"id":%d}' % (number + 1)
            digest = digest_of(installation_id, "order.deleted", body)
            group.append(Arrival(row_id, installation_id, "order.deleted", now, digest, "{}", body, lane=lane))
        writer.write(group)
    writer.close()
