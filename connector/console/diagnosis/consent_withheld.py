"""Consent stood in the way. Final: the event's row holds no identity any more."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level
from connector.core.states import EventState

_NEXT = "Nothing to do: without consent nothing may be sent, and who the buyer was is not kept."
# The decision's reason to the cause; unknown consent is often a missing setup, so the owner can act.
_CAUSES: dict[str, tuple[str, Actor, str]] = {
    "consent_denied": ("The buyer refused consent to advertising.", Actor.NOBODY, _NEXT),
    "consent_withdrawn": ("The buyer withdrew consent before the event was sent.", Actor.NOBODY, _NEXT),
    "gpc_required": (
        "The buyer's browser asks not to be tracked (Global Privacy Control), and consent is required here.",
        Actor.NOBODY,
        _NEXT,
    ),
    "consent_unknown_required": (
        "The store told nothing about consent, and consent is required for this buyer (policy {policy}, "
        "country {country}).",
        Actor.OWNER,
        "Check that the companion plugin is active and that the consent banner works with it. This event stays "
        "withheld; later ones follow the buyer's choice.",
    ),
}
_OTHER = ("Consent did not allow this event to be sent ({reason}).", Actor.NOBODY, _NEXT)


def check(case: Case) -> Finding | None:
    """An event that was withheld, or withdrawn because consent was."""
    withheld = [
        event
        for event in case.events_in(EventState.WITHHELD, EventState.WITHDRAWN)
        if event.state is EventState.WITHHELD or event.reason == "consent_withdrawn"
    ]
    if not withheld:
        return None
    event = withheld[-1]
    reason = event.reason if event.reason in _CAUSES else event.consent or event.reason
    cause, who, next_step = _CAUSES.get(reason, _OTHER)
    values = {"policy": event.consent_policy, "country": event.country or "?", "reason": reason}
    return Finding(Level.INFO if who is Actor.NOBODY else Level.ACT, cause, who, next_step, values)
