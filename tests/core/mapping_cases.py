"""An order, a view and a cart addition that are in order, and what the mapping makes of an event."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from connector.core.installation_settings import InstallationSettings
from connector.core.mapping import Conversion, Filtered, MappingContext, Skip, map_event
from connector.core.store_events import (
    Buyer,
    CartItemAdded,
    ConsentStatement,
    LineItem,
    Order,
    ProductViewed,
    StoreEvent,
    Visit,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PAID = NOW - timedelta(minutes=5)
MINTED = "9f" * 16
VISIT = Visit(
    visitor_id="0f" * 16,
    page_url="https://shop.example/checkout/order-received/12/?key=wc_order_secret&utm_source=tiktok",
    referrer="https://www.tiktok.com/@shop?sid=1",
    ttclid="E.C.P.aB",
    ttp="t" * 27,
    ip="::ffff:8.8.8.8",
    user_agent="Mozilla/5.0 (X11; Linux x86_64)",
    country="FR",
)
BUYER = Buyer(" Zoe@Example.com ", "030 1234567", "DE", "AT", 7)
ORDER = Order(
    order_id=12,
    order_key="wc_order_secret",
    number="2024-12",
    status="processing",
    currency="EUR",
    total=Decimal("41.20"),
    total_tax=Decimal("6.58"),
    shipping_total=Decimal("4.90"),
    created_at=PAID - timedelta(minutes=1),
    modified_at=PAID,
    paid_at=PAID,
    created_via="store-api",
    buyer=BUYER,
    visit=VISIT,
    lines=(
        LineItem(18, 20, "HOOD-M", "Hoodie - M", Decimal(2), Decimal("12.345")),
        LineItem(21, None, None, "Cap", Decimal(1), Decimal("5.03")),
    ),
)
ITEM = LineItem(18, 20, "HOOD-M", "Hoodie - M", Decimal(2), Decimal("50.58"))
VIEW = ProductViewed(MINTED, PAID, replace(ITEM, quantity=Decimal(1)), "EUR", VISIT, ConsentStatement())
CART = CartItemAdded(MINTED, PAID, ITEM, "EUR", VISIT, ConsentStatement())


def shop(**settings: Any) -> MappingContext:
    values = InstallationSettings.model_validate(settings)
    return MappingContext("pub", "https://shop.example", "PIXEL1", values, NOW)


def sent(event: StoreEvent, **settings: Any) -> Conversion:
    result = map_event(event, shop(**settings))
    assert isinstance(result, Conversion)
    return result


def filtered(event: StoreEvent, **settings: Any) -> Filtered:
    result = map_event(event, shop(**settings))
    assert isinstance(result, Filtered)
    return result


def skipped(event: StoreEvent, **settings: Any) -> str:
    result = map_event(event, shop(**settings))
    assert isinstance(result, Skip)
    return result.reason
