"""Which reader takes which topic, in one table."""

import re
from collections.abc import Callable

from connector.core.store_events import NothingToDo, StoreEvent
from connector.errors import UnreadablePayload
from connector.platforms.base import ReadContext, VerifiedWebhook
from connector.platforms.json_bodies import JsonObject, read_object
from connector.platforms.woocommerce import storefront
from connector.platforms.woocommerce.customers import read_customer
from connector.platforms.woocommerce.fields import event_id, identifier
from connector.platforms.woocommerce.orders import read_deleted_order, read_order
from connector.platforms.woocommerce.storefront import Source

__all__ = ["deduplicates", "read"]

STORE_READERS: dict[str, Callable[[JsonObject], StoreEvent]] = {
    "order.created": read_order,
    "order.updated": read_order,
    "order.restored": read_order,
    "order.deleted": read_deleted_order,
    "customer.created": read_customer,
}
COMPANION_READERS: dict[str, Callable[[JsonObject, Source], StoreEvent]] = {
    "cart.item_added": storefront.read_cart_item_added,
    "storefront.product_viewed": storefront.read_product_viewed,
    "storefront.consent_changed": storefront.read_consent_changed,
    "storefront.standard_event": storefront.read_standard_event,
}
NOT_USED = frozenset({"customer.updated", "customer.deleted", "customer.restored"})
RESOURCES_NOT_USED = frozenset({"action", "coupon", "product"})

_STARTS_WITH_ID = re.compile(rb'\{"id":[1-9][0-9]{0,17}[,}]')


def read(webhook: VerifiedWebhook, context: ReadContext) -> StoreEvent:
    """The body in our words; a topic without a reader is not even parsed. Raises UnreadablePayload."""
    topic = webhook.topic
    if reader := STORE_READERS.get(topic):
        return reader(read_object(webhook.body))
    source = Source(topic, webhook.body)
    if companion_reader := COMPANION_READERS.get(topic):
        return companion_reader(read_object(webhook.body), source)
    if name := context.custom_events.get(topic):
        return storefront.read_custom_event(read_object(webhook.body), source, name)
    known = topic in NOT_USED or topic.partition(".")[0] in RESOURCES_NOT_USED
    return NothingToDo("topic_not_used" if known else "unknown_topic")


def deduplicates(body: bytes) -> bool:
    """Whether equal bytes mean the same event: with a numeric id or an event id they do.

    An error body or `{"action", "arg"}` may come twice for two different events.
    """
    if _STARTS_WITH_ID.match(body):
        return True
    try:
        value = read_object(body)
    except UnreadablePayload:
        return False
    return identifier(value.get("id")) is not None or event_id(value.get("event_id")) is not None
