"""From what a store did to what TikTok should hear. Pure and total: every input has an outcome, none raises.

Consent is not applied here, since it may stand in other records too: the caller combines the statements
(`consent.latest`), decides (`consent.decide`) and uses `with_consent`.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from connector.core import event_names
from connector.core.consent import ConsentDecision, ConsentOutcome
from connector.core.contents import contents_of, num_items
from connector.core.conversion_events import ConversionEvent
from connector.core.event_ids import is_valid_event_id, purchase_id
from connector.core.event_parts import event_time, user_data
from connector.core.mapped import Conversion, Filtered, Mapped, MappingContext, Skip
from connector.core.order_rules import filter_reason, order_country, order_price, skip_reason, withdraws
from connector.core.page_urls import page_url, reduced_url
from connector.core.plain_text import plain_text
from connector.core.store_events import (
    CartItemAdded,
    ConsentChanged,
    ConsentStatus,
    CustomerCreated,
    CustomEvent,
    Named,
    NothingToDo,
    Order,
    OrderDeleted,
    ProductViewed,
    StandardEvent,
    StoreError,
    StoreEvent,
)
from connector.core.storefront_mapping import map_custom, map_registration, map_standard, product_mapper

__all__ = [
    "Conversion",
    "Filtered",
    "Mapped",
    "MappingContext",
    "Skip",
    "map_event",
    "purchase_identity",
    "with_consent",
    "withdraws",
]

_PIXEL_CODE = re.compile(r"[A-Za-z0-9]{1,64}")
_OFF_THE_PAGE = timedelta(hours=1)  # paid later than that: no thank-you page was open


def map_event(event: StoreEvent, installation: MappingContext) -> Mapped:
    """What becomes of one event of a store. Never raises for any value of the event's type."""
    return _MAPPERS[type(event)](event, installation)


def with_consent(conversion: Conversion, decision: ConsentDecision) -> ConversionEvent:
    """The event as the decision lets it leave: with limited data use or without. Not for a withheld one."""
    limited = decision.outcome is ConsentOutcome.SEND_LIMITED
    event = conversion.event
    return event if event.limited_data_use is limited else replace(event, limited_data_use=limited)


def purchase_identity(order: Order, installation: MappingContext) -> tuple[str, str, str]:
    """Name, event id and pixel code of an order's purchase: as stamped at checkout, else by the settings."""
    stamp = order.stamp
    name, event_id, pixel_code = stamp.event_name, stamp.event_id, stamp.pixel_code
    if name is None or not event_names.is_purchase_name(name):
        name = installation.settings.purchase_event.value
    if event_id is None or not is_valid_event_id(event_id):
        event_id = purchase_id(installation.public_id, order.order_id, order.order_key)
    if pixel_code is None or _PIXEL_CODE.fullmatch(pixel_code) is None:
        pixel_code = installation.pixel_code
    return name, event_id, pixel_code


def _order_browser_copy(order: Order) -> bool:
    """Whether the browser has probably sent this purchase too. Not known, but paid on the page: probably."""
    if order.stamp.browser_sent is not None:
        return order.stamp.browser_sent
    if not is_valid_event_id(order.stamp.event_id) or order.consent.status is ConsentStatus.DENIED:
        return False
    paid, created = order.paid_at, order.created_at
    return paid is None or created is None or paid - created <= _OFF_THE_PAGE


def _map_order(order: Order, installation: MappingContext) -> Mapped:
    settings = installation.settings
    skipped = skip_reason(order, settings)
    if skipped is not None:
        return Skip(skipped)
    name, event_id, pixel_code = purchase_identity(order, installation)
    cost = order_price(order, settings.value_basis)
    reason = filter_reason(order, settings) or ("event_off" if event_names.is_off(name, settings) else None)
    if reason is not None:
        return Filtered(name, event_id, reason, cost.value, cost.currency, order.order_id, order.order_key)
    contents = contents_of(order.lines, settings)
    event = ConversionEvent(
        name=name,
        event_id=event_id,
        event_time=event_time(order.sold_at, installation.received_at),
        pixel_code=pixel_code,
        page_url=page_url(order.visit.page_url, installation.store_url),
        referrer=reduced_url(order.visit.referrer),
        user=user_data(installation, order.visit, order.buyer, order.buyer.customer_id),
        value=cost.value,
        currency=cost.currency,
        contents=contents,
        content_type="product" if contents else None,
        num_items=num_items(order.lines),
        order_id=str(order.order_id),
    )
    return Conversion(
        event=event,
        consent=order.consent,
        country=order_country(order),
        browser_copy=_order_browser_copy(order),
        is_purchase=True,
        order_id=order.order_id,
        order_key=order.order_key,
        visitor_id=order.visit.visitor_id,
        customer_id=order.buyer.customer_id,
        warnings=cost.warnings,
    )


def _skip_deleted(event: OrderDeleted, installation: MappingContext) -> Mapped:
    return Skip("order_deleted")


def _skip_consent(event: ConsentChanged, installation: MappingContext) -> Mapped:
    return Skip("consent_change")


def _skip_error(event: StoreError, installation: MappingContext) -> Mapped:
    return Skip(f"store_error:{plain_text(event.code, 80) or 'unknown'}")


def _skip_named(event: Named, installation: MappingContext) -> Mapped:
    return Skip("fetched")


def _skip_nothing(event: NothingToDo, installation: MappingContext) -> Mapped:
    return Skip(plain_text(event.reason, 120) or "nothing_to_do")


_MAPPERS: dict[type, Callable[[Any, MappingContext], Mapped]] = {
    Order: _map_order,
    OrderDeleted: _skip_deleted,
    CustomerCreated: map_registration,
    CartItemAdded: product_mapper(event_names.ADD_TO_CART),
    ProductViewed: product_mapper(event_names.VIEW_CONTENT),
    ConsentChanged: _skip_consent,
    StandardEvent: map_standard,
    CustomEvent: map_custom,
    StoreError: _skip_error,
    Named: _skip_named,
    NothingToDo: _skip_nothing,
}
