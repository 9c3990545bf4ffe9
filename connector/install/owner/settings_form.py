"""The settings page's fields, and the way from them to `InstallationSettings`. Pure."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from connector.core.installation_settings import (
    ConsentPolicy,
    ContentIdSource,
    InstallationSettings,
    PurchaseName,
    ValueBasis,
)
from connector.pages.forms import Form
from connector.platforms.woocommerce.connect import read_store_url

__all__ = ["CHOICES", "EVENTS", "STATUSES", "as_typed", "custom_event_lines", "extra_statuses", "read_settings"]

CHOICES: Mapping[str, tuple[str, ...]] = {
    "consent_policy": (ConsentPolicy.BY_REGION, ConsentPolicy.REQUIRED, ConsentPolicy.OPT_OUT),
    "value_basis": tuple(ValueBasis),
    "content_id": tuple(ContentIdSource),
    "purchase_event": tuple(PurchaseName),
}
STATUSES = ("processing", "completed", "on-hold")
# The purchase is one switch for both of its names.
EVENTS = (
    "CompletePayment",
    "ViewContent",
    "AddToCart",
    "InitiateCheckout",
    "AddPaymentInfo",
    "Search",
    "CompleteRegistration",
    "AddToWishlist",
    "Subscribe",
    "Lead",
    "Contact",
)
FLAGS = ("send_renewals", "send_product_names", "views_direct", "filter_other_addresses")


ADDRESSES = ("copy_addresses", "own_addresses")


def read_settings(form: Form, present: InstallationSettings) -> InstallationSettings | str:
    """The settings that the form says, or the name of the field that cannot be taken.

    The test event code has a form of its own and stays as it is.
    """
    lines = _custom_events(form.get("custom_events"))
    if lines is None:
        return "custom_events"
    try:
        return InstallationSettings.model_validate(_typed(form, present) | {"custom_events": lines})
    except ValidationError as error:
        return str(error.errors(include_input=False, include_url=False)[0]["loc"][0])


def as_typed(form: Form, present: InstallationSettings) -> InstallationSettings:
    """What the form says, right or wrong, to be shown once more: nobody types it twice."""
    return present.model_copy(update=_typed(form, present))


def _typed(form: Form, present: InstallationSettings) -> dict[str, Any]:
    values: dict[str, Any] = present.model_dump()
    values |= {name: form.get(name) for name in CHOICES}
    values |= {name: form.has(name) for name in FLAGS}
    values |= {name: tuple(_hosts(form.get(name))) for name in ADDRESSES}
    extra = [text.strip() for text in form.get("other_statuses").split(",")]
    values["paid_statuses"] = tuple(dict.fromkeys([*form.all("paid_statuses"), *filter(None, extra)]))
    shown_off = [name for name in EVENTS if name not in form.all("events")]
    values["disabled_events"] = (*shown_off, *(one for one in present.disabled_events if one not in EVENTS))
    return values


def _hosts(text: str) -> list[str]:
    """Addresses as people type them, one per line or with commas, as webhooks name their store."""
    found = []
    for typed in filter(None, text.replace(",", "\n").split()):
        url = read_store_url(typed)
        host = urlsplit(url).hostname if url else None
        found.append((host or typed).removeprefix("www."))
    return list(dict.fromkeys(found))


def _custom_events(text: str) -> dict[str, str] | None:
    """`topic = Name`, one per line."""
    found: dict[str, str] = {}
    for line in filter(None, (one.strip() for one in text.splitlines())):
        topic, sign, name = (part.strip() for part in line.partition("="))
        if not sign or not topic or not name or len(topic) > 100:
            return None
        found[topic] = name
    return found


def custom_event_lines(settings: InstallationSettings) -> str:
    """The custom events as the field shows them."""
    return "\n".join(f"{topic} = {name}" for topic, name in settings.custom_events.items())


def extra_statuses(settings: InstallationSettings) -> str:
    """Paid statuses that have no box of their own."""
    return ", ".join(status for status in settings.paid_statuses if status not in STATUSES)
