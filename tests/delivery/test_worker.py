"""The worker against a stand-in TikTok on a real socket, over both databases."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta

import orjson
import pytest
from sqlalchemy import update

from connector.core.states import Lane
from connector.delivery.worker import DeliveryWorker
from connector.demo.tiktok_stand_in import StandInTikTok
from connector.outbound import Outbound
from connector.storage.deliveries import resume_access
from connector.storage.opening import Storage
from connector.storage.tables import Event, EventWork, Installation
from tests.clock import Clock
from tests.delivery.road import PIXEL, TOKEN, Road, accepted_ids, copies, options, rounds

SUBJECT = b"s" * 16


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


def test_lost_access_pauses_burns_nothing_and_all_goes_after_a_new_token(road: Road, tiktok: StandInTikTok) -> None:
    ids = road.events(10)
    del tiktok.tokens[TOKEN]
    tiktok.add_access("another", PIXEL)
    rounds(road.storage, tiktok)
    (installation,) = road.rows(Installation)
    assert (installation.access, installation.access_reason) == ("lost", "token_revoked")
    (notice,) = road.notices
    assert (notice.kind, notice.resolved_at) == ("access_lost", None)
    assert {each.attempts for each in road.rows(Event)} == {0}
    ids += road.events(5)  # a paused installation still takes its webhooks
    calls = tiktok.calls
    assert rounds(road.storage, tiktok, 2) == [0, 0]
    assert tiktok.calls == calls
    road.give_token("store-1", "another")
    with road.storage.database.write() as connection:
        resume_access(connection, "store-1", road.storage.now())
    rounds(road.storage, tiktok)
    assert road.states() == {"delivered": 15}
    assert accepted_ids(tiktok) == sorted(ids)
    assert road.notices[0].resolved_at is not None


def test_resuming_brings_forward_what_waited_for_a_retry(road: Road, tiktok: StandInTikTok, clock: Clock) -> None:
    road.events(600)
    tiktok.set_mode("server_error")
    rounds(road.storage, tiktok)
    with road.storage.database.write() as connection:
        assert resume_access(connection, "store-1", road.storage.now()) == 600
    assert {each.run_at for each in road.work} == {clock()}


def test_a_new_token_given_during_a_refused_call_stays_good(road: Road, tiktok: StandInTikTok) -> None:
    """The refusal of the old token, come late, says nothing of the new one."""
    road.events(1)
    tiktok.set_mode("slow", seconds=0.5)
    del tiktok.tokens[TOKEN]
    tiktok.add_access("another", PIXEL)

    async def go() -> None:
        async with Outbound() as outbound:
            worker = DeliveryWorker(road.storage, outbound, options(tiktok))
            sending = asyncio.create_task(worker.run_once())
            while not tiktok.calls:  # noqa: ASYNC110 - set from another thread
                await asyncio.sleep(0.01)
            await asyncio.to_thread(road.give_token, "store-1", "another")
            await sending
            await worker.run_once()

    asyncio.run(go())
    assert road.states() == {"delivered": 1}
    assert road.notices == []


def test_without_a_token_the_owner_is_told_and_nothing_is_called(storage: Storage, tiktok: StandInTikTok) -> None:
    road = Road(storage)
    road.installation(token=None)
    road.events(2)
    assert rounds(storage, tiktok, 2) == [0, 0]
    (installation,) = road.rows(Installation)
    assert (installation.access, installation.access_reason) == ("lost", "token_missing")
    assert tiktok.calls == 0
    assert road.states() == {"pending": 2}


def test_a_credential_that_does_not_open_is_told_and_tried_later(
    road: Road, make_storage: Callable[..., Storage], tiktok: StandInTikTok, clock: Clock
) -> None:
    road.events(2)
    from connector.storage.encryption import KeyRing

    good = road.storage.keys
    object.__setattr__(road.storage, "keys", KeyRing(["another key of 32 characters or more"], lambda n: b"n" * n))
    assert rounds(road.storage, tiktok, 2) == [0, 0]
    (notice,) = road.notices
    assert (notice.kind, notice.count) == ("credential_unreadable", 1)
    object.__setattr__(road.storage, "keys", good)
    assert rounds(road.storage, tiktok) == [2]


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
            worker = DeliveryWorker(road.storage, outbound, options(tiktok), random=lambda: 0.0)
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


@pytest.mark.parametrize(
    ("hours", "browser_copy", "name", "expected"),
    [
        (47, True, "CompletePayment", "delivered"),
        (49, True, "CompletePayment", "held browser_copy_probable"),
        (49, False, "CompletePayment", "delivered"),
        (49, True, "ViewContent", "dead too_old_to_merge"),
        (7 * 24 + 1, False, "CompletePayment", "dead too_old"),
    ],
)
def test_age_decides_at_the_moment_of_sending(
    road: Road, tiktok: StandInTikTok, clock: Clock, hours: int, browser_copy: bool, name: str, expected: str
) -> None:
    road.events(1, browser_copy=browser_copy, name=name)
    clock.advance(hours=hours)
    rounds(road.storage, tiktok)
    assert road.states() == {expected: 1}
    assert tiktok.calls == (expected == "delivered")
    assert road.work == []


@pytest.mark.parametrize("column", ["visitor_subject", "order_subject"])
def test_consent_withdrawn_before_sending_withdraws_the_event(road: Road, tiktok: StandInTikTok, column: str) -> None:
    road.consent(SUBJECT, "granted")
    (mine,) = road.events(1, **{column: SUBJECT})
    (other,) = road.events(1, **{column: b"o" * 16})
    road.consent(SUBJECT, "denied", after=timedelta(seconds=1))
    rounds(road.storage, tiktok)
    assert accepted_ids(tiktok) == [other]
    row = road.event(mine)
    assert (row.state, row.reason, row.consent, row.match_keys) == (
        "withdrawn",
        "consent_withdrawn",
        "consent_denied",
        "",
    )
    assert "user" not in orjson.loads(row.payload)
    assert b"8888" not in row.payload


def test_a_privacy_signal_limits_where_consent_is_not_required(road: Road, tiktok: StandInTikTok) -> None:
    road.events(1, visitor_subject=SUBJECT, consent_policy="opt_out", country="US")
    road.consent(SUBJECT, "granted", signal=True)
    rounds(road.storage, tiktok)
    (accepted,) = tiktok.accepted
    assert accepted.event["limited_data_use"] is True
    assert (_only(road).state, _only(road).consent) == ("delivered", "gpc_limited")


def test_a_statement_that_says_nothing_takes_nothing_back(road: Road, tiktok: StandInTikTok) -> None:
    road.events(1, visitor_subject=SUBJECT)
    road.consent(SUBJECT, "unknown")
    rounds(road.storage, tiktok)
    assert road.states() == {"delivered": 1}


def test_test_events_go_apart(road: Road, tiktok: StandInTikTok) -> None:
    road.events(2)
    road.events(3, test_event_code="TEST123")
    rounds(road.storage, tiktok)
    assert (len(tiktok.accepted), len(tiktok.test_events)) == (2, 3)
    assert {code for code, _ in tiktok.test_events} == {"TEST123"}
    assert sorted((each.event_count, each.is_test) for each in road.attempts) == [(2, False), (3, True)]


def test_an_older_pixel_that_is_refused_stops_only_its_own_events(road: Road, tiktok: StandInTikTok) -> None:
    road.events(2, pixel_code="COLDPIXEL00000000001")
    tiktok.add_access("somebody else", "COLDPIXEL00000000001")
    road.events(3)
    rounds(road.storage, tiktok)
    assert road.states() == {"rejected old_pixel_refused": 2, "delivered": 3}
    assert road.notices == []
    assert road.rows(Installation)[0].access == "ok"


def test_the_own_pixel_refused_loses_access(storage: Storage, tiktok: StandInTikTok) -> None:
    road = Road(storage)
    road.installation(pixel="CUNKNOWN000000000001")
    road.events(2, pixel_code="CUNKNOWN000000000001")
    rounds(storage, tiktok)
    assert road.rows(Installation)[0].access_reason == "pixel_code"
    assert {each.state for each in road.rows(Event)} == {"pending"}


def test_a_paused_installation_keeps_its_work(road: Road, tiktok: StandInTikTok) -> None:
    road.events(2)
    _set_state(road, "paused")
    assert rounds(road.storage, tiktok) == [0]
    assert len(road.work) == 2
    _set_state(road, "active")
    assert rounds(road.storage, tiktok) == [2]


def _set_state(road: Road, state: str) -> None:
    with road.storage.database.write() as connection:
        connection.execute(update(Installation.__table__).values(state=state))


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


def test_work_of_an_event_that_is_over_is_dropped(road: Road, tiktok: StandInTikTok) -> None:
    (event_id,) = road.events(1)
    with road.storage.database.write() as connection:
        connection.execute(update(Event.__table__).values(state="withdrawn"))
    assert rounds(road.storage, tiktok) == [0]
    assert road.rows(EventWork) == []
    assert road.event(event_id).state == "withdrawn"


def test_an_event_erased_while_it_waited_is_withdrawn(road: Road, tiktok: StandInTikTok) -> None:
    road.events(1)
    with road.storage.database.write() as connection:
        connection.execute(update(Event.__table__).values(payload=None))
    assert rounds(road.storage, tiktok) == [0]
    assert road.states() == {"withdrawn erased": 1}
    assert road.work == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_gateway_that_refuses_twice_means_lost_access(road: Road, clock: Clock, status: int) -> None:
    road.events(2)
    with _Gateway(status) as gateway:
        rounds(road.storage, gateway)  # type: ignore[arg-type]
        assert road.states() == {"pending gateway_auth": 2}
        clock.advance(minutes=1)
        rounds(road.storage, gateway)  # type: ignore[arg-type]
    assert road.rows(Installation)[0].access_reason == "gateway_auth"
    assert {(each.state, each.attempts) for each in road.rows(Event)} == {("pending", 1)}


class _Gateway:
    """Answers every call with one status and a page."""

    def __init__(self, status: int) -> None:
        from http.server import BaseHTTPRequestHandler, HTTPServer

        class Page(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b"<html>no</html>")

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Page)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "_Gateway":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
