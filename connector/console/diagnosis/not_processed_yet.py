"""A webhook is stored but not yet read."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level
from connector.core.states import WebhookState


def check(case: Case) -> Finding | None:
    """Stored safely; reading comes next."""
    if not any(webhook.state is WebhookState.RECEIVED for webhook in case.webhooks):
        return None
    return Finding(
        Level.WAIT,
        "A webhook of this order is stored and waits to be read.",
        Actor.NOBODY,
        "Nothing to do. If it takes longer than a minute, ask the operator whether the processing runs.",
    )
