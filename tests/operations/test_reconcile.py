"""Comparing a store's orders with what arrived, against a store on a real socket, on both databases."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from connector.demo.store_stand_in import StandInStore
from connector.demo.tiktok_stand_in import StandInTikTok
from connector.errors import StoreRefused, UsageError
from connector.operations.reconcile import new_run, reconcile, run_reconcile
from connector.storage.installations import InstallationRecord, change_installation, find_installation
from connector.storage.opening import Storage
from connector.storage.tables import Event
from connector.storage.tables_reconcile import ReconcileRun
from tests.clock import Clock
from tests.delivery.road import accepted_ids, rounds
from tests.installations import PIXEL, TOKEN
from tests.operations.stores import calls, compare, connect, orders_of
from tests.road.road import arrive_body, events, process, webhooks


@pytest.fixture
def tiktok() -> Iterator[StandInTikTok]:
    standing = StandInTikTok(tokens={TOKEN: {PIXEL}})
    standing.start()
    yield standing
    standing.stop()


def _arrives(storage: Storage, store: StandInStore, order_id: int) -> None:
    """The store's webhook got through."""
    arrive_body(storage, "order.updated", store._body("order.updated", str(order_id)))


def _deliver(storage: Storage, tiktok: StandInTikTok) -> None:
    process(storage)
    rounds(storage, tiktok, 3)


def test_orders_of_a_downtime_are_told_fetched_and_delivered_once(
    storage: Storage, store: StandInStore, record: InstallationRecord, tiktok: StandInTikTok, clock: Clock
) -> None:
    _arrives(storage, store, store.place_order())
    _deliver(storage, tiktok)
    missed = [store.place_order(), store.place_order()]  # nobody took their webhooks
    clock.advance(minutes=5)

    report = compare(storage, record)

    assert (report.orders, report.paid, report.accepted, report.fetched) == (3, 3, 1, 2)
    assert [gap.order_id for gap in report.gaps] == [str(order_id) for order_id in missed]
    assert report.text().splitlines() == [
        "The store says 3 paid orders, TikTok accepted 1. The other 2:",
        f"  order {missed[0]}: it never arrived; fetched now, it goes on its way",
        f"  order {missed[1]}: it never arrived; fetched now, it goes on its way",
    ]
    assert {(row.source, row.topic) for row in webhooks(storage)[1:]} == {("reconcile", "order.updated")}

    _deliver(storage, tiktok)
    for order_id in missed:  # the store's own queue comes late, after all
        _arrives(storage, store, order_id)
    _deliver(storage, tiktok)
    again = compare(storage, record)

    assert (again.paid, again.accepted, again.fetched, list(again.gaps)) == (3, 3, 0, [])
    assert again.text() == "The store says 3 paid orders, TikTok accepted 3: nothing is missing."
    assert len(accepted_ids(tiktok)) == 3
    assert all(one.copies == 1 for one in tiktok.accepted)


def test_a_missed_change_is_fetched(
    storage: Storage, store: StandInStore, record: InstallationRecord, clock: Clock
) -> None:
    order_id = store.place_order("pending")
    _arrives(storage, store, order_id)
    process(storage)
    clock.advance(minutes=2)
    store.change_order(order_id, status="processing")

    report = compare(storage, record)
    process(storage)

    assert [(gap.order_id, gap.state) for gap in report.gaps] == [(str(order_id), "fetched_change")]
    assert [event.order_id for event in events(storage)] == [str(order_id)]


def test_a_missed_cancellation_withdraws_what_waits(
    storage: Storage, store: StandInStore, record: InstallationRecord, clock: Clock
) -> None:
    order_id = store.place_order()
    _arrives(storage, store, order_id)
    process(storage)
    clock.advance(minutes=2)
    store.change_order(order_id, status="cancelled")

    report = compare(storage, record)
    process(storage)

    assert (report.paid, report.fetched) == (0, 1)
    assert report.text().splitlines()[1] == "1 other changes of orders were fetched too."
    assert [(event.state, event.reason) for event in events(storage)] == [("withdrawn", "order_cancelled")]


def test_drafts_are_left_out(storage: Storage, store: StandInStore, record: InstallationRecord) -> None:
    store.place_order("checkout-draft")
    paid = store.place_order()

    report = compare(storage, record)

    assert (report.orders, report.drafts, report.paid) == (1, 1, 1)
    assert [gap.order_id for gap in report.gaps] == [str(paid)]
    assert len(webhooks(storage)) == 1


