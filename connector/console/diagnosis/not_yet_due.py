"""The event waits for its next try, or for its turn."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level
from connector.core.states import EventState
from connector.tiktok.explanations import EXPLANATIONS


def check(case: Case) -> Finding | None:
    """Pending, and nothing but time stands in the way."""
    pending = case.events_in(EventState.PENDING)
    if not pending or case.access != "ok" or case.installation_state != "active":
        return None
    event = pending[-1]
    values = {"attempts": len(event.attempts), "why": ""}
    if event.leased:
        return Finding(
            Level.WAIT, "The event is being sent this moment.", Actor.NOBODY, "Look again in a few seconds.", values
        )
    if event.run_at is not None and event.run_at > case.now:
        last = event.attempts[-1].reason if event.attempts else event.reason
        known = EXPLANATIONS.get(last)
        cause = known.cause if known else "The event waits for its next try."
        next_step = "Nothing to do: the next try comes by itself, at the time below."
        return Finding(Level.WAIT, cause, Actor.NOBODY, next_step, values, reason=last if known else "")
    return Finding(
        Level.WAIT,
        "The event waits for its turn to be sent.",
        Actor.NOBODY,
        "Nothing to do. If it takes longer than a minute, ask the operator whether the delivery runs.",
        values,
    )
