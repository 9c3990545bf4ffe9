"""A real event that is not for TikTok."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level
from connector.core.states import EventState

_CAUSES = {
    "created_via_admin": "Somebody made this order by hand in the store's admin: no ad led to it.",
    "renewal": "The order renews a subscription by itself, and renewals are not sent by this store's settings.",
    "staff": "A member of the store's staff caused this event.",
    "bot": "A bot caused this event, not a person.",
    "event_off": "The owner has switched this kind of event off.",
    "other_address": "This came from another address of the store, which its owner calls a copy (staging).",
}
_NEXT = (
    "Nothing to do. Renewals and kinds of events can be switched on in the store's settings; that counts for "
    "later orders."
)
_NEXT_STEPS = {
    "other_address": "If that address is the same shop, its owner can say so in the settings; that counts for "
    "later orders.",
}


def check(case: Case) -> Finding | None:
    """The newest filtered event."""
    found = case.events_in(EventState.FILTERED)
    if not found:
        return None
    return Finding(
        Level.INFO,
        _CAUSES.get(found[-1].reason, "The event is not for TikTok ({reason})."),
        Actor.NOBODY,
        _NEXT_STEPS.get(found[-1].reason, _NEXT),
        {"reason": found[-1].reason},
    )
