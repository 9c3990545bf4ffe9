"""Fixtures of all tests: whatever asks for `storage` or `settings` runs once on each database."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from connector.settings import Settings
from connector.storage.opening import Storage, open_storage
from tests.clock import Clock
from tests.databases import settings_for

# A slow machine is no fault of the code: no example is timed.
hypothesis_settings.register_profile("connector", deadline=None)
hypothesis_settings.load_profile("connector")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(database_kind: str, tmp_path: Path) -> Settings:
    """Settings of a service over a new database."""
    return settings_for(database_kind, tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_storage(settings: Settings, clock: Clock) -> Iterator[Callable[..., Storage]]:
    """Opens the test's database as one process would; call it again for another process, with a clock of its own."""
    opened: list[Storage] = []

    def make(now: Callable[[], datetime] = clock) -> Storage:
        opened.append(open_storage(settings, now=now))
        return opened[-1]

    yield make
    for storage in opened:
        storage.close()


@pytest.fixture
def storage(make_storage: Callable[..., Storage]) -> Storage:
    """The database on a clock that stands still until the test moves it (`clock`)."""
    return make_storage()
