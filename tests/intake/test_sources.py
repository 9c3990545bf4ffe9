"""Rates of refusals per source address."""

import pytest

from connector.intake import sources
from connector.intake.sources import RefusedSources


def test_a_source_has_its_share_and_no_more() -> None:
    refused = RefusedSources(per_minute=3)
    assert [refused.count("192.0.2.1") for _ in range(5)] == [True, True, True, False, False]
    assert refused.is_over("192.0.2.1")
    assert not refused.is_over("192.0.2.2")
    assert refused.count("192.0.2.2")


def test_asking_costs_nothing() -> None:
    refused = RefusedSources(per_minute=1)
    assert not any(refused.is_over("192.0.2.1") for _ in range(10))


def test_one_customer_has_one_share_whatever_the_end_of_the_address() -> None:
    refused = RefusedSources(per_minute=2)
    assert [refused.count(f"2001:db8:1:2::{n}") for n in (1, 2, 3)] == [True, True, False]
    assert refused.count("2001:db8:1:3::1")


def test_sources_without_an_address_share_one() -> None:
    refused = RefusedSources(per_minute=1)
    assert refused.count("")
    assert not refused.count("")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_MOST_SOURCES", 50)
    refused = RefusedSources()
    assert [refused.count(f"10.0.0.{n}") for n in range(60)].count(True) == 50
