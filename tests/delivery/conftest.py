"""A stand-in TikTok on a real socket, on the test's clock, and a road with one installation."""

from collections.abc import Iterator

import pytest

from connector.demo.tiktok_stand_in import StandInTikTok
from connector.storage.opening import Storage
from tests.clock import Clock
from tests.delivery.road import PIXEL, TOKEN, Road


@pytest.fixture
def tiktok(clock: Clock) -> Iterator[StandInTikTok]:
    with StandInTikTok(tokens={TOKEN: {PIXEL}}, clock=clock.timestamp) as running:
        yield running


@pytest.fixture
def road(storage: Storage) -> Road:
    road = Road(storage)
    road.installation()
    return road
