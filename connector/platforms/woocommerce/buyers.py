"""Who bought or registered: the same addresses in orders, customers and own events."""

from connector.core.store_events import Buyer
from connector.platforms.json_bodies import JsonObject
from connector.platforms.woocommerce.fields import country, part, text

__all__ = ["read_buyer"]


def read_buyer(
    body: JsonObject, customer_id: int | None, email: str | None = None, phone: str | None = None
) -> Buyer:
    """The buyer by the addresses in `body`; e-mail and phone that stand elsewhere come before the billing ones."""
    billing, shipping = part(body.get("billing")), part(body.get("shipping"))
    sent_to = country(shipping.get("country"))
    phone = phone or text(billing.get("phone"), 60)
    recipients = None if phone else text(shipping.get("phone"), 60)
    return Buyer(
        email=email or text(billing.get("email"), 320),
        phone=phone or recipients,
        billing_country=country(billing.get("country")),
        shipping_country=sent_to,
        customer_id=customer_id,
        phone_country=sent_to if recipients else None,
    )
