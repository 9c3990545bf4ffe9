"""The worker against a stand-in TikTok on a real socket, over both databases."""

import asyncio
from datetime import timedelta

import orjson
import pytest
from sqlalchemy import update

from connector.core.states import Lane
from connector.delivery.worker import DeliveryWorker
from connector.demo.tiktok_stand_in import StandInTikTok
from connector.outbound import Outbound
from connector.storage.tables import Event
from tests.clock import Clock
from tests.delivery.road import Road, accepted_ids, copies, options, rounds


def _only(road: Road) -> Event:
    (row,) = road.rows(Event)
    return row


def test_pending_events_are_delivered_once(road: Road, tiktok: StandInTikTok) -> None:
    ids = road.events(3)
    assert rounds(road.storage, tiktok, 2) == [3, 0]
    assert accepted_ids(tiktok) == sorted(ids)
    assert list(copies(tiktok)) == [1, 1, 1]
    assert road.states() == {"delivered": 3}
    assert road.work == []
    row = road.event(ids[0])
    assert (row.attempts, row.delivered_at, row.next_attempt_at) == (1, road.storage.now(), None)
    (attempt,) = road.attempts
    assert (attempt.result, attempt.code, attempt.http_status, attempt.event_count) == ("accepted", 0, 200, 3)
    assert attempt.request_id
    assert {each.event_row_id for each in road.attempt_events} == {each.id for each in road.rows(Event)}


@pytest.mark.parametrize("place", [0, 17, 49])
def test_an_event_refused_with_its_place_does_not_stop_the_others(
    road: Road, tiktok: StandInTikTok, place: int
) -> None:
    ids = road.events(50)
    _spoil(road, ids[place])
    rounds(road.storage, tiktok)
    assert road.states() == {"delivered": 49, "rejected invalid_parameter": 1}
    assert road.event(ids[place]).state == "rejected"
    assert accepted_ids(tiktok) == sorted(set(ids) - {ids[place]})
    assert {each.attempts for each in road.rows(Event)} == {1}


def _spoil(road: Road, event_id: str) -> None:
    """Make the payload one that TikTok refuses, as after a change of its rules."""
    row = road.event(event_id)
    item = orjson.loads(row.payload)
    item["properties"]["content_ids"] = [7]
    with road.storage.database.write() as connection:
        table = Event.__table__
        connection.execute(update(table).where(table.c.id == row.id).values(payload=orjson.dumps(item)))


def test_events_refused_without_a_place_are_found_by_bisecting(road: Road, tiktok: StandInTikTok) -> None:
    ids = road.events(50)
    tiktok.poison = {ids[3], ids[31]}
    rounds(road.storage, tiktok)
    assert road.states() == {"delivered": 48, "rejected invalid_parameter": 2}
    assert {road.event(ids[3]).state, road.event(ids[31]).state} == {"rejected"}
    assert list(copies(tiktok)) == [1] * 48


def test_a_partial_success_is_sent_again_one_by_one(road: Road, tiktok: StandInTikTok) -> None:
    ids = road.events(4)
    tiktok.set_mode("partial")
    rounds(road.storage, tiktok)
    assert road.states() == {"delivered": 4}
    assert accepted_ids(tiktok) == sorted(ids)
    assert [each.event_count for each in road.attempts] == [4, 1, 1, 1, 1]


def test_a_single_event_that_stays_unclear_is_given_up_after_five_tries(
    road: Road, tiktok: StandInTikTok, clock: Clock
) -> None:
    road.events(1)
    tiktok.set_mode("partial_always")
    for tries in range(1, 5):
        rounds(road.storage, tiktok)
        row = _only(road)
        assert (row.state, row.reason, row.attempts) == ("pending", "partial_success", tries)
        clock.advance(hours=1)
    rounds(road.storage, tiktok)
    assert road.states() == {"dead partial_success_unconfirmed": 1}
    assert tiktok.calls == 5


def test_a_throttled_app_makes_everyone_wait(road: Road, tiktok: StandInTikTok, clock: Clock) -> None:
    road.installation("store-2")
    road.events(2)
    tiktok.set_mode("throttle", count=1, code=40100)

    async def go() -> None:
        async with Outbound() as outbound:
            worker = DeliveryWorker(road.storage, outbound, options(tiktok), random=lambda: 0.0)
            await worker.run_once()
            road.events(2, "store-2")
            assert await worker.run_once() == 0
            clock.advance(seconds=61)  # 60 bases
            assert await worker.run_once() == 4

    asyncio.run(go())
    assert road.states() == {"delivered": 4}
    assert {each.attempts for each in road.rows(Event)} == {1}


