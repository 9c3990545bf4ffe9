"""The store has sent nothing about this order."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level


def check(case: Case) -> Finding | None:
    """No webhook and no event at all."""
    if case.webhooks or case.events:
        return None
    return Finding(
        Level.ACT,
        "Nothing about this order has arrived from the store.",
        Actor.OWNER,
        "Check the order number and the store. If they are right, look in WooCommerce under Settings, Advanced, "
        "Webhooks whether the order webhooks are active, then fetch the missing orders with a reconciliation.",
    )
