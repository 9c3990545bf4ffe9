import pytest

from connector.core.states import EVENT_CHANGES, EventState, may_change


def test_every_state_stands_in_the_table() -> None:
    assert set(EVENT_CHANGES) == set(EventState)
    for before, after in EVENT_CHANGES.items():
        assert before not in after


@pytest.mark.parametrize("final", [EventState.WITHHELD, EventState.FILTERED])
def test_rows_without_identity_stay_as_they_are(final: EventState) -> None:
    assert not any(may_change(final, after) for after in EventState)


def test_only_pending_events_are_delivered() -> None:
    assert [before for before in EventState if may_change(before, EventState.DELIVERED)] == [EventState.PENDING]


def test_what_has_left_is_not_withdrawn() -> None:
    assert {before for before in EventState if may_change(before, EventState.WITHDRAWN)} == {
        EventState.PENDING,
        EventState.HELD,
    }
