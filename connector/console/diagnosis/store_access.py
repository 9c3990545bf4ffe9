"""The store's own API answers with an error in place of the order."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level

_KINDS = ("store_access_lost", "store_keys_lost", "keys_lost")


def check(case: Case) -> Finding | None:
    """The store says that the connection's user may not read orders, or refuses its keys."""
    error = any(webhook.reason.startswith("store_error") for webhook in case.webhooks)
    if not error and not any(kind in case.notices for kind in _KINDS):
        return None
    return Finding(
        Level.ACT,
        "The store sent an error in place of the order: the user who connected it may not read orders any more.",
        Actor.OWNER,
        "Connect the store again with a shop manager or administrator, then fetch the missing orders with a "
        "reconciliation.",
    )
