"""Reason words of events and notices as sentences: what happened, and what to do next."""

from dataclasses import dataclass

from connector.pages.translating import Translator
from connector.tiktok.explanations import EXPLANATIONS, explain

__all__ = ["Told", "told_missing", "told_notice", "told_reason", "told_state"]


@dataclass(frozen=True, slots=True)
class Told:
    """Two sentences."""

    cause: str
    next_step: str


def told_reason(translate: Translator, reason: str) -> Told:
    """Of TikTok's answers the English texts stand in `tiktok.explanations`, the others in the catalogues."""
    key = f"reason.{reason}"
    if translate.has(f"{key}.cause"):
        return Told(translate(f"{key}.cause"), translate(f"{key}.next"))
    if translate.language != "en" and reason in EXPLANATIONS and reason.startswith("invalid_"):
        return Told(translate("reason.refused_here.cause", field=reason), translate("reason.refused_here.next"))
    found = explain(reason)
    return Told(found.cause, found.next_step)


def told_state(translate: Translator, state: str, reason: str) -> Told:
    """Why events of this state did not arrive."""
    if state in ("held", "dead"):
        key = f"state.{state}"
        return Told(translate(f"{key}.cause"), translate(f"{key}.next"))
    return told_reason(translate, reason)


def told_notice(translate: Translator, kind: str, details: str) -> Told:
    """A notice; of one without words its kind is shown."""
    key = f"notice.{kind}"
    if not translate.has(f"{key}.cause"):
        return Told(translate("notice.other.cause", kind=kind), translate("notice.other.next"))
    return Told(translate(f"{key}.cause", details=details), translate(f"{key}.next", details=details))


def told_missing(translate: Translator, state: str, reason: str) -> str:
    """Why TikTok has not accepted an order, in one sentence."""
    if state == "rejected":
        return told_reason(translate, reason).cause
    return next(
        (translate(key) for key in (f"gap.{state}_{reason}", f"gap.{state}") if translate.has(key)),
        translate("gap.other", state=state),
    )
