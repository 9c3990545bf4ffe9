"""The event was given up."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level
from connector.core.states import EventState

_CAUSES = {
    "too_old": "The event was given up: it became older than seven days before it could be sent, and TikTok credits "
    "nothing to such an event.",
    "too_old_to_merge": "The event was given up: the browser has probably sent it, and after 48 hours TikTok would "
    "have counted it twice.",
}


def check(case: Case) -> Finding | None:
    """Dead: age, or too many attempts."""
    found = case.events_in(EventState.DEAD)
    if not found:
        return None
    return Finding(
        Level.INFO,
        _CAUSES.get(found[-1].reason, "The event was given up ({reason})."),
        Actor.SUPPORT,
        "See in the attempts what stood in the way, so that later orders are sent in time.",
        {"reason": found[-1].reason},
    )
