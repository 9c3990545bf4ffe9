"""The event went without its value."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level

_WARNINGS = frozenset({"currency_not_listed", "currency_missing", "value_unreadable"})


def check(case: Case) -> Finding | None:
    """The mapping left value and currency out and said so."""
    for event in reversed(case.events):
        if _WARNINGS.intersection(event.warnings):
            order = case.last_order
            return Finding(
                Level.INFO,
                "The event goes without value and currency: TikTok does not list the currency {currency}.",
                Actor.OWNER,
                "The purchase counts, its value does not. Only an order in a listed currency can carry its value.",
                {"currency": (order.order_currency if order else None) or "?"},
            )
    return None
