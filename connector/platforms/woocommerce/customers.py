"""Bodies of `customer.created`."""

from connector.core.store_events import Buyer, CustomerCreated, StoreError
from connector.platforms.json_bodies import JsonObject
from connector.platforms.woocommerce.fields import country, identifier, part, text, utc
from connector.platforms.woocommerce.order_meta import read_consent, read_meta, read_visit
from connector.platforms.woocommerce.store_errors import read_store_error

__all__ = ["read_customer"]


def read_customer(body: JsonObject) -> CustomerCreated | StoreError:
    """A new customer. The account's own e-mail counts, the billing one only in its place."""
    customer_id = identifier(body.get("id"))
    if customer_id is None:
        return read_store_error(body)
    billing, shipping = part(body.get("billing")), part(body.get("shipping"))
    meta = read_meta(body.get("meta_data"))
    return CustomerCreated(
        customer_id=customer_id,
        buyer=Buyer(
            email=text(body.get("email"), 320) or text(billing.get("email"), 320),
            phone=text(billing.get("phone"), 60) or text(shipping.get("phone"), 60),
            billing_country=country(billing.get("country")),
            shipping_country=country(shipping.get("country")),
            customer_id=customer_id,
        ),
        created_at=utc(body.get("date_created_gmt")),
        visit=read_visit(meta, None, None),
        consent=read_consent(meta),
    )
