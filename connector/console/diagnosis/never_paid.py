"""The order is not paid by the installation's rule."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level

_OVER = frozenset({"cancelled", "failed", "refunded", "trash"})


def check(case: Case) -> Finding | None:
    """No event, and the newest status is none of the paid ones."""
    order = case.last_order
    if case.events or order is None or order.order_paid:
        return None
    values = {"status": order.order_status, "paid": ", ".join(case.paid_statuses)}
    if order.order_status in _OVER:
        return Finding(
            Level.INFO,
            "The order was never a purchase: its status is {status}.",
            Actor.NOBODY,
            "Nothing to do. Should the order be paid after all, its purchase is sent then.",
            values,
        )
    return Finding(
        Level.WAIT,
        "The order is not paid yet: its status is {status}; a purchase is sent at {paid}.",
        Actor.OWNER,
        "When the payment has come, set the order to a paid status in the store. Which statuses count can be "
        "changed in the settings.",
        values,
    )
