"""The order's one purchase was made by an earlier webhook whose event is no longer kept."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level


def check(case: Case) -> Finding | None:
    """The ledger knows the purchase, retention has removed its row."""
    if case.events or not any(webhook.reason == "purchase_known" for webhook in case.webhooks):
        return None
    return Finding(
        Level.INFO,
        "The purchase of this order was made before; its details are no longer kept.",
        Actor.NOBODY,
        "Nothing to do. An order makes one purchase only, for ever.",
    )
