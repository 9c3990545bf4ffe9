from datetime import UTC, datetime, timedelta

import pytest

from connector.core.told_times import believable

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("ahead", [timedelta(days=-900), timedelta(0), timedelta(hours=14), timedelta(days=1)])
def test_clocks_may_be_wrong_by_a_day(ahead: timedelta) -> None:
    assert believable(NOW + ahead, NOW) == NOW + ahead


def test_what_lies_further_ahead_is_no_time() -> None:
    assert believable(NOW + timedelta(days=1, seconds=1), NOW) is None
    assert believable(None, NOW) is None
