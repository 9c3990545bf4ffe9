"""The store has switched off, paused or lost an order webhook."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level


def check(case: Case) -> Finding | None:
    """As the store said when it was last asked."""
    if not case.silent_topics:
        return None
    return Finding(
        Level.ACT,
        "The store does not send these webhooks any more: {topics}. WooCommerce switches a webhook off after "
        "repeated failures and never sends the missed ones again.",
        Actor.OWNER,
        "Switch them on in WooCommerce under Settings, Advanced, Webhooks, then fetch the missing orders with a "
        "reconciliation.",
        {"topics": ", ".join(case.silent_topics)},
    )
