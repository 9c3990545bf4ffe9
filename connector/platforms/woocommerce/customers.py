"""Bodies of `customer.created`."""

from dataclasses import replace

from connector.core.store_events import CustomerCreated, StoreError
from connector.platforms.json_bodies import JsonObject
from connector.platforms.woocommerce.buyers import read_buyer
from connector.platforms.woocommerce.fields import identifier, text, utc
from connector.platforms.woocommerce.order_meta import read_consent, read_meta, read_visit
from connector.platforms.woocommerce.store_errors import read_store_error

__all__ = ["read_customer"]

# WordPress' own roles and WooCommerce's: an account that the shop made for somebody who works there.
_STAFF_ROLES = ("administrator", "shop_manager", "editor", "author", "contributor")


def read_customer(body: JsonObject) -> CustomerCreated | StoreError:
    """A new customer. The account's own e-mail counts, the billing one only in its place."""
    customer_id = identifier(body.get("id"))
    if customer_id is None:
        return read_store_error(body)
    meta = read_meta(body.get("meta_data"))
    visit = read_visit(meta, None, None)
    return CustomerCreated(
        customer_id=customer_id,
        buyer=read_buyer(body, customer_id, text(body.get("email"), 320)),
        created_at=utc(body.get("date_created_gmt")),
        visit=replace(visit, is_staff=True) if body.get("role") in _STAFF_ROLES else visit,
        consent=read_consent(meta),
    )