def test_a_draft_that_is_paid_while_pages_are_read_counts_once(
    storage: Storage, store: StandInStore, record: InstallationRecord, clock: Clock
) -> None:
    draft = store.place_order("checkout-draft")
    for _ in range(100):
        clock.advance(seconds=10)
        store.place_order()
    clock.advance(seconds=10)
    with calls() as running:
        orders = orders_of(storage, record, running)
        pages = orders.changed(clock() - timedelta(days=1), None)
        first = next(pages)
        store.change_order(draft, status="processing")  # its place is at the end now; all others move up by one
        rest = [order for page in pages for order in page]

    seen = {order.split(b",", 1)[0] for order in (*first, *rest)}
    assert len(seen) == 101
    assert rest[-1].startswith(b'{"id":%d,' % draft)
    assert b'"status":"processing"' in rest[-1]


def test_runs_that_overlap_fetch_nothing_twice(
    storage: Storage, store: StandInStore, record: InstallationRecord
) -> None:
    store.place_order()

    first, second = compare(storage, record), compare(storage, record)  # nothing was processed in between

    assert (first.fetched, second.fetched) == (1, 0)
    assert len(webhooks(storage)) == 1


@pytest.mark.parametrize(("count", "seconds"), [(250, 0), (250, 1), (101, 7)])
def test_every_order_is_seen_however_close_they_are(
    storage: Storage, store: StandInStore, record: InstallationRecord, clock: Clock, count: int, seconds: int
) -> None:
    """More orders in one second than a page holds; and pages whose edges overlap."""
    for _ in range(count):
        store.place_order()
        clock.advance(seconds=seconds)

    report = compare(storage, record)

    assert (report.orders, report.paid, report.fetched) == (count, count, count)
    assert len(webhooks(storage)) == count


def test_the_last_second_before_since_is_not_lost(
    storage: Storage, store: StandInStore, record: InstallationRecord, clock: Clock
) -> None:
    """`modified_after` is strict and counts whole seconds."""
    at = clock()
    store.place_order()

    assert compare(storage, record, since=at).paid == 1


def test_a_store_in_another_zone_is_asked_rightly(storage: Storage, store: StandInStore, clock: Clock) -> None:
    store.gmt_offset_hours = -8
    record = connect(storage, store)
    store.place_order()
    clock.advance(hours=3)

    assert compare(storage, record, since=clock() - timedelta(hours=4)).paid == 1
    assert compare(storage, record, since=clock() - timedelta(hours=2)).paid == 0


def test_a_status_that_counts_as_paid_from_now_on_is_fetched(
    storage: Storage, store: StandInStore, record: InstallationRecord
) -> None:
    store.place_order("on-hold")
    assert compare(storage, record).paid == 0
    process(storage)
    settings = record.settings.model_copy(update={"paid_statuses": ("processing", "on-hold")})
    with storage.database.write() as connection:
        change_installation(connection, record.id, storage.now(), settings=settings)
        changed = find_installation(connection, record.id)
    assert changed is not None

    report = compare(storage, changed)
    process(storage)

    assert (report.paid, report.fetched) == (1, 1)
    assert [event.state for event in events(storage)] == ["pending"]


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("withheld", "no_consent", "withheld, the visitor's consent is missing (no_consent)"),
        ("dead", "too_old", "given up (too_old)"),
        ("rejected", "code_40002", "TikTok refused it (code_40002)"),
        ("held", "browser_copy", "it is held: a copy from the browser is probable, a person decides (browser_copy)"),
        ("pending", "", "it waits to be sent"),
    ],
)
def test_the_gap_says_why(
    storage: Storage, store: StandInStore, record: InstallationRecord, state: str, reason: str, words: str
) -> None:
    order_id = store.place_order()
    _arrives(storage, store, order_id)
    process(storage)
    with storage.database.write() as connection:
        connection.execute(update(Event.__table__).values(state=state, reason=reason))

    document = compare(storage, record).document()

    assert [(gap["number"], gap["state"], gap["why"]) for gap in document["gaps"]] == [(str(order_id), state, words)]
    assert (document["paid"], document["accepted"], document["fetched"]) == (1, 0, 0)


