"""The event waits for a person's decision."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level
from connector.core.states import EventState


def check(case: Case) -> Finding | None:
    """Held: a copy from the browser is probable and TikTok's window for merging is over."""
    if not case.events_in(EventState.HELD):
        return None
    return Finding(
        Level.ACT,
        "The purchase is held: the browser has probably sent it already, and after 48 hours TikTok would count a "
        "second copy as a second purchase.",
        Actor.SUPPORT,
        "Look in TikTok Events Manager whether the purchase is there. If it is, let it go; if not, send it.",
    )
