"""Bodies of the companion plugin's topics and of topics that the owner named (COMPANION_TOPICS.md).

Bodies of an earlier shape are read too: the product under `product` with `id`, the page under `visitor.url`.
"""

from decimal import Decimal
from hashlib import sha256
from typing import NamedTuple

from connector.core.store_events import (
    CartItemAdded,
    ConsentChanged,
    ConsentStatement,
    CustomEvent,
    LineItem,
    NothingToDo,
    ProductViewed,
    StandardEvent,
    StoreError,
    Visit,
)
from connector.errors import UnreadablePayload
from connector.platforms.json_bodies import JsonObject
from connector.platforms.woocommerce import fields
from connector.platforms.woocommerce.buyers import read_buyer
from connector.platforms.woocommerce.fields import identifier, part, text
from connector.platforms.woocommerce.order_meta import LONGEST_CLICK_ID, read_meta
from connector.platforms.woocommerce.order_meta import read_consent as read_stamped_consent
from connector.platforms.woocommerce.store_errors import is_store_error, read_store_error

__all__ = [
    "Source",
    "read_cart_item_added",
    "read_consent_changed",
    "read_custom_event",
    "read_product_viewed",
    "read_standard_event",
]


class Source(NamedTuple):
    """Where a body came from: what an event id is made of when the body brings none."""

    topic: str
    raw: bytes


def read_cart_item_added(body: JsonObject, source: Source) -> CartItemAdded:
    """A cart addition. Raises UnreadablePayload `item_missing` without a product."""
    item, currency = _product(body)
    return CartItemAdded(
        event_id=_event_id(body, source),
        happened_at=fields.utc(body.get("time")),
        item=item,
        currency=currency,
        visit=_visit(body),
        consent=_consent(body),
        customer_id=_customer_id(body),
    )


def read_product_viewed(body: JsonObject, source: Source) -> ProductViewed:
    """A product view. Raises UnreadablePayload `item_missing` without a product."""
    item, currency = _product(body)
    return ProductViewed(
        event_id=_event_id(body, source),
        happened_at=fields.utc(body.get("time")),
        item=item,
        currency=currency,
        visit=_visit(body),
        consent=_consent(body),
        customer_id=_customer_id(body),
    )


def read_consent_changed(body: JsonObject, source: Source) -> ConsentChanged | NothingToDo:
    """A statement of consent, for a visitor or an order; without either there is nothing it could be about."""
    visitor = fields.event_id(part(body.get("visitor")).get("id"))
    order_id = identifier(body.get("order_id"))
    if visitor is None and order_id is None:
        return NothingToDo("no_visitor")
    return ConsentChanged(visitor or "", _consent(body), order_id)


def read_standard_event(body: JsonObject, source: Source) -> StandardEvent:
    """Another standard event; the mapping knows which names count. Raises UnreadablePayload `name_missing`."""
    name = fields.word(body.get("name"))
    if name is None:
        raise UnreadablePayload("name_missing", "the standard event has no name")
    items = fields.objects(body.get("items")) or fields.objects([body.get("item")])
    return StandardEvent(
        name=name,
        event_id=_event_id(body, source),
        happened_at=fields.utc(body.get("time")),
        visit=_visit(body),
        consent=_consent(body),
        items=tuple([_item(item) for item in items]),
        currency=fields.currency(body.get("currency")) or _first_currency(items),
        value=fields.decimal(body.get("value")),
        search_string=text(body.get("search_string"), 500),
        customer_id=_customer_id(body),
    )


def read_custom_event(body: JsonObject, source: Source, name: str) -> CustomEvent | StoreError:
    """A topic that the owner named `name`. Of an `action.*` body only an object under `arg` is read."""
    if is_store_error(body) and identifier(body.get("id")) is None:
        return read_store_error(body)
    inner = part(body.get("arg")) if "action" in body and "arg" in body else body
    value = inner.get("value") if inner.get("value") is not None else inner.get("total")
    return CustomEvent(
        name=name,
        event_id=_event_id(inner, source),
        happened_at=fields.utc(inner.get("time")) or fields.utc(inner.get("date_created_gmt")),
        visit=_visit(inner),
        consent=_consent(inner) if "consent" in inner else read_stamped_consent(read_meta(inner.get("meta_data"))),
        buyer=read_buyer(
            inner,
            _customer_id(inner) or identifier(inner.get("customer_id")),
            text(inner.get("email"), 320),
            text(inner.get("phone"), 60),
        ),
        value=fields.decimal(value),
        currency=fields.currency(inner.get("currency")) or "",
    )


def _event_id(body: JsonObject, source: Source) -> str:
    """The id that the first witness minted; without one the body's own digest, alike at each reading."""
    minted = fields.event_id(body.get("event_id"))
    return minted or sha256(source.topic.encode("utf-8", "replace") + b":" + source.raw).hexdigest()


def _product(body: JsonObject) -> tuple[LineItem, str]:
    item = part(body.get("item")) or part(body.get("product"))
    line = _item(item)
    if line.product_id is None and line.variation_id is None and line.sku is None:
        raise UnreadablePayload("item_missing", "the event names no product")
    return line, fields.currency(item.get("currency")) or fields.currency(body.get("currency")) or ""


def _item(item: JsonObject) -> LineItem:
    get = item.get
    quantity = fields.decimal(get("quantity"))
    return LineItem(
        product_id=identifier(get("product_id")) or identifier(get("id")),
        variation_id=identifier(get("variation_id")),
        sku=fields.code(get("sku")),
        name=text(get("name"), 500),
        quantity=Decimal(1) if quantity is None else quantity,
        unit_price=fields.decimal(get("price")),
    )


def _first_currency(items: list[JsonObject]) -> str:
    return next((code for item in items if (code := fields.currency(item.get("currency")))), "")


def _visit(body: JsonObject) -> Visit:
    visitor, page = part(body.get("visitor")), part(body.get("page"))
    return Visit(
        visitor_id=fields.event_id(visitor.get("id")),
        page_url=fields.web_address(page.get("url")) or fields.web_address(visitor.get("url")),
        referrer=fields.web_address(page.get("referrer")),
        ttclid=fields.whole(visitor.get("ttclid"), LONGEST_CLICK_ID),
        ttp=fields.whole(visitor.get("ttp"), 200),
        ip=text(visitor.get("ip"), 45),
        user_agent=text(visitor.get("user_agent")),
        country=fields.country(visitor.get("country")),
        is_staff=fields.flag(visitor.get("staff")) is True,
    )


def _consent(body: JsonObject) -> ConsentStatement:
    said = part(body.get("consent"))
    return ConsentStatement(
        status=fields.consent_status(said.get("status")),
        stated_at=fields.utc(said.get("at")),
        source=text(said.get("source"), 100) or "",
        global_privacy_control=fields.flag(said.get("gpc")) is True,
    )


def _customer_id(body: JsonObject) -> int | None:
    return identifier(part(body.get("visitor")).get("customer_id"))
