from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.retries import AgeAction, age_verdict, next_wait, throttle_wait

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
randomness = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 10_000), st.floats(0.01, 60), randomness)
def test_waits_grow_and_stay_within_an_hour_of_five_seconds(attempts: int, base: float, random: float) -> None:
    wait = next_wait(attempts, base, random)
    assert base * 0.5 <= wait <= base * 720
    assert next_wait(attempts + 1, base, random) >= wait


def test_the_base_scales_everything() -> None:
    assert next_wait(1, 5, 0.999999) == pytest.approx(5, rel=0.01)
    assert next_wait(99, 5, 0.999999) == pytest.approx(3600, rel=0.01)
    assert next_wait(99, 0.1, 0.999999) == pytest.approx(72, rel=0.01)
    assert throttle_wait("app", 5, 0.0) == 300
    assert throttle_wait("app", 0.1, 0.0) == pytest.approx(6)
    assert throttle_wait("advertiser", 5, 0.0) == 60
    assert throttle_wait("another", 5, 0.0) == 300


@given(st.integers(1, 50), st.floats(0, 3600), randomness)
def test_nobody_comes_before_the_server_wishes(attempts: int, wish: float, random: float) -> None:
    assert next_wait(attempts, 5, random, wish) >= wish
    assert throttle_wait("app", 5, random, wish) >= wish


def test_a_wish_beyond_the_bound_is_cut_and_nonsense_is_nothing() -> None:
    assert next_wait(1, 5, 0.5, 1e12) == 3600 + 2.5
    assert throttle_wait("app", 5, 0.0, 1e12) == 3600
    for wish in (-1.0, 0.0, float("nan")):
        assert next_wait(1, 5, 0.0, wish) == 2.5


@pytest.mark.parametrize(
    ("age", "browser_copy", "is_purchase", "action", "reason"),
    [
        (timedelta(seconds=-5), True, True, "send", ""),
        (timedelta(0), True, True, "send", ""),
        (timedelta(hours=48, seconds=-1), True, True, "send", ""),
        (timedelta(hours=48), True, True, "held", "browser_copy_probable"),
        (timedelta(hours=48), False, True, "send", ""),
        (timedelta(hours=48), True, False, "dead", "too_old_to_merge"),
        (timedelta(hours=48), False, False, "send", ""),
        (timedelta(days=7, seconds=-1), False, True, "send", ""),
        (timedelta(days=7, seconds=-1), True, True, "held", "browser_copy_probable"),
        (timedelta(days=7), True, True, "dead", "too_old"),
        (timedelta(days=7), False, False, "dead", "too_old"),
    ],
)
def test_what_age_allows(age: timedelta, browser_copy: bool, is_purchase: bool, action: str, reason: str) -> None:
    verdict = age_verdict(NOW, NOW - age, browser_copy=browser_copy, is_purchase=is_purchase)
    assert (verdict.action, verdict.reason) == (AgeAction(action), reason)
