"""What a sequence of webhooks makes of an order's one purchase, on both databases."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from connector.core.states import Lane
from connector.intake import reading
from connector.intake.processing import Processor
from connector.storage.installations import change_installation
from connector.storage.opening import Storage
from connector.storage.queue import event_queue
from connector.storage.tables import ConsentRecord, Event, EventWork, OrderLedger
from tests.clock import Clock
from tests.installations import add_installation
from tests.road.road import arrival_of, arrive_body, events, order_body, process, webhooks, write_arrivals

_event = Event.__table__
_work = EventWork.__table__


def _play(storage: Storage, *bodies: bytes, topic: str = "order.updated") -> None:
    for body in bodies:
        arrive_body(storage, topic, body)
        process(storage)


def _count(storage: Storage, table: type) -> int:
    with storage.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table.__table__)).scalar_one())  # type: ignore[attr-defined]


def _deliver(storage: Storage) -> None:
    """As the worker does after TikTok said yes."""
    with storage.database.write() as connection:
        connection.execute(update(_event).values(state="delivered"))
        connection.execute(_work.delete())


def _states(storage: Storage) -> list[tuple[str, str]]:
    return [(event.state, event.reason) for event in events(storage)]


def test_one_purchase_per_order_however_many_webhooks_tell_of_it(storage: Storage) -> None:
    add_installation(storage)
    paid = order_body(7)

    for topic in ("order.updated", "order.created"):
        _play(storage, paid, order_body(7, date_modified_gmt="2026-11-22T08:00:00"), topic=topic)

    assert _states(storage) == [("pending", "")]
    assert _count(storage, EventWork) == 1


def test_the_same_number_under_another_key_is_another_order(storage: Storage) -> None:
    add_installation(storage)

    _play(storage, order_body(7, order_key="wc_order_before"), order_body(7, order_key="wc_order_after"))

    assert len(events(storage)) == 2


def test_an_unpaid_order_makes_its_purchase_when_it_is_paid(storage: Storage) -> None:
    add_installation(storage)

    _play(storage, order_body(7, "pending"), order_body(7, date_modified_gmt="2026-11-22T09:00:00"))

    assert [(webhook.state, webhook.reason) for webhook in webhooks(storage)] == [
        ("ignored", "order_not_paid:pending"),
        ("processed", ""),
    ]
    assert _states(storage) == [("pending", "")]


@pytest.mark.parametrize("status", ["cancelled", "refunded", "failed", "on-hold"])
def test_what_is_no_sale_any_more_is_withdrawn_before_it_leaves(storage: Storage, status: str) -> None:
    add_installation(storage)

    _play(storage, order_body(7), order_body(7, status, date_modified_gmt="2026-11-22T09:00:00"))

    (event,) = events(storage)
    assert (event.state, event.reason) == ("withdrawn", f"order_{status}")
    assert event.payload is None
    assert _count(storage, EventWork) == 0


def test_trash_withdraws_too(storage: Storage) -> None:
    add_installation(storage)
    _play(storage, order_body(7))

    _play(storage, b'{"id":7}', topic="order.deleted")

    assert _states(storage) == [("withdrawn", "order_deleted")]
    assert webhooks(storage)[-1].reason == "purchase_withdrawn"


@pytest.mark.parametrize("status", ["cancelled", "refunded"])
def test_what_has_left_stays_delivered(storage: Storage, status: str) -> None:
    add_installation(storage)
    _play(storage, order_body(7))
    _deliver(storage)

    _play(storage, order_body(7, status, date_modified_gmt="2026-11-22T09:00:00"))

    assert _states(storage) == [("delivered", "")]


def test_a_partial_refund_changes_nothing(storage: Storage) -> None:
    add_installation(storage)

    refunds = [{"id": 1, "reason": "", "total": "-5.00"}]
    _play(storage, order_body(7), order_body(7, refunds=refunds, date_modified_gmt="2026-11-22T09:00:00"))

    assert [(event.state, str(event.value)) for event in events(storage)] == [("pending", "35.58")]


def test_a_withdrawn_purchase_returns_when_the_order_is_paid_after_all(storage: Storage) -> None:
    add_installation(storage)

    _play(
        storage,
        order_body(7),
        order_body(7, "cancelled", date_modified_gmt="2026-11-22T09:00:00"),
        order_body(7, "completed", date_modified_gmt="2026-11-22T10:00:00"),
    )

    (event,) = events(storage)
    assert event.state == "pending"
    assert json.loads(event.payload)["event_id"] == event.event_id
    assert _count(storage, EventWork) == 1


def test_paid_cancelled_and_paid_again_within_one_group(storage: Storage, clock: Clock) -> None:
    add_installation(storage)
    for status, hour in (("processing", 8), ("cancelled", 9), ("processing", 10)):
        arrive_body(storage, "order.updated", order_body(7, status, date_modified_gmt=f"2026-11-22T{hour:02}:00:00"))

    process(storage)
    clock.advance(seconds=5)
    process(storage)

    assert _states(storage) == [("pending", "")]
    assert _count(storage, EventWork) == 1


def test_an_older_webhook_changes_nothing(storage: Storage) -> None:
    add_installation(storage)

    _play(
        storage,
        order_body(7, "cancelled", date_modified_gmt="2026-11-22T09:00:00"),
        order_body(7, date_modified_gmt="2026-11-22T08:00:00"),
    )

    assert _states(storage) == []
    assert webhooks(storage)[-1].reason == "older_than_known"


@pytest.mark.parametrize("modified", ["2026-11-22T08:00:00", None])
def test_the_unpaid_beginning_of_a_paid_order_withdraws_nothing_when_it_comes_late(
    storage: Storage, modified: str | None
) -> None:
    """It came first and waited in the spool, while the order was paid within the same second."""
    add_installation(storage)
    begun, paid = (
        arrival_of(storage, order_body(7, status, date_modified_gmt=modified)) for status in ("pending", "processing")
    )
    for each in (paid, begun):
        write_arrivals(storage, each)
        process(storage)

    assert _states(storage) == [("pending", "")]
    assert _count(storage, EventWork) == 1
    assert [(row.state, row.reason) for row in webhooks(storage)] == [
        ("ignored", "older_than_known"),
        ("processed", ""),
    ]


def test_a_purchase_on_its_way_is_not_withdrawn_behind_its_sender(storage: Storage, clock: Clock) -> None:
    add_installation(storage)
    _play(storage, order_body(7))
    with storage.database.write() as connection:
        event_queue.claim(
            connection, "installation1", Lane.FRESH,
            now=clock(), lease_until=clock() + timedelta(seconds=30), token=5, limit=1,
        )  # fmt: skip

    _play(storage, order_body(7, "cancelled", date_modified_gmt="2026-11-22T09:00:00"))
    assert (webhooks(storage)[-1].state, _states(storage)) == ("received", [("pending", "")])

    with storage.database.write() as connection:  # the sender failed and gave it back
        ids = [event.id for event in events(storage)]
        event_queue.postpone(connection, ids, 5, clock() + timedelta(hours=1), Lane.RETRY)
    clock.advance(seconds=5)
    process(storage)
    assert _states(storage) == [("withdrawn", "order_cancelled")]


def test_a_refusal_after_the_order_withdraws_what_has_not_left(storage: Storage) -> None:
    add_installation(storage)
    stamp = {"consent": "granted", "consent_at": "2026-11-22T07:00:00+00:00", "visitor_id": "a" * 32}
    _play(storage, order_body(7, stamp=stamp))
    body = {
        "event_id": "b" * 32,
        "time": "2026-11-22T07:40:00+00:00",
        "visitor": {"id": "a" * 32},
        "consent": {"status": "denied", "at": "2026-11-22T07:40:00+00:00", "source": "banner"},
    }

    _play(storage, json.dumps(body).encode(), topic="storefront.consent_changed")

    assert _states(storage) == [("withdrawn", "consent_withdrawn")]
    assert webhooks(storage)[-1].reason == "events_withdrawn"


def test_an_older_refusal_does_not_undo_a_later_consent(storage: Storage) -> None:
    add_installation(storage)
    stamp = {"consent": "granted", "consent_at": "2026-11-22T07:00:00+00:00", "visitor_id": "a" * 32}
    _play(storage, order_body(7, stamp=stamp))
    body = {
        "event_id": "b" * 32,
        "visitor": {"id": "a" * 32},
        "consent": {"status": "denied", "at": "2026-11-22T06:00:00+00:00", "source": "banner"},
    }

    _play(storage, json.dumps(body).encode(), topic="storefront.consent_changed")

    assert _states(storage) == [("pending", "")]
    assert _count(storage, ConsentRecord) >= 2


def test_a_refusal_on_the_thank_you_page_counts_for_its_order(storage: Storage) -> None:
    add_installation(storage)
    _play(storage, order_body(7))
    body = {
        "event_id": "b" * 32,
        "order_id": 7,
        "consent": {"status": "denied", "at": "2026-11-22T07:40:00+00:00", "source": "banner"},
    }

    _play(storage, json.dumps(body).encode(), topic="storefront.consent_changed")

    assert _states(storage) == [("withdrawn", "consent_withdrawn")]


def test_a_withheld_row_holds_no_identity(storage: Storage) -> None:
    add_installation(storage, consent_policy="required")

    _play(storage, order_body(7, stamp={"visitor_id": "a" * 32, "ttclid": "E.C.P.abc"}))

    (event,) = events(storage)
    assert (event.state, event.reason) == ("withheld", "consent_unknown_required")
    assert "user" not in json.loads(event.payload)
    assert (event.visitor_subject, event.match_keys, event.country) == (None, "", None)


def test_two_orders_with_the_same_stamp_are_two_purchases(storage: Storage) -> None:
    add_installation(storage)

    _play(storage, order_body(7, stamp={"event_id": "c" * 64}), order_body(8, stamp={"event_id": "c" * 64}))

    found = events(storage)
    assert [event.state for event in found] == ["pending", "pending"]
    assert len({event.event_id for event in found}) == 2


def test_a_browsers_report_that_comes_later_is_noted(storage: Storage) -> None:
    add_installation(storage)
    stamp = {"event_id": "c" * 64, "consent": "granted"}
    _play(storage, order_body(7, stamp=stamp | {"browser_sent": "0"}))
    assert [event.browser_copy for event in events(storage)] == [False]

    sent = order_body(7, stamp=stamp | {"browser_sent": "1"}, date_modified_gmt="2026-11-22T09:00:00")
    _play(storage, sent)

    assert [event.browser_copy for event in events(storage)] == [True]


@pytest.mark.parametrize(
    ("first", "later", "copy"),
    [("1", "0", False), ("0", None, True), (None, "0", False), (None, None, True)],
    ids=["taken back", "printed since", "blocked", "never told"],
)
def test_what_the_thank_you_page_says_of_the_browser_counts(
    storage: Storage, first: str | None, later: str | None, copy: bool
) -> None:
    add_installation(storage)
    stamp = {"event_id": "c" * 64, "consent": "granted"}
    for said, modified in ((first, "2026-11-22T08:30:00"), (later, "2026-11-22T09:00:00")):
        told = {} if said is None else {"browser_sent": said}
        _play(storage, order_body(7, stamp=stamp | told, date_modified_gmt=modified))

    assert [event.browser_copy for event in events(storage)] == [copy]


def test_the_same_storefront_event_is_made_once(storage: Storage) -> None:
    add_installation(storage)
    body = {"event_id": "d" * 32, "item": {"product_id": 1, "price": "5", "currency": "EUR"}, "visitor": {}}

    _play(storage, json.dumps(body).encode(), topic="storefront.product_viewed")
    _play(storage, json.dumps(body | {"time": "2026-11-22T07:00:00+00:00"}).encode(), topic="cart.item_added")

    assert [(event.name, event.event_id) for event in events(storage)] == [("ViewContent", "d" * 32)]


def test_events_made_in_test_mode_carry_its_code(storage: Storage) -> None:
    add_installation(storage, test_event_code="TEST123")

    _play(storage, order_body(7))

    assert [event.test_event_code for event in events(storage)] == ["TEST123"]


def test_a_reader_that_fails_loses_nothing(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    add_installation(storage)

    def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(reading, "map_event", broken)
    _play(storage, order_body(7))

    (webhook,) = webhooks(storage)
    assert (webhook.state, webhook.reason) == ("unreadable", "fault:RuntimeError")
    assert webhook.body


def test_bodies_are_kept_byte_for_byte(storage: Storage) -> None:
    from connector.intake.processing import stored_body

    add_installation(storage)
    body = order_body(7)

    _play(storage, body)

    (webhook,) = webhooks(storage)
    assert webhook.body_encoding == "zstd"
    assert stored_body(webhook.body, webhook.body_encoding) == body


def test_the_ledger_remembers_orders_whose_events_are_gone(storage: Storage) -> None:
    add_installation(storage)
    _play(storage, order_body(7))
    with storage.database.write() as connection:
        connection.execute(_event.delete())

    _play(storage, order_body(7, "completed", date_modified_gmt="2026-12-22T09:00:00"))

    assert events(storage) == []
    assert _count(storage, OrderLedger) == 1


def test_installations_take_turns(storage: Storage) -> None:
    for name in ("busy", "quiet"):
        add_installation(storage, name)
    for number in range(300):
        arrive_body(storage, "order.updated", order_body(number + 1), "busy")
    arrive_body(storage, "order.updated", order_body(1), "quiet")

    Processor(storage, 30.0).run_once()

    assert {event.installation_id for event in events(storage)} == {"busy", "quiet"}


def test_orders_wait_for_the_owner_to_connect_a_pixel(storage: Storage) -> None:
    add_installation(storage, pixel_code="")
    _play(storage, order_body(7))
    assert (webhooks(storage)[0].state, events(storage)) == ("received", [])

    with storage.database.write() as connection:
        change_installation(connection, "installation1", storage.now(), pixel_code="C4X")
    process(storage, Processor(storage, 30.0))

    assert [(event.state, event.pixel_code) for event in events(storage)] == [("pending", "C4X")]
