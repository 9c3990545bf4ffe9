from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.consent import ConsentOutcome, decide, latest
from connector.core.installation_settings import ConsentPolicy
from connector.core.store_events import ConsentStatement, ConsentStatus

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
G, D, U = ConsentStatus.GRANTED, ConsentStatus.DENIED, ConsentStatus.UNKNOWN


def said(status: ConsentStatus, minute: int | None = None, gpc: bool = False) -> ConsentStatement:
    stated_at = None if minute is None else NOON + timedelta(minutes=minute)
    return ConsentStatement(status, stated_at, "test", gpc)


@pytest.mark.parametrize("country", ["DE", "de", "GB", "CH", "NO", "IS", "LI", "RE", None, "", "EU", "XX", "T1"])
def test_by_region_requires_consent_there(country: str | None) -> None:
    decision = decide(said(U), ConsentPolicy.BY_REGION, country)
    assert (decision.outcome, decision.reason) == (ConsentOutcome.WITHHOLD, "consent_unknown_required")
    assert decision.required
    assert not decision.may_send


@pytest.mark.parametrize("country", ["US", "us", "JP", "BR", "TR", "RS"])
def test_by_region_lets_people_opt_out_elsewhere(country: str) -> None:
    decision = decide(said(U), ConsentPolicy.BY_REGION, country)
    assert (decision.outcome, decision.reason) == (ConsentOutcome.SEND, "opt_out_default")
    assert not decision.required


@pytest.mark.parametrize(
    ("policy", "status", "gpc", "outcome", "reason"),
    [
        ("required", G, False, "send", "consent_granted"),
        ("required", U, False, "withhold", "consent_unknown_required"),
        ("required", D, False, "withhold", "consent_denied"),
        ("required", G, True, "withhold", "gpc_required"),
        ("required", U, True, "withhold", "gpc_required"),
        ("required", D, True, "withhold", "consent_denied"),
        ("opt_out", G, False, "send", "consent_granted"),
        ("opt_out", U, False, "send", "opt_out_default"),
        ("opt_out", D, False, "withhold", "consent_denied"),
        ("opt_out", G, True, "send_limited", "gpc_limited"),
        ("opt_out", U, True, "send_limited", "gpc_limited"),
        ("opt_out", D, True, "withhold", "consent_denied"),
    ],
)
def test_every_case_of_the_table(policy: str, status: ConsentStatus, gpc: bool, outcome: str, reason: str) -> None:
    for country in ("US", "DE", None):
        decision = decide(said(status, gpc=gpc), ConsentPolicy(policy), country)
        assert (decision.outcome, decision.reason) == (outcome, reason)


def test_the_latest_statement_wins() -> None:
    assert latest([said(D, 1), said(G, 2)]).status is G
    assert latest([said(G, 1), said(D, 2)]).status is D


def test_denied_wins_ties() -> None:
    assert latest([said(G, 1), said(D, 1)]).status is D
    assert latest([said(D, 1), said(G, 1)]).status is D
    assert latest([said(G), said(D)]).status is D


def test_a_statement_without_time_loses() -> None:
    assert latest([said(D), said(G, 1)]).status is G
    assert latest([said(G), said(D, 1)]).status is D


def test_unknown_takes_nothing_back() -> None:
    assert latest([said(G, 1), said(U, 2)]).status is G
    assert latest([said(D), said(U, 2)]).status is D
    assert latest([said(U, 1), said(U, 2)]).stated_at == NOON + timedelta(minutes=2)


def test_nothing_said_is_unknown() -> None:
    assert latest([]) == ConsentStatement()


def test_privacy_control_counts_until_a_newer_word() -> None:
    assert not latest([said(U, 1, gpc=True), said(G, 2)]).global_privacy_control
    assert latest([said(G, 1), said(U, 2, gpc=True)]).global_privacy_control
    assert latest([said(G, 1), said(U, gpc=True)]).global_privacy_control
    assert latest([said(G, 1, gpc=True), said(G, 0)]).global_privacy_control


statements = st.builds(said, st.sampled_from(ConsentStatus), st.one_of(st.none(), st.integers(0, 3)), st.booleans())


@given(st.lists(statements, min_size=1, max_size=5), st.randoms())
def test_the_order_of_records_makes_no_difference(records: list[ConsentStatement], random: object) -> None:
    shuffled = list(records)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert latest(shuffled) == latest(records)


@given(st.lists(statements, max_size=4), st.sampled_from(ConsentPolicy), st.sampled_from(["DE", "US", None]))
def test_a_last_refusal_always_withholds(
    records: list[ConsentStatement], policy: ConsentPolicy, country: str | None
) -> None:
    assert not decide(latest([*records, said(D, 9)]), policy, country).may_send


@given(statements, st.sampled_from(["DE", None]))
def test_where_consent_is_required_only_granted_sends(statement: ConsentStatement, country: str | None) -> None:
    decision = decide(statement, ConsentPolicy.BY_REGION, country)
    assert decision.may_send == (statement.status is G and not statement.global_privacy_control)
