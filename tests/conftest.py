"""Fixtures of all tests: whatever asks for `storage` or `settings` runs once on each database."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import settings as hypothesis_settings

import connector.console.staff
import connector.install.passwords
from connector.settings import Settings
from connector.storage.opening import Storage, open_storage
from tests.clock import Clock
from tests.databases import settings_for

# A slow machine is no fault of the code: no example is timed.
hypothesis_settings.register_profile("connector", deadline=None)
hypothesis_settings.load_profile("connector")


@pytest.fixture(scope="session", autouse=True)
def shipped_hashers() -> Iterator[tuple[PasswordHasher, ...]]:
    """Passwords are hashed quickly in the test's own process: a guess has to cost much, hundreds of sign-ins of ours
    need not. Gives the program's own hashers, the staff's and the owners' (`test_passwords.py`).
    """
    shipped = connector.console.staff._hasher, connector.install.passwords._hasher
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connector.console.staff, "_hasher", quick)
        patch.setattr(connector.install.passwords, "_hasher", quick)
        yield shipped


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