def test_an_event_that_retention_removed_is_not_sold_again(
    storage: Storage, store: StandInStore, record: InstallationRecord
) -> None:
    _arrives(storage, store, store.place_order())
    process(storage)
    with storage.database.write() as connection:
        connection.execute(Event.__table__.delete())

    report = compare(storage, record)

    assert [gap.state for gap in report.gaps] == ["not_kept"]
    assert report.fetched == 0


def test_webhooks_that_wait_are_told(storage: Storage, store: StandInStore, record: InstallationRecord) -> None:
    _arrives(storage, store, store.place_order())

    assert compare(storage, record).unprocessed == 1


def test_the_run_is_kept_without_anything_about_a_person(
    storage: Storage, store: StandInStore, record: InstallationRecord
) -> None:
    store.place_order(billing={"email": "canary@example.com", "country": "DE"})

    report = compare(storage, record)

    with storage.database.read() as connection:
        run = connection.execute(select(ReconcileRun.__table__)).one()
    assert (run.id, run.state, run.paid, run.fetched) == (report.run_id, "done", 1, 1)
    assert "canary" not in str(run)


def test_lost_keys_are_told_by_name(storage: Storage, store: StandInStore, record: InstallationRecord) -> None:
    store.keys.clear()

    with pytest.raises(StoreRefused, match="connect it again") as refused:
        compare(storage, record)

    assert refused.value.kind == "unauthorised"
    with storage.database.read() as connection:
        run = connection.execute(select(ReconcileRun.__table__)).one()
    assert (run.state, run.fault) == ("failed", "unauthorised")


def test_without_keys_there_is_nothing_to_ask(storage: Storage, record: InstallationRecord) -> None:
    with storage.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM credential WHERE kind = 'consumer_secret'")

    with pytest.raises(StoreRefused, match="authorise page"):
        compare(storage, record)


def test_a_store_out_of_reach_is_tried_again_and_then_told(
    storage: Storage, store: StandInStore, record: InstallationRecord
) -> None:
    store.place_order()
    store.stop()
    waits: list[float] = []

    def mended(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            store.start()

    with calls() as running:
        orders = orders_of(storage, record, running)
        orders.sleep = mended
        report = reconcile(storage, record, orders, storage.now() - timedelta(days=1))
        assert report.paid == 1
        store.stop()
        orders.sleep = waits.append
        with pytest.raises(StoreRefused) as refused:
            reconcile(storage, record, orders, storage.now() - timedelta(days=1))
    assert refused.value.kind == "unreachable"
    assert waits == [1.0, 4.0, 1.0, 4.0, 15.0]


def test_a_run_that_is_stopped_begins_again(
    storage: Storage, store: StandInStore, record: InstallationRecord
) -> None:
    store.place_order()
    since = storage.now() - timedelta(days=1)
    run_id = new_run(storage, record.id, since, "hourly")
    with calls() as running:
        orders = orders_of(storage, record, running)
        with pytest.raises(StoreRefused, match="stopped"):
            run_reconcile(storage, record, orders, since, run_id, go_on=lambda: False)
        report = run_reconcile(storage, record, orders, since, run_id)

    assert (report.paid, len(webhooks(storage))) == (1, 1)


def test_answers_that_are_too_large_come_in_smaller_pages(
    storage: Storage, store: StandInStore, record: InstallationRecord, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr("connector.operations.calls.MAX_ANSWER_BYTES", 40_000)
    for _ in range(60):
        store.place_order()
        clock.advance(seconds=30)

    assert compare(storage, record).paid == 60


def test_a_removed_installation_is_not_compared(
    storage: Storage, store: StandInStore, record: InstallationRecord
) -> None:
    with storage.database.write() as connection:
        change_installation(connection, record.id, storage.now(), state="removed")
        removed = find_installation(connection, record.id)
    assert removed is not None

    with pytest.raises(UsageError, match="removed"):
        compare(storage, removed)


def test_an_order_that_nobody_understands_is_kept_and_shown(
    storage: Storage, store: StandInStore, record: InstallationRecord
) -> None:
    store.place_order(total="a lot")
    report = compare(storage, record)
    process(storage)

    assert (report.orders, report.paid, report.fetched) == (1, 0, 1)
    assert [row.state for row in webhooks(storage)] == ["unreadable"]
