"""The order was cancelled, refunded or deleted before its purchase left."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level
from connector.core.states import EventState


def check(case: Case) -> Finding | None:
    """Withdrawn for another reason than consent."""
    found = [event for event in case.events_in(EventState.WITHDRAWN) if event.reason != "consent_withdrawn"]
    if not found:
        return None
    if found[-1].reason.startswith("let_go"):
        return Finding(
            Level.INFO,
            "A member of the staff decided not to send this event.",
            Actor.NOBODY,
            "Nothing to do. The audit log has the reason.",
        )
    return Finding(
        Level.INFO,
        "The purchase was withdrawn before it was sent ({reason}).",
        Actor.NOBODY,
        "Nothing to do. Should the order be paid after all, its purchase is sent then.",
        {"reason": found[-1].reason},
    )
