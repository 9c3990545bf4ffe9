"""A bad network between us and TikTok: nothing is lost, nothing counts twice, nobody waits for long."""

import asyncio
import time

import pytest

from connector.delivery.worker import DeliveryWorker
from connector.demo.tiktok_stand_in import StandInTikTok
from connector.outbound import Outbound
from tests.clock import Clock
from tests.delivery.road import Road, accepted_ids, options
from tests.toxic import TOXINS, ToxicProxy

_PATIENCE = 0.4


@pytest.mark.parametrize("toxin", TOXINS)
def test_every_event_arrives_once_when_the_network_is_well_again(
    road: Road, tiktok: StandInTikTok, clock: Clock, toxin: str
) -> None:
    ids = road.events(20)
    with ToxicProxy(tiktok.port, toxin) as proxy:

        async def go() -> float:
            async with Outbound() as outbound:
                with_proxy = options(tiktok, api_url=proxy.url, timeout_seconds=_PATIENCE)
                worker = DeliveryWorker(road.storage, outbound, with_proxy, random=lambda: 0.0)
                began = time.monotonic()
                for _ in range(2):
                    await worker.run_once()
                    clock.advance(minutes=1)
                spent = time.monotonic() - began
                proxy.mood = "ok"
                proxy.forget()
                ids.extend(road.events(5))
                for _ in range(2):
                    await worker.run_once()
                    clock.advance(minutes=1)
                return spent

        assert asyncio.run(go()) < 2 * _PATIENCE + 1.5
    assert accepted_ids(tiktok) == sorted(ids), "merged by their event ids"
    assert road.states() == {"delivered": 25}
    assert road.work == []
