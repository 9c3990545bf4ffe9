"""What an order's status, origin and totals mean for its purchase."""

from decimal import Decimal

from connector.core.contents import Price, price, usable
from connector.core.countries import known_country
from connector.core.installation_settings import InstallationSettings, ValueBasis
from connector.core.plain_text import plain_text
from connector.core.store_events import Order

__all__ = ["filter_reason", "is_draft", "is_paid", "order_country", "order_price", "skip_reason", "withdraws"]

# Never paid, whatever the setting says: the block checkout sends drafts before anybody has bought.
_DRAFTS = frozenset({"checkout-draft", "auto-draft", "draft"})
# Over: the money has gone back or never came.
_UNPAID_AGAIN = frozenset({"refunded", "cancelled", "failed", "trash"})
_ADMIN = "admin"


def _status(order: Order) -> str:
    return order.status.strip().lower().removeprefix("wc-")


def is_draft(order: Order) -> bool:
    """Whether the order is only a checkout in progress."""
    return _status(order) in _DRAFTS


def is_paid(order: Order, settings: InstallationSettings) -> bool:
    """Whether the order makes a purchase: its status is one of the owner's paid ones.

    Cash on delivery never has a payment date, so the date is no test. A partial refund leaves the status.
    """
    status = _status(order)
    return status in settings.paid_statuses and status not in _DRAFTS and status not in _UNPAID_AGAIN


def withdraws(order: Order, settings: InstallationSettings) -> bool:
    """Whether a purchase that still waits must not leave: cancelled, refunded, failed, in the trash, or unpaid
    again after an edit. A draft withdraws nothing: no paid order turns into one, so only a stale body says so.
    """
    return not is_draft(order) and not is_paid(order, settings)


def skip_reason(order: Order, settings: InstallationSettings) -> str | None:
    """Why the order makes no purchase now, None when it does."""
    if is_draft(order):
        return "draft_order"
    if not is_paid(order, settings):
        return f"order_not_paid:{plain_text(_status(order), 40) or 'no_status'}"
    return None


def filter_reason(order: Order, settings: InstallationSettings) -> str | None:
    """Why a paid order is not for TikTok, None when it is. Orders over REST or PHP are real ones."""
    if order.created_via == _ADMIN:
        return "created_via_admin"
    if order.is_renewal and not settings.send_renewals:
        return "renewal"
    return None


def order_price(order: Order, basis: ValueBasis) -> Price:
    """The order's value on the owner's basis, unrounded; zero stays 0."""
    amount: Decimal = order.total
    if not (usable(amount) and usable(order.total_tax) and usable(order.shipping_total)):
        return Price(warnings=("value_unreadable",))
    if basis is not ValueBasis.TOTAL:
        amount -= order.total_tax
    if basis is ValueBasis.WITHOUT_TAX_AND_SHIPPING:
        amount -= order.shipping_total
    return price(amount, order.currency)


def order_country(order: Order) -> str | None:
    """Shipping, else billing country, else the store's geolocation; alpha-2."""
    buyer = order.buyer
    return (
        known_country(buyer.shipping_country)
        or known_country(buyer.billing_country)
        or known_country(order.visit.country)
    )
