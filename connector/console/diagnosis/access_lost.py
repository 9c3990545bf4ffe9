"""TikTok refuses the installation's token or pixel."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level
from connector.core.states import EventState
from connector.tiktok.explanations import explain


def check(case: Case) -> Finding | None:
    """While access is lost; it matters when something of this order waits."""
    if case.access == "ok":
        return None
    known = explain(case.access_reason)
    waiting = bool(case.events_in(EventState.PENDING, EventState.HELD))
    level = Level.ACT if waiting else Level.INFO
    return Finding(level, known.cause, Actor(known.who), known.next_step, reason=case.access_reason)
