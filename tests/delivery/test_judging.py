"""Age and consent decide at the moment of sending. On a real socket, over both databases."""

from datetime import timedelta

import orjson
import pytest
from sqlalchemy import update

from connector.demo.tiktok_stand_in import StandInTikTok
from connector.storage.tables import Event, EventWork
from tests.clock import Clock
from tests.delivery.road import Road, accepted_ids, copies, rounds

SUBJECT = b"s" * 16


def _only(road: Road) -> Event:
    (row,) = road.rows(Event)
    return row


@pytest.mark.parametrize(
    ("hours", "browser_copy", "name", "expected"),
    [
        (47, True, "CompletePayment", "delivered"),
        (49, True, "CompletePayment", "held browser_copy_probable"),
        (49, False, "CompletePayment", "delivered"),
        (49, True, "ViewContent", "dead too_old_to_merge"),
        (7 * 24 + 1, False, "CompletePayment", "dead too_old"),
    ],
)
def test_age_decides_at_the_moment_of_sending(
    road: Road, tiktok: StandInTikTok, clock: Clock, hours: int, browser_copy: bool, name: str, expected: str
) -> None:
    road.events(1, browser_copy=browser_copy, name=name)
    clock.advance(hours=hours)
    rounds(road.storage, tiktok)
    assert road.states() == {expected: 1}
    assert tiktok.calls == (expected == "delivered")
    assert road.work == []


@pytest.mark.parametrize(
    ("hours", "copies_there"),
    [(47, 2), (49, 1), (8 * 24, 1)],
)
def test_a_replay_that_waited_too_long_is_not_counted_twice(
    road: Road, tiktok: StandInTikTok, clock: Clock, hours: int, copies_there: int
) -> None:
    (event_id,) = road.events(1)
    rounds(road.storage, tiktok)
    delivered_at = road.event(event_id).delivered_at
    road.replay(event_id)
    clock.advance(hours=hours)
    rounds(road.storage, tiktok)
    row = road.event(event_id)
    assert (row.state, row.reason, road.work) == ("delivered", "", [])
    assert (row.delivered_at == delivered_at) == (copies_there == 1)
    assert list(copies(tiktok)) == [copies_there]


@pytest.mark.parametrize("column", ["visitor_subject", "order_subject"])
def test_consent_withdrawn_before_sending_withdraws_the_event(road: Road, tiktok: StandInTikTok, column: str) -> None:
    road.consent(SUBJECT, "granted")
    (mine,) = road.events(1, **{column: SUBJECT})
    (other,) = road.events(1, **{column: b"o" * 16})
    road.consent(SUBJECT, "denied", after=timedelta(seconds=1))
    rounds(road.storage, tiktok)
    assert accepted_ids(tiktok) == [other]
    row = road.event(mine)
    assert (row.state, row.reason, row.consent, row.match_keys) == (
        "withdrawn",
        "consent_withdrawn",
        "consent_denied",
        "",
    )
    assert "user" not in orjson.loads(row.payload)
    assert b"8888" not in row.payload


def test_a_privacy_signal_limits_where_consent_is_not_required(road: Road, tiktok: StandInTikTok) -> None:
    road.events(1, visitor_subject=SUBJECT, consent_policy="opt_out", country="US")
    road.consent(SUBJECT, "granted", signal=True)
    rounds(road.storage, tiktok)
    (accepted,) = tiktok.accepted
    assert accepted.event["limited_data_use"] is True
    assert (_only(road).state, _only(road).consent) == ("delivered", "gpc_limited")


def test_a_statement_that_says_nothing_takes_nothing_back(road: Road, tiktok: StandInTikTok) -> None:
    road.events(1, visitor_subject=SUBJECT)
    road.consent(SUBJECT, "unknown")
    rounds(road.storage, tiktok)
    assert road.states() == {"delivered": 1}


def test_work_of_an_event_that_is_over_is_dropped(road: Road, tiktok: StandInTikTok) -> None:
    (event_id,) = road.events(1)
    with road.storage.database.write() as connection:
        connection.execute(update(Event.__table__).values(state="withdrawn"))
    assert rounds(road.storage, tiktok) == [0]
    assert road.rows(EventWork) == []
    assert road.event(event_id).state == "withdrawn"


def test_an_event_erased_while_it_waited_is_withdrawn(road: Road, tiktok: StandInTikTok) -> None:
    road.events(1)
    with road.storage.database.write() as connection:
        connection.execute(update(Event.__table__).values(payload=None))
    assert rounds(road.storage, tiktok) == [0]
    assert road.states() == {"withdrawn erased": 1}
    assert road.work == []
