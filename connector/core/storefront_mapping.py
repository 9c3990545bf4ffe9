"""Mapping of everything but orders: products, carts, other standard events, registrations, own events."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from connector.core import event_names
from connector.core.bots import is_bot
from connector.core.contents import Price, contents_of, line_total, num_items, price
from connector.core.conversion_events import Content, ConversionEvent
from connector.core.countries import known_country
from connector.core.event_ids import is_valid_event_id, registration_id
from connector.core.event_parts import event_time, user_data
from connector.core.mapped import Conversion, Filtered, Mapped, MappingContext, Skip
from connector.core.page_urls import page_url, reduced_url
from connector.core.plain_text import plain_text
from connector.core.store_events import (
    Buyer,
    CartItemAdded,
    ConsentStatement,
    ConsentStatus,
    CustomerCreated,
    CustomEvent,
    ProductViewed,
    StandardEvent,
    Visit,
)

__all__ = ["map_custom", "map_registration", "map_standard", "product_mapper"]

_SEARCH_LIMIT = 256
# An e-mail address, or seven digits and more with the signs that phone numbers have between them.
_PERSONAL_SEARCH = re.compile(r"\S@\S|(?:\d[\s().\-/]*){7,}")
_NO_BUYER = Buyer()


def _finish(
    installation: MappingContext,
    name: str,
    event_id: str,
    happened_at: datetime | None,
    visit: Visit,
    consent: ConsentStatement,
    *,
    cost: Price,
    from_page: bool,
    browser_copy: bool,
    buyer: Buyer = _NO_BUYER,
    customer_id: int | None = None,
    contents: tuple[Content, ...] = (),
    pieces: int | None = None,
    search_string: str | None = None,
) -> Mapped:
    """Everything but a purchase. `from_page`: told by a page that a browser (or a bot) had open."""
    reason = _visit_reason(name, visit, installation, from_page)
    if reason is not None:
        return Filtered(name, event_id, reason, cost.value, cost.currency)
    event = ConversionEvent(
        name=name,
        event_id=event_id,
        event_time=event_time(happened_at, installation.received_at),
        pixel_code=installation.pixel_code,
        page_url=page_url(visit.page_url, installation.store_url),
        referrer=reduced_url(visit.referrer),
        user=user_data(installation, visit, buyer, customer_id),
        value=cost.value,
        currency=cost.currency,
        contents=contents,
        content_type="product" if contents else None,
        num_items=pieces,
        search_string=_search(search_string),
    )
    return Conversion(
        event=event,
        consent=consent,
        country=_country(buyer, visit),
        browser_copy=browser_copy and consent.status is not ConsentStatus.DENIED,
        visitor_id=visit.visitor_id,
        customer_id=customer_id,
        warnings=cost.warnings,
    )


def _visit_reason(name: str, visit: Visit, installation: MappingContext, from_page: bool) -> str | None:
    if visit.is_staff:
        return "staff"
    if from_page and is_bot(visit.user_agent):
        return "bot"
    return "event_off" if event_names.is_off(name, installation.settings) else None


def _country(buyer: Buyer, visit: Visit) -> str | None:
    return (
        known_country(buyer.shipping_country) or known_country(buyer.billing_country) or known_country(visit.country)
    )


def _search(text: str | None) -> str | None:
    """What was searched for, unless somebody typed an e-mail address or a phone number."""
    words = plain_text(text, _SEARCH_LIMIT)
    return None if words is None or _PERSONAL_SEARCH.search(words) else words


def product_mapper(name: str) -> Callable[[Any, MappingContext], Mapped]:
    """For the two events of one product. The value is what its pieces cost; a view is of one piece."""

    def map_product(event: CartItemAdded | ProductViewed, installation: MappingContext) -> Mapped:
        if not is_valid_event_id(event.event_id):
            return Skip("invalid_event_id")
        items = (event.item,)
        return _finish(
            installation,
            name,
            event.event_id,
            event.happened_at,
            event.visit,
            event.consent,
            cost=price(line_total(items), event.currency),
            from_page=True,
            browser_copy=True,
            customer_id=event.customer_id,
            contents=contents_of(items, installation.settings),
        )

    return map_product


def map_standard(event: StandardEvent, installation: MappingContext) -> Mapped:
    """Another event of the storefront, by its name. Its value is its own, else what its items cost."""
    if event.name not in event_names.STOREFRONT_EVENTS:
        return Skip("unknown_event_name")
    if not is_valid_event_id(event.event_id):
        return Skip("invalid_event_id")
    amount = event.value if event.value is not None else line_total(event.items)
    return _finish(
        installation,
        event.name,
        event.event_id,
        event.happened_at,
        event.visit,
        event.consent,
        cost=price(amount, event.currency),
        from_page=True,
        browser_copy=True,
        customer_id=event.customer_id,
        contents=contents_of(event.items, installation.settings),
        pieces=num_items(event.items),
        search_string=event.search_string,
    )


def map_registration(event: CustomerCreated, installation: MappingContext) -> Mapped:
    """A new customer. The browser may have told the same event id, if a visitor is known."""
    return _finish(
        installation,
        event_names.COMPLETE_REGISTRATION,
        registration_id(installation.public_id, event.customer_id),
        event.created_at,
        event.visit,
        event.consent,
        cost=Price(),
        from_page=False,
        browser_copy=event.visit.visitor_id is not None,  # the plugin's script was on the page
        buyer=event.buyer,
        customer_id=event.customer_id,
    )


def map_custom(event: CustomEvent, installation: MappingContext) -> Mapped:
    """An event that the owner named. Only the store tells it, so no browser has a copy."""
    if not event_names.is_valid_name(event.name):
        return Skip("invalid_event_name")
    if not is_valid_event_id(event.event_id):
        return Skip("invalid_event_id")
    return _finish(
        installation,
        event.name,
        event.event_id,
        event.happened_at,
        event.visit,
        event.consent,
        cost=price(event.value, event.currency),
        from_page=False,
        browser_copy=False,
        buyer=event.buyer,
        customer_id=event.buyer.customer_id,
    )
