"""Names of events: TikTok's standard ones that a storefront may tell, own ones, and which the owner has on."""

import re

from connector.core.installation_settings import InstallationSettings, PurchaseName

__all__ = [
    "ADD_TO_CART",
    "COMPLETE_REGISTRATION",
    "MAPPED_EVENTS",
    "STOREFRONT_EVENTS",
    "VIEW_CONTENT",
    "is_off",
    "is_purchase_name",
    "is_valid_name",
]

ADD_TO_CART = "AddToCart"
COMPLETE_REGISTRATION = "CompleteRegistration"
VIEW_CONTENT = "ViewContent"
# What the storefront may tell besides products and carts; never a purchase (COMPANION_TOPICS.md).
STOREFRONT_EVENTS = frozenset(
    "InitiateCheckout AddPaymentInfo Search CompleteRegistration AddToWishlist Subscribe Lead Contact".split()
)

_PURCHASE_NAMES = frozenset(name.value for name in PurchaseName)
# All that can come of a store without custom events.
MAPPED_EVENTS = STOREFRONT_EVENTS | _PURCHASE_NAMES | {ADD_TO_CART, COMPLETE_REGISTRATION, VIEW_CONTENT}
# Up to 50 letters, digits, _ and -; a letter first, no sign last.
_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_-]{0,48}[A-Za-z0-9])?")


def is_purchase_name(name: str | None) -> bool:
    """Whether this is one of the two names of a purchase."""
    return name in _PURCHASE_NAMES


def is_valid_name(name: str) -> bool:
    """Whether TikTok takes this as the name of an event."""
    return _NAME.fullmatch(name) is not None


def is_off(name: str, settings: InstallationSettings) -> bool:
    """Whether the owner has switched the event off. Both names of a purchase are one event."""
    disabled = settings.disabled_events
    if not disabled:
        return False
    if name in _PURCHASE_NAMES:
        return not _PURCHASE_NAMES.isdisjoint(disabled)
    return name in disabled
