"""May we send it? A decision in three values, with its reason, from what a person said and where they are.

Which statement counts (`latest`):
- A statement that says granted or denied always beats one that says unknown: not knowing takes nothing back.
- Among those the latest by its own time wins; one without a time loses against any with one.
- At the same time, or both without, denied wins.
- Global Privacy Control is no statement but a signal of the browser. It counts when the winner carries it,
  or any other that is not older than the winner or has no time: only a newer word lifts the signal.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from connector.core.countries import CONSENT_REQUIRED, known_country
from connector.core.installation_settings import ConsentPolicy
from connector.core.store_events import ConsentStatement, ConsentStatus

__all__ = ["ConsentDecision", "ConsentOutcome", "consent_required", "decide", "latest"]


class ConsentOutcome(StrEnum):
    """What may happen to an event."""

    SEND = "send"
    SEND_LIMITED = "send_limited"  # with limited_data_use
    WITHHOLD = "withhold"


@dataclass(frozen=True, slots=True)
class ConsentDecision:
    """An outcome, a short word for the history, and whether the law of the place asks for consent."""

    outcome: ConsentOutcome
    reason: str
    required: bool

    @property
    def may_send(self) -> bool:
        """Whether the event may leave, limited or not."""
        return self.outcome is not ConsentOutcome.WITHHOLD


# (status, consent required there, Global Privacy Control) to outcome and reason: all twelve cases.
_DECISIONS: dict[tuple[ConsentStatus, bool, bool], ConsentDecision] = {
    (status, required, gpc): ConsentDecision(ConsentOutcome(outcome), reason, required)
    for status, required, gpc, outcome, reason in (
        (ConsentStatus.GRANTED, True, False, "send", "consent_granted"),
        (ConsentStatus.GRANTED, True, True, "withhold", "gpc_required"),
        (ConsentStatus.GRANTED, False, False, "send", "consent_granted"),
        (ConsentStatus.GRANTED, False, True, "send_limited", "gpc_limited"),
        (ConsentStatus.UNKNOWN, True, False, "withhold", "consent_unknown_required"),
        (ConsentStatus.UNKNOWN, True, True, "withhold", "gpc_required"),
        (ConsentStatus.UNKNOWN, False, False, "send", "opt_out_default"),
        (ConsentStatus.UNKNOWN, False, True, "send_limited", "gpc_limited"),
        (ConsentStatus.DENIED, True, False, "withhold", "consent_denied"),
        (ConsentStatus.DENIED, True, True, "withhold", "consent_denied"),
        (ConsentStatus.DENIED, False, False, "withhold", "consent_denied"),
        (ConsentStatus.DENIED, False, True, "withhold", "consent_denied"),
    )
}

_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


def consent_required(policy: ConsentPolicy, country: str | None) -> bool:
    """Whether unknown means no there. By region: the EEA, the UK, Switzerland and unknown countries."""
    if policy is ConsentPolicy.BY_REGION:
        known = known_country(country)
        return known is None or known in CONSENT_REQUIRED
    return policy is ConsentPolicy.REQUIRED


def decide(statement: ConsentStatement, policy: ConsentPolicy, country: str | None) -> ConsentDecision:
    """The decision for one statement, under one installation's policy, in one country (alpha-2 or None)."""
    required = consent_required(policy, country)
    return _DECISIONS[statement.status, required, statement.global_privacy_control]


def _weight(statement: ConsentStatement) -> tuple[bool, datetime, bool]:
    return (
        statement.status is not ConsentStatus.UNKNOWN,
        statement.stated_at or _BEFORE_ALL,
        statement.status is ConsentStatus.DENIED,
    )


def _not_older(statement: ConsentStatement, winner: ConsentStatement) -> bool:
    if statement.stated_at is None or winner.stated_at is None:
        return True
    return statement.stated_at >= winner.stated_at


def latest(statements: Iterable[ConsentStatement]) -> ConsentStatement:
    """The statement that counts, by the rules above; unknown when there is none. Times are aware."""
    known = tuple(statements)
    if not known:
        return ConsentStatement()
    winner = max(known, key=_weight)
    signal = any(each.global_privacy_control and _not_older(each, winner) for each in known)
    if signal == winner.global_privacy_control:
        return winner
    return replace(winner, global_privacy_control=signal)
