"""What the gap report says of orders that nothing more comes of: erased ones, and ones too old for TikTok."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from connector.demo.store_stand_in import StandInStore
from connector.operations.privacy import erase_person
from connector.storage.installations import InstallationRecord
from connector.storage.opening import Storage
from connector.storage.queue import event_queue
from connector.storage.tables import Event
from tests.clock import Clock
from tests.operations.stores import compare
from tests.road.road import arrive_body, events, process, webhooks

_EMAIL = "shopper@example.com"
_event: Any = Event.__table__


def _arrives(storage: Storage, store: StandInStore, order_id: int) -> None:
    """As the store's webhook: other bytes than its API's for the same order."""
    body = json.loads(store._body("order.updated", str(order_id)))
    arrive_body(storage, "order.updated", json.dumps(body).encode())


@pytest.mark.parametrize("processed", [True, False])
def test_an_erased_order_is_not_fetched_again(
    storage: Storage, store: StandInStore, record: InstallationRecord, clock: Clock, processed: bool
) -> None:
    """Before it was processed and after: the store still has it, and from there it must not come back."""
    order_id = store.place_order()
    _arrives(storage, store, order_id)
    if processed:
        process(storage)
    clock.advance(minutes=5)
    assert erase_person(storage, record.id, _EMAIL).webhooks_erased == 1

    report = compare(storage, record)

    assert (report.paid, report.accepted, report.fetched, len(webhooks(storage))) == (1, 0, 0, 1)
    assert all(_EMAIL.encode() not in row.body for row in webhooks(storage))
    (line,) = report.text().splitlines()[1:]
    assert line == f"  order {order_id}: " + (
        "withdrawn before it was sent (erased)" if processed else "erased at the buyer's wish before it was sent"
    )


def test_an_order_that_tiktok_had_before_it_was_erased_counts_as_accepted(
    storage: Storage, store: StandInStore, record: InstallationRecord
) -> None:
    _arrives(storage, store, store.place_order())
    process(storage)
    with storage.database.write() as connection:
        event_queue.withdraw(connection, [event.id for event in events(storage)], storage.now())
        connection.execute(update(_event).values(state="delivered", delivered_at=storage.now()))
    assert len(erase_person(storage, record.id, _EMAIL).tiktok_has) == 1

    report = compare(storage, record)

    assert (report.paid, report.accepted, list(report.gaps)) == (1, 1, [])


def test_an_order_too_old_for_tiktok_is_not_said_to_go_on_its_way(
    storage: Storage, store: StandInStore, record: InstallationRecord, clock: Clock
) -> None:
    old = store.place_order()
    clock.advance(days=6)
    late = store.place_order()
    clock.advance(days=2)

    document = compare(storage, record, clock() - timedelta(days=9)).document()

    assert [(gap["order_id"], gap["state"], gap["reason"], gap["why"]) for gap in document["gaps"]] == [
        (str(old), "fetched", "too_old", "it never arrived; fetched now, too late: TikTok takes nothing that old"),
        (str(late), "fetched", "", "it never arrived; fetched now, it goes on its way"),
    ]


def test_an_order_that_was_known_unpaid_is_closed_by_the_erasure_of_its_waiting_payment(
    storage: Storage, store: StandInStore, record: InstallationRecord, clock: Clock
) -> None:
    order_id = store.place_order("pending")
    _arrives(storage, store, order_id)
    process(storage)
    clock.advance(minutes=2)
    store.change_order(order_id, status="processing")
    _arrives(storage, store, order_id)
    assert erase_person(storage, record.id, _EMAIL).webhooks_erased == 2

    assert compare(storage, record).fetched == 0
    clock.advance(minutes=2)
    store.change_order(order_id, status="completed")
    _arrives(storage, store, order_id)
    process(storage)
    assert events(storage) == []
