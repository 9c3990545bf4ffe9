"""A stand-in store on a real socket, connected to a test's database, and the steps of comparing its orders."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from connector.demo.store_stand_in import StandInStore
from connector.operations.calls import LoopCalls
from connector.operations.gap_report import GapReport
from connector.operations.reconcile import reconcile
from connector.operations.store_orders import StoreOrders, store_access
from connector.outbound import Outbound
from connector.storage.installations import (
    InstallationRecord,
    add_credential,
    change_installation,
    find_installation,
)
from connector.storage.opening import Storage
from tests.clock import Clock
from tests.installations import add_installation


def connect(
    storage: Storage, store: StandInStore, installation_id: str = "installation1", **options: object
) -> InstallationRecord:
    """An installation of that store, with its keys, as the authorise page leaves it."""
    add_installation(storage, installation_id, **options)  # type: ignore[arg-type]
    give_keys(storage, store, installation_id)
    with storage.database.read() as connection:
        found = find_installation(connection, installation_id)
    assert found is not None
    return found


def give_keys(storage: Storage, store: StandInStore, installation_id: str) -> None:
    """The store's address and keys, as the authorise page would have left them."""
    key, secret = store.new_keys()
    with storage.database.write() as connection:
        change_installation(connection, installation_id, storage.now(), store_url=store.url)
        for kind, text in (("consumer_key", key), ("consumer_secret", secret)):
            add_credential(
                connection,
                storage.keys,
                row_id=storage.new_id(),
                installation_id=installation_id,
                kind=kind,
                text=text,
                now=storage.now(),
            )


@contextmanager
def store_on(clock: Clock, **switches: object) -> Iterator[StandInStore]:
    with StandInStore(clock=clock, **switches) as store:
        yield store


@contextmanager
def calls() -> Iterator[LoopCalls]:
    with LoopCalls(lambda: Outbound(allow_private=True)) as running:
        yield running


def orders_of(storage: Storage, record: InstallationRecord, running: LoopCalls) -> StoreOrders:
    return StoreOrders(store_access(storage, record), running, storage.now, lambda _seconds: None)


def compare(storage: Storage, record: InstallationRecord, since: datetime | None = None) -> GapReport:
    """One run over the last day, or from then on."""
    with calls() as running:
        start = since or storage.now() - timedelta(days=1)
        return reconcile(storage, record, orders_of(storage, record, running), start)
