"""What becomes of orders whose store has a wrong clock, copies orders, or changes them before they have left."""

import json
from datetime import timedelta
from typing import Any

import pytest

from connector.core.event_ids import purchase_id
from connector.core.plain_text import sha256_hex
from connector.storage.opening import Storage
from tests.clock import Clock
from tests.installations import add_installation
from tests.intake.test_processing import _play, _states
from tests.road.road import events, order_body, webhooks

FAR = "2099-01-01T00:00:00"


def _sent_ids(storage: Storage) -> list[str]:
    return [json.loads(event.payload)["event_id"] for event in events(storage)]


def test_copied_orders_reach_tiktok_under_ids_of_their_own(storage: Storage) -> None:
    """TikTok would take the second for a copy of the first and drop it."""
    add_installation(storage)
    stamp = {"event_id": "c" * 64}

    _play(storage, *(order_body(number, stamp=stamp) for number in (7, 8, 9)))

    assert len(set(_sent_ids(storage))) == 3
    assert _sent_ids(storage) == [event.event_id for event in events(storage)]


def test_an_order_whose_copy_took_its_id_first_still_goes(storage: Storage) -> None:
    public_id = add_installation(storage).public_id
    own = purchase_id(public_id, 7, "wc_order_Nw")
    copy, original = (order_body(number, order_key="wc_order_Nw", stamp={"event_id": own}) for number in (8, 7))

    _play(storage, copy, original)

    assert _states(storage) == [("pending", ""), ("pending", "")]
    assert _sent_ids(storage) == [own, sha256_hex(own)] == [event.event_id for event in events(storage)]


def test_what_is_paid_after_all_goes_with_its_newest_value_under_its_first_id(storage: Storage) -> None:
    add_installation(storage)
    _play(storage, order_body(1, stamp={"event_id": "c" * 64}))
    stamp = {"event_id": "c" * 64}  # of the first order: this one goes under another id

    _play(
        storage,
        order_body(7, stamp=stamp, date_modified_gmt="2026-11-22T08:00:00"),
        order_body(7, "cancelled", stamp=stamp, date_modified_gmt="2026-11-22T09:00:00"),
        order_body(7, total="99.00", stamp=stamp, date_modified_gmt="2026-11-22T10:00:00"),
    )

    event = events(storage)[1]
    sent = json.loads(event.payload)
    assert (event.state, str(event.value), sent["properties"]["value"]) == ("pending", "99.00", 99.0)
    assert sent["event_id"] == event.event_id != "c" * 64
    assert "email" in event.match_keys


def test_a_clock_that_was_far_ahead_hides_no_later_payment(storage: Storage) -> None:
    add_installation(storage)

    _play(
        storage,
        order_body(7, "on-hold", date_created_gmt=FAR, date_modified_gmt=FAR),
        order_body(7, date_modified_gmt="2026-11-22T08:00:00"),
        order_body(7, "cancelled", date_modified_gmt="2026-11-22T07:50:00"),
    )

    assert _states(storage) == [("pending", "")]
    assert [webhook.reason for webhook in webhooks(storage)] == ["order_not_paid:on-hold", "", "older_than_known"]


def test_an_order_of_another_age_is_too_old(storage: Storage) -> None:
    add_installation(storage)

    _play(storage, order_body(7, date_created_gmt="1970-01-01T00:00:00"))

    assert _states(storage) == [("dead", "too_old")]
    assert "user" not in json.loads(events(storage)[0].payload)


def _said(status: str, at: str) -> bytes:
    consent = {"status": status, "at": at, "source": "banner"}
    return json.dumps({"event_id": "b" * 32, "visitor": {"id": "a" * 32}, "consent": consent}).encode()


@pytest.mark.parametrize(
    ("granted_at", "denied_at", "state"),
    [
        (FAR, "2026-11-22T07:40:00", "withdrawn"),  # a yes from the far future has no time
        ("2026-11-22T07:40:00", FAR, "withdrawn"),  # a no keeps its own
        ("2026-11-22T20:00:00", "2026-11-22T19:00:00", "pending"),  # one clock, some hours ahead
    ],
)
def test_a_yes_that_is_dated_into_the_future_outranks_no_later_word(
    storage: Storage, granted_at: str, denied_at: str, state: str
) -> None:
    add_installation(storage)
    stamp: dict[str, Any] = {"consent": "granted", "consent_at": granted_at + "+00:00", "visitor_id": "a" * 32}

    _play(storage, order_body(7, stamp=stamp))
    _play(storage, _said("denied", denied_at + "+00:00"), topic="storefront.consent_changed")

    assert [event.state for event in events(storage)] == [state]


def test_a_clock_an_hour_ahead_is_believed(storage: Storage, clock: Clock) -> None:
    """Its webhooks tell by their own times which came later, however late they arrive."""
    add_installation(storage)
    ahead = [(clock() + timedelta(hours=1, minutes=n)).replace(tzinfo=None).isoformat() for n in (0, 1)]

    _play(storage, order_body(7, "cancelled", date_modified_gmt=ahead[1]), order_body(7, date_modified_gmt=ahead[0]))

    assert _states(storage) == []
