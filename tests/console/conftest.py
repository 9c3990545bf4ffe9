"""One store, two people of the staff. Pages are tried on SQLite, what asks the database elsewhere on both."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from connector.console.staff import add_staff
from connector.settings import Settings
from connector.storage.opening import Storage
from tests.clock import Clock
from tests.console.world import ADMIN, PASSWORD, SUPPORT, World


@pytest.fixture(params=["sqlite"])
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(storage: Storage, settings: Settings) -> World:
    made = World(storage, settings)
    made.add_installation()
    return made


@pytest.fixture
def staffed(world: World) -> World:
    add_staff(world.storage, SUPPORT, "support", PASSWORD)
    add_staff(world.storage, ADMIN, "admin", PASSWORD)
    return world


@pytest.fixture
def later(clock: Clock) -> Callable[[timedelta], None]:
    def move(by: timedelta) -> None:
        clock.time += by

    return move
