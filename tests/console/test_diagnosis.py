"""Each check alone, over cases made by hand: pure values in, a finding or nothing out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.console.diagnosis import CHECKS, diagnose
from connector.console.diagnosis.case import Actor, AttemptFacts, Case, EventFacts, Level, WebhookFacts
from connector.core.states import EventState, WebhookState

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CASE = Case(NOW, "active", "ok", "", ("processing", "completed"), "by_region")


def webhook(**values: Any) -> WebhookFacts:
    facts = WebhookFacts(
        1, "order.updated", NOW, "store", WebhookState.PROCESSED, "", order_status="processing", order_paid=True
    )
    return replace(facts, **values)


def event(state: EventState, **values: Any) -> EventFacts:
    facts = EventFacts(2, 1, "id", "CompletePayment", state, "", NOW, NOW, NOW, match_keys=("email",))
    return replace(facts, **values)


def attempt(reason: str) -> AttemptFacts:
    return AttemptFacts(3, NOW, 10, 1, 200, 40100, "x", "r", "throttled", reason)


def case(*parts: Any, **values: Any) -> Case:
    webhooks = tuple(part for part in parts if isinstance(part, WebhookFacts))
    events = tuple(part for part in parts if isinstance(part, EventFacts))
    return replace(CASE, webhooks=webhooks, events=events, **values)


SITUATIONS = (
    ("nothing", case(), Level.ACT, Actor.OWNER, "Nothing about this order has arrived"),
    ("disabled", case(silent_topics=("order.updated",)), Level.ACT, Actor.OWNER, "does not send these webhooks"),
    ("unread", case(webhook(state=WebhookState.RECEIVED)), Level.WAIT, Actor.NOBODY, "waits to be read"),
    (
        "unreadable",
        case(webhook(state=WebhookState.UNREADABLE, order_status=None)),
        Level.ACT,
        Actor.SUPPORT,
        "could not be",
    ),
    (
        "rights",
        case(webhook(reason="store_error:cannot_view", order_status=None)),
        Level.ACT,
        Actor.OWNER,
        "sent an error",
    ),
    ("unpaid", case(webhook(order_paid=False, order_status="on-hold")), Level.WAIT, Actor.OWNER, "not paid yet"),
    (
        "cancelled",
        case(webhook(order_paid=False, order_status="cancelled")),
        Level.INFO,
        Actor.NOBODY,
        "never a purchase",
    ),
    (
        "denied",
        case(webhook(), event(EventState.WITHHELD, reason="consent_denied")),
        Level.INFO,
        Actor.NOBODY,
        "refused consent",
    ),
    (
        "unknown",
        case(webhook(), event(EventState.WITHHELD, reason="consent_unknown_required")),
        Level.ACT,
        Actor.OWNER,
        "told nothing about consent",
    ),
    (
        "taken back",
        case(event(EventState.WITHDRAWN, reason="consent_withdrawn")),
        Level.INFO,
        Actor.NOBODY,
        "withdrew consent",
    ),
    (
        "refund",
        case(event(EventState.WITHDRAWN, reason="order_refunded")),
        Level.INFO,
        Actor.NOBODY,
        "was withdrawn before",
    ),
    (
        "let go",
        case(event(EventState.WITHDRAWN, reason="let_go_by_decision")),
        Level.INFO,
        Actor.NOBODY,
        "decided not to send",
    ),
    ("admin", case(event(EventState.FILTERED, reason="created_via_admin")), Level.INFO, Actor.NOBODY, "by hand"),
    (
        "copy of the store",
        case(event(EventState.FILTERED, reason="other_address")),
        Level.INFO,
        Actor.NOBODY,
        "calls a copy",
    ),
    (
        "access",
        case(event(EventState.PENDING), access="lost", access_reason="token_revoked"),
        Level.ACT,
        Actor.OWNER,
        "revoked",
    ),
    ("paused", case(event(EventState.PENDING), installation_state="paused"), Level.ACT, Actor.OWNER, "paused"),
    (
        "later",
        case(event(EventState.PENDING, run_at=NOW + timedelta(hours=1), attempts=(attempt("too_frequent"),))),
        Level.WAIT,
        Actor.NOBODY,
        "fewer calls",
    ),
    ("queue", case(event(EventState.PENDING, run_at=NOW)), Level.WAIT, Actor.NOBODY, "waits for its turn"),
    ("leaving", case(event(EventState.PENDING, leased=True)), Level.WAIT, Actor.NOBODY, "this moment"),
    (
        "rejected",
        case(event(EventState.REJECTED, reason="invalid_parameter")),
        Level.ACT,
        Actor.SUPPORT,
        "refused a field",
    ),
    ("dead", case(event(EventState.DEAD, reason="too_old")), Level.INFO, Actor.SUPPORT, "seven days"),
    ("held", case(event(EventState.HELD)), Level.ACT, Actor.SUPPORT, "is held"),
    (
        "currency",
        case(event(EventState.DELIVERED, warnings=("currency_not_listed",))),
        Level.INFO,
        Actor.OWNER,
        "without value",
    ),
    ("done", case(event(EventState.DELIVERED)), Level.OK, Actor.NOBODY, "TikTok has taken this event."),
    ("test", case(event(EventState.DELIVERED, test_event_code="T1")), Level.INFO, Actor.OWNER, "as a test"),
    ("faint", case(event(EventState.DELIVERED, match_keys=("ip",))), Level.OK, Actor.OWNER, "neither e-mail"),
    (
        "paid by today's rule",
        case(webhook(state=WebhookState.IGNORED, reason="order_not_paid:on-hold", order_status="on-hold")),
        Level.ACT,
        Actor.SUPPORT,
        "by today's settings",
    ),
    (
        "nothing of it",
        case(webhook(state=WebhookState.IGNORED, reason="topic_not_used", order_status=None)),
        Level.INFO,
        Actor.NOBODY,
        "Nothing that TikTok should hear",
    ),
    ("ledger", case(webhook(reason="purchase_known")), Level.INFO, Actor.NOBODY, "made before"),
)


@pytest.mark.parametrize(
    ("case_", "level", "who", "said"), [row[1:] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS]
)
def test_each_situation_is_told(case_: Case, level: Level, who: Actor, said: str) -> None:
    found = [finding for finding in diagnose(case_) if said in finding.cause.format_map(finding.values)]
    assert found, [finding.cause for finding in diagnose(case_)]
    assert (found[0].level, found[0].who) == (level, who)
    found[0].next_step.format_map(found[0].values)


@pytest.mark.parametrize("state", list(EventState))
def test_no_state_is_left_without_words(state: EventState) -> None:
    assert diagnose(case(webhook(), event(state, reason="anything")))


def test_what_somebody_must_do_comes_first() -> None:
    found = diagnose(
        case(webhook(), event(EventState.DELIVERED), event(EventState.HELD), silent_topics=("order.created",))
    )
    assert [finding.level for finding in found] == sorted(
        (f.level for f in found), key=["act", "wait", "info", "ok"].index
    )


def test_every_check_is_in_the_list_once() -> None:
    assert len({check.__module__ for check in CHECKS}) == len(CHECKS)
