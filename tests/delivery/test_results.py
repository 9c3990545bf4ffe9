"""Every kind of answer to a batch and to a single event, and that bisecting always ends with the right ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.results import Accepted, AccessLost, DeliveryResult, Rejected, RetryLater, Split, Throttled
from connector.core.states import EventState
from connector.delivery.batches import EventBatch, group
from connector.delivery.results import Plan, plan
from tests.delivery.test_batches import pending


def batch_of(count: int, reason: str = "") -> EventBatch:
    (batch,) = group([pending(place, reason=reason) for place in range(count)])
    return batch


def after(batch: EventBatch, result: DeliveryResult, **values: int) -> Plan:
    return plan(batch, result, pixel_code="P", **values)


@given(st.integers(1, 40), st.data())
def test_bisecting_finds_exactly_the_bad_ones(count: int, data: st.DataObject) -> None:
    """Whatever place the answer names, or none: the good are delivered, the bad rejected, and it ends."""
    bad = data.draw(st.frozensets(st.integers(0, count - 1)))
    states: dict[int, EventState | None] = {}
    waiting = [batch_of(count)]
    for _ in range(count * count + count + 1):
        if not waiting:
            break
        batch = waiting.pop()
        refused = bad & set(batch.row_ids)
        named = data.draw(st.none() | st.integers(-1, count)) if refused else None
        step = after(batch, Rejected("invalid_parameter", named) if refused else Accepted())
        waiting.extend(step.resend)
        states.update(dict.fromkeys(batch.row_ids, step.finished) if step.finished else {})
    assert not waiting
    assert {row_id for row_id, state in states.items() if state is EventState.REJECTED} == bad
    assert {row_id for row_id, state in states.items() if state is EventState.DELIVERED} == set(range(count)) - bad


def test_a_body_too_large_is_halved_and_a_partial_success_taken_apart() -> None:
    assert [len(each.events) for each in after(batch_of(9), Split("too_large")).resend] == [4, 5]
    assert [len(each.events) for each in after(batch_of(3), Split("partial_success")).resend] == [1, 1, 1]


@pytest.mark.parametrize(
    ("reason", "dead"), [("partial_success", "partial_success_unconfirmed"), ("too_large", "too_large")]
)
def test_a_single_split_is_retried_four_times_and_then_dead(reason: str, dead: str) -> None:
    single = batch_of(1)
    assert [after(single, Split(reason), split_before=n).retry for n in range(4)] == [RetryLater(reason)] * 4
    last = after(single, Split(reason), split_before=4)
    assert (last.finished, last.reason) == (EventState.DEAD, dead)


def test_what_says_nothing_of_the_events_finishes_none() -> None:
    for result in (RetryLater("server_error"), Throttled("too_frequent", "app"), AccessLost("token_revoked")):
        step = after(batch_of(5), result)
        assert (step.finished, step.resend) == (None, ())
        assert [step.retry, step.throttled, step.lost].count(None) == 2


def test_a_gateway_may_refuse_once() -> None:
    assert after(batch_of(2), RetryLater("gateway_auth")).lost is None
    assert after(batch_of(2, reason="gateway_auth"), RetryLater("gateway_auth")).lost == AccessLost("gateway_auth")


@pytest.mark.parametrize("reason", ["no_permission", "pixel_code", "not_found"])
def test_an_older_pixel_costs_only_its_own_events(reason: str) -> None:
    step = plan(batch_of(2), AccessLost(reason), pixel_code="ANOTHER")
    assert (step.finished, step.reason, step.lost) == (EventState.REJECTED, "old_pixel_refused", None)
    assert plan(batch_of(2), AccessLost("token_revoked"), pixel_code="ANOTHER").lost is not None
