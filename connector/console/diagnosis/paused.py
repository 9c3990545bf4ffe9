"""The installation does not send at the moment."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level
from connector.core.states import EventState

_STATES = {
    "paused": ("Sending is paused for this store.", "Resume it; everything that waits is sent then."),
    "installing": (
        "The store's installation is not finished.",
        "Finish the installation; everything that waits is sent then.",
    ),
    "removed": ("The store has removed the connector.", "Nothing more is sent for a removed store."),
}


def check(case: Case) -> Finding | None:
    """Paused, installing or removed, while something waits."""
    if case.installation_state not in _STATES or not case.events_in(EventState.PENDING):
        return None
    cause, next_step = _STATES[case.installation_state]
    return Finding(Level.ACT, cause, Actor.OWNER, next_step)
