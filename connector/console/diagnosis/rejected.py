"""TikTok, or our own check before it, refused the event."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level
from connector.core.states import EventState
from connector.tiktok.explanations import explain


def check(case: Case) -> Finding | None:
    """The newest rejected event, in the words of the table of explanations."""
    found = case.events_in(EventState.REJECTED)
    if not found:
        return None
    reason = found[-1].reason.partition(":")[0]
    known = explain(reason)
    return Finding(Level.ACT, known.cause, Actor(known.who), known.next_step, reason=reason)
