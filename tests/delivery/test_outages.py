"""Hours and days of trouble in simulated time: outages, throttling, clocks that jump or differ. Nobody sleeps."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from connector.core.states import Lane
from connector.delivery.worker import DeliveryWorker
from connector.demo.tiktok_stand_in import StandInTikTok
from connector.outbound import Outbound
from connector.storage.opening import Storage
from connector.storage.queue import event_queue
from connector.storage.tables import Event
from tests.clock import Clock
from tests.delivery.road import Road, accepted_ids, copies, options

_LONGEST_WAIT = timedelta(minutes=13)  # between two tries, at a base of one second


class Days:
    """One worker over a long time."""

    def __init__(self, road: Road, tiktok: StandInTikTok, clock: Clock, outbound: Outbound) -> None:
        self.road, self.tiktok, self.clock = road, tiktok, clock
        self.worker = DeliveryWorker(road.storage, outbound, options(tiktok), random=lambda: 0.0)

    async def go_by(self, span: timedelta, step: timedelta, then: Callable[[], object] = lambda: None) -> None:
        """Let time pass; `then` happens at each step."""
        end = self.clock() + span
        while self.clock() < end:
            then()
            await self.worker.run_once()
            self.clock.time += step

    async def heal(self) -> None:
        """From now on TikTok answers; the longest wait passes."""
        self.tiktok.set_mode("ok")
        await self.go_by(_LONGEST_WAIT, timedelta(minutes=1))


def lived(road: Road, tiktok: StandInTikTok, clock: Clock, story: Callable[[Days], Awaitable[None]]) -> None:
    async def go() -> None:
        async with Outbound() as outbound:
            await story(Days(road, tiktok, clock, outbound))

    asyncio.run(go())


def test_a_day_without_tiktok_heals_by_itself(road: Road, tiktok: StandInTikTok, clock: Clock) -> None:
    sold: list[str] = []
    tiktok.set_mode("down")

    async def story(days: Days) -> None:
        await days.go_by(timedelta(days=1), timedelta(minutes=15), lambda: sold.extend(road.events(1)))
        assert tiktok.accepted == []
        await days.heal()

    lived(road, tiktok, clock, story)
    assert accepted_ids(tiktok) == sorted(sold)
    assert list(copies(tiktok)) == [1] * len(sold) == [1] * 96
    assert road.states() == {"delivered": 96}
    assert tiktok.calls < 300, "a dead service is asked now and then, not hammered"


@pytest.mark.parametrize(
    ("hours", "purchase", "purchase_with_copy", "view", "view_with_copy"),
    [
        (47, "delivered", "delivered", "delivered", "delivered"),
        (49, "delivered", "held browser_copy_probable", "delivered", "dead too_old_to_merge"),
        (169, "dead too_old", "held browser_copy_probable", "dead too_old", "dead too_old_to_merge"),
    ],
)
def test_each_age_limit_stops_what_it_must(
    road: Road,
    tiktok: StandInTikTok,
    clock: Clock,
    hours: int,
    purchase: str,
    purchase_with_copy: str,
    view: str,
    view_with_copy: str,
) -> None:
    wanted = {
        road.events(1)[0]: purchase,
        road.events(1, browser_copy=True)[0]: purchase_with_copy,
        road.events(1, name="ViewContent")[0]: view,
        road.events(1, name="ViewContent", browser_copy=True)[0]: view_with_copy,
    }
    tiktok.set_mode("down")

    async def story(days: Days) -> None:
        await days.go_by(timedelta(hours=hours), timedelta(hours=1))
        await days.heal()

    lived(road, tiktok, clock, story)
    assert {row.event_id: f"{row.state} {row.reason}".strip() for row in road.rows(Event)} == wanted
    assert accepted_ids(tiktok) == sorted(one for one, state in wanted.items() if state == "delivered")
    assert set(copies(tiktok)) <= {1}
    assert road.work == []


@pytest.mark.parametrize("code", [429, 40100, 40132, 40016])
def test_an_hour_of_throttling_burns_no_attempt(road: Road, tiktok: StandInTikTok, clock: Clock, code: int) -> None:
    sold: list[str] = []
    tiktok.set_mode("throttle", code=code, retry_after="120")

    async def story(days: Days) -> None:
        await days.go_by(timedelta(hours=1), timedelta(minutes=1), lambda: sold.extend(road.events(1)))
        assert {row.attempts for row in road.rows(Event)} == {0}
        assert tiktok.calls <= 31, "every two minutes, as it was told"
        await days.heal()

    lived(road, tiktok, clock, story)
    assert accepted_ids(tiktok) == sorted(sold)
    assert {row.attempts for row in road.rows(Event)} == {1}


@pytest.mark.parametrize("hours", [5, -5])
def test_a_clock_that_jumps_holds_up_nothing(road: Road, tiktok: StandInTikTok, clock: Clock, hours: int) -> None:
    """Retries that wait, a throttled pause and the lease of a worker that died: none of it lasts for five hours."""
    ids = road.events(5)
    tiktok.set_mode("down")

    async def story(days: Days) -> None:
        await days.go_by(timedelta(minutes=2), timedelta(seconds=30))
        tiktok.set_mode("throttle", count=1)
        await days.go_by(timedelta(minutes=2), timedelta(seconds=30))
        ids.extend(road.events(3, event_time=clock() - timedelta(hours=6)))  # the store's clock was right
        _claim_and_die(road)
        clock.advance(hours=hours)
        ids.extend(road.events(2))
        await days.heal()

    lived(road, tiktok, clock, story)
    assert accepted_ids(tiktok) == sorted(ids)
    assert road.states() == {"delivered": 10}
    assert road.work == []


def _claim_and_die(road: Road) -> None:
    now = road.storage.now()
    with road.storage.database.write() as connection:
        lease = {"now": now, "lease_until": now + timedelta(seconds=30), "token": 7, "limit": 3}
        assert len(event_queue.claim(connection, "store-1", Lane.FRESH, **lease)) == 3  # type: ignore[arg-type]


def _both(road: Road, other: Storage, tiktok: StandInTikTok, clock: Clock, *, rounds_each: int = 6) -> None:
    """Two workers at the same time, calls that take a moment; simulated seconds pass between their rounds."""
    tiktok.set_mode("slow", seconds=0.02)

    async def work(storage: Storage, outbound: Outbound) -> None:
        worker = DeliveryWorker(storage, outbound, options(tiktok, batch_size=5, concurrency=2))
        for _ in range(rounds_each):
            await worker.run_once()
            clock.advance(seconds=1)

    async def go() -> None:
        async with Outbound() as outbound:
            await asyncio.gather(work(road.storage, outbound), work(other, outbound))

    asyncio.run(go())


@pytest.mark.parametrize("seconds", [60, -60])
def test_workers_whose_clocks_differ_by_more_than_a_lease_complete_nothing_twice(
    road: Road, make_storage: Callable[..., Storage], tiktok: StandInTikTok, clock: Clock, seconds: int
) -> None:
    ids = road.events(40)
    other = make_storage(lambda: clock() + timedelta(seconds=seconds))
    _both(road, other, tiktok, clock)
    clock.advance(minutes=2)
    _both(road, other, tiktok, clock)
    assert accepted_ids(tiktok) == sorted(ids)
    assert road.states() == {"delivered": 40}
    assert {row.attempts for row in road.rows(Event)} == {1}
    assert road.work == []


@pytest.mark.parametrize("seconds", [19, -19])
def test_within_two_thirds_of_a_lease_nothing_is_even_sent_twice(
    road: Road, make_storage: Callable[..., Storage], tiktok: StandInTikTok, clock: Clock, seconds: int
) -> None:
    """A lease is renewed at a third of its length, so two thirds of it are always left."""
    road.events(40)
    other = make_storage(lambda: clock() + timedelta(seconds=max(seconds, 0)))
    with_own_clock = Road(make_storage(lambda: clock() + timedelta(seconds=max(-seconds, 0))))
    _both(with_own_clock, other, tiktok, clock)
    assert list(copies(tiktok)) == [1] * 40
