"""Grouping: nothing lost, nothing mixed, never too many."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.states import Lane
from connector.delivery.batches import group
from connector.storage.deliveries import PendingEvent

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pending(
    row_id: int, *, pixel: str = "P", test: str | None = None, reason: str = "", attempts: int = 0
) -> PendingEvent:
    return PendingEvent(
        row_id=row_id,
        webhook_id=row_id,
        event_id=str(row_id),
        installation_id="a",
        lane=Lane.FRESH,
        name="ViewContent",
        event_time=NOW,
        pixel_code=pixel,
        test_event_code=test,
        payload=b"{}",
        reason=reason,
        consent="",
        consent_policy="required",
        country=None,
        visitor_subject=None,
        order_subject=None,
        browser_copy=False,
        attempts=attempts,
    )


@given(
    st.lists(st.tuples(st.sampled_from("PQ"), st.sampled_from([None, "T"]), st.integers(0, 12)), max_size=60),
    st.integers(1, 20),
)
def test_every_event_is_in_one_batch_with_its_like(kinds: list[tuple[str, str | None, int]], size: int) -> None:
    events = [
        pending(place, pixel=pixel, test=test, reason="server_error" if tries else "", attempts=tries)
        for place, (pixel, test, tries) in enumerate(kinds)
    ]
    batches = group(events, size)
    assert sorted(row_id for batch in batches for row_id in batch.row_ids) == list(range(len(events)))
    for batch in batches:
        assert 1 <= len(batch.events) <= size
        assert {(each.pixel_code, each.test_event_code) for each in batch.events} == {
            (batch.pixel_code, batch.test_event_code)
        }


def test_what_keeps_failing_goes_in_ever_smaller_company() -> None:
    """One event that makes TikTok fail must not take the others with it for ever."""
    sizes = []
    for attempts in range(10):
        events = [pending(place, reason="server_error", attempts=attempts) for place in range(250)]
        sizes.append(max(len(batch.events) for batch in group(events)))
    assert sizes == [250, 125, 62, 31, 15, 7, 3, 1, 1, 1]
    waited = [pending(place, reason="connect", attempts=9) for place in range(250)]
    assert len(group(waited)) == 1


@pytest.mark.parametrize("size", [0, 1001])
def test_sizes_that_tiktok_would_refuse(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 1000"):
        group([], size)
