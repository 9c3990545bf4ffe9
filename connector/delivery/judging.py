"""May a claimed event still leave? Consent on record and the event's age decide, just before the call. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from connector.core.consent import ConsentOutcome, decide, latest
from connector.core.installation_settings import ConsentPolicy, PurchaseName
from connector.core.retries import MERGED_FOR, AgeAction, age_verdict
from connector.core.states import EventState
from connector.core.store_events import ConsentStatement, ConsentStatus
from connector.storage.deliveries import PayloadChange, PendingEvent, Settlement
from connector.tiktok.payload import limited, without_user

__all__ = ["Judged", "judge", "subjects_of"]

_PURCHASES = frozenset(PurchaseName)
_LIMITED = "gpc_limited"


@dataclass(frozen=True, slots=True)
class Judged:
    """What may leave, and what becomes of the rest."""

    sendable: list[PendingEvent]
    settlements: list[Settlement]
    changes: list[PayloadChange]


def judge(events: Iterable[PendingEvent], statements: dict[bytes, list[ConsentStatement]], now: datetime) -> Judged:
    """Consent first, then age, for each event. Pure."""
    judged = Judged([], [], [])
    for event in events:
        payload = _consented(event, statements, judged)
        if payload is None:
            continue
        if event.delivered_at is not None and now - event.event_time >= MERGED_FOR:
            # A replay that waited too long: TikTok would count this copy again.
            judged.settlements.append(_stays(event, EventState.DELIVERED, ""))
            continue
        verdict = age_verdict(
            now, event.event_time, browser_copy=event.browser_copy, is_purchase=event.name in _PURCHASES
        )
        if verdict.action is AgeAction.SEND:
            judged.sendable.append(event if payload is event.payload else replace(event, payload=payload))
        else:
            judged.settlements.append(_stays(event, EventState(verdict.action.value), verdict.reason))
    return judged


def _stays(event: PendingEvent, state: EventState, reason: str) -> Settlement:
    """It does not leave. What TikTok has already, sent again by a replay, is delivered as it was before."""
    if event.delivered_at is not None:
        state, reason = EventState.DELIVERED, ""
    return Settlement((event.row_id,), state, reason, counts=False)


def _consented(event: PendingEvent, statements: dict[bytes, list[ConsentStatement]], judged: Judged) -> bytes | None:
    """The payload that may leave; None when consent was withdrawn. Nothing on record changes nothing."""
    found = [each for subject in subjects_of(event) for each in statements.get(subject, ())]
    statement = latest(found)
    if statement.status is ConsentStatus.UNKNOWN and not statement.global_privacy_control:
        return event.payload
    decision = decide(statement, _policy(event.consent_policy), event.country)
    if decision.outcome is ConsentOutcome.WITHHOLD:
        change = PayloadChange(event.row_id, without_user(event.payload), decision.reason, match_keys="")
        judged.changes.append(change)
        judged.settlements.append(_stays(event, EventState.WITHDRAWN, "consent_withdrawn"))
        return None
    if decision.outcome is ConsentOutcome.SEND_LIMITED and event.consent != _LIMITED:
        payload = limited(event.payload)
        judged.changes.append(PayloadChange(event.row_id, payload, decision.reason))
        return payload
    return event.payload


def _policy(text: str) -> ConsentPolicy:
    """A row without a known policy is treated as the strictest one."""
    try:
        return ConsentPolicy(text)
    except ValueError:
        return ConsentPolicy.REQUIRED


def subjects_of(event: PendingEvent) -> list[bytes]:
    """Under which keyed hashes consent for this event may be on record."""
    return [bytes(each) for each in (event.visitor_subject, event.order_subject) if each is not None]
