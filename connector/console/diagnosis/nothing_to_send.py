"""Everything was read, and no event came of it."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level
from connector.core.states import WebhookState

_READ = frozenset({WebhookState.PROCESSED, WebhookState.IGNORED})
_KNOWN = ("purchase_known", "store_error")  # these have checks of their own


def check(case: Case) -> Finding | None:
    """No event, nothing that waits, and no order that is still to be paid."""
    order = case.last_order
    if case.events or not case.webhooks or (order is not None and not order.order_paid):
        return None
    if any(webhook.state not in _READ or webhook.reason.startswith(_KNOWN) for webhook in case.webhooks):
        return None
    if order is not None and order.reason.startswith("order_not_paid"):
        return Finding(
            Level.ACT,
            "The order counts as paid by today's settings, but was read when its status did not count.",
            Actor.SUPPORT,
            "Open its newest webhook and have it read again: its purchase is made then.",
        )
    return Finding(
        Level.INFO,
        "Nothing that TikTok should hear came of this.",
        Actor.NOBODY,
        "Nothing to do. The reason stands in the timeline.",
    )