def test_a_throttled_advertiser_waits_alone(road: Road, tiktok: StandInTikTok, clock: Clock) -> None:
    road.installation("store-2")
    road.events(2)
    tiktok.set_mode("throttle", count=1, code=40132)

    async def go() -> None:
        async with Outbound() as outbound:
            worker = DeliveryWorker(road.storage, outbound, options(tiktok), random=lambda: 0.0)
            await worker.run_once()
            road.events(1)
            road.events(2, "store-2")
            assert await worker.run_once() == 2
            clock.advance(seconds=13)
            assert await worker.run_once() == 3

    asyncio.run(go())
    assert road.states() == {"delivered": 5}


def test_retry_after_is_honoured(road: Road, tiktok: StandInTikTok, clock: Clock) -> None:
    road.events(1)
    tiktok.set_mode("throttle", count=1, code=429, retry_after="300")
    rounds(road.storage, tiktok)
    assert _only(road).next_attempt_at == clock() + timedelta(seconds=300)


@pytest.mark.parametrize("trouble", ["down", "bad_gateway", "garbage", "server_error"])
def test_trouble_that_heals_loses_and_doubles_nothing(
    road: Road, tiktok: StandInTikTok, clock: Clock, trouble: str
) -> None:
    ids = road.events(20)
    tiktok.set_mode(trouble)
    for _ in range(3):
        rounds(road.storage, tiktok)
        clock.advance(minutes=2)
    assert {each.state for each in road.rows(Event)} == {"pending"}
    assert {each.attempts for each in road.rows(Event)} == {3}
    assert {each.result for each in road.attempts} == {"retry"}
    tiktok.set_mode("ok")
    rounds(road.storage, tiktok)
    assert accepted_ids(tiktok) == sorted(ids)
    assert list(copies(tiktok)) == [1] * 20


def test_a_refused_connection_is_recorded_too(road: Road, tiktok: StandInTikTok) -> None:
    road.events(2)
    tiktok.stop()
    rounds(road.storage, tiktok)
    (attempt,) = road.attempts
    assert (attempt.http_status, attempt.code, attempt.reason) == (None, None, "connect")
    assert len(road.attempt_events) == 2


def test_the_breaker_lets_one_probe_through_until_it_heals(road: Road, tiktok: StandInTikTok, clock: Clock) -> None:
    for number in range(2, 21):
        road.installation(f"store-{number}")
        road.events(1, f"store-{number}")
    tiktok.set_mode("down")

    async def go() -> list[int]:
        async with Outbound() as outbound:
            worker = DeliveryWorker(road.storage, outbound, options(tiktok, concurrency=8), random=lambda: 0.0)
            first = [await worker.run_once() for _ in range(3)]
            clock.advance(seconds=1)
            probes = [await worker.run_once() for _ in range(2)]
            tiktok.set_mode("ok")
            clock.advance(seconds=1)
            return [*first, *probes, await worker.run_once(), await worker.run_once()]

    # Eight fail and open it, then silence; one probe per base; when one is answered all may go.
    assert asyncio.run(go()) == [8, 0, 0, 1, 0, 1, 8]


def test_the_same_event_id_is_sent_again_when_the_answer_was_lost(
    road: Road, tiktok: StandInTikTok, clock: Clock
) -> None:
    ids = road.events(3)
    tiktok.set_mode("close_after_accept", count=1)
    rounds(road.storage, tiktok)
    assert road.states() == {"pending closed": 3}
    clock.advance(minutes=1)
    rounds(road.storage, tiktok)
    assert accepted_ids(tiktok) == sorted(ids)
    assert list(copies(tiktok)) == [2, 2, 2]
    assert road.states() == {"delivered": 3}


def test_test_events_go_apart(road: Road, tiktok: StandInTikTok) -> None:
    road.events(2)
    road.events(3, test_event_code="TEST123")
    rounds(road.storage, tiktok)
    assert (len(tiktok.accepted), len(tiktok.test_events)) == (2, 3)
    assert {code for code, _ in tiktok.test_events} == {"TEST123"}
    assert sorted((each.event_count, each.is_test) for each in road.attempts) == [(2, False), (3, True)]


def test_a_backlog_of_replays_does_not_stand_before_live_orders(road: Road, tiktok: StandInTikTok) -> None:
    road.events(50, lane=Lane.REPLAY)
    live = road.events(1)
    rounds(road.storage, tiktok, concurrency=2, batch_size=10)
    assert set(live) <= set(accepted_ids(tiktok))


def test_installations_take_turns(road: Road, tiktok: StandInTikTok) -> None:
    road.events(50)
    for number in (2, 3):
        road.installation(f"store-{number}")
        road.events(1, f"store-{number}")
    rounds(road.storage, tiktok, concurrency=3, batch_size=10)
    by_store = {each.installation_id: each.event_count for each in road.attempts}
    assert by_store == {"store-1": 10, "store-2": 1, "store-3": 1}
