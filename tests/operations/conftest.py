"""A stand-in store on a real socket, and its installation."""

from collections.abc import Iterator

import pytest

from connector.demo.store_stand_in import StandInStore
from connector.storage.installations import InstallationRecord
from connector.storage.opening import Storage
from tests.clock import Clock
from tests.operations.stores import connect, store_on


@pytest.fixture
def store(clock: Clock) -> Iterator[StandInStore]:
    with store_on(clock) as running:
        yield running


@pytest.fixture
def record(storage: Storage, store: StandInStore) -> InstallationRecord:
    return connect(storage, store)
