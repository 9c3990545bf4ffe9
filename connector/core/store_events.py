"""What a store did, in our words. Readers of every platform produce these, the mapping takes them."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

__all__ = [
    "Buyer",
    "CartItemAdded",
    "ConsentChanged",
    "ConsentStatement",
    "ConsentStatus",
    "CustomEvent",
    "CustomerCreated",
    "LineItem",
    "Named",
    "NothingToDo",
    "Order",
    "OrderDeleted",
    "OrderStamp",
    "ProductViewed",
    "StandardEvent",
    "StoreError",
    "StoreEvent",
    "Visit",
]


class ConsentStatus(StrEnum):
    """What a visitor said about advertising. Unknown is an answer of its own, never a yes."""

    GRANTED = "granted"
    DENIED = "denied"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ConsentStatement:
    """One statement of consent: what, when (UTC; None when the store did not say), told by which tool."""

    status: ConsentStatus = ConsentStatus.UNKNOWN
    stated_at: datetime | None = None
    source: str = ""
    global_privacy_control: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """What the browser and its connection told: nothing here is hashed yet, absent is None."""

    visitor_id: str | None = None
    page_url: str | None = None
    referrer: str | None = None
    ttclid: str | None = None
    ttp: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    country: str | None = None  # ISO 3166 alpha-2, by the store's geolocation
    is_staff: bool = False


@dataclass(frozen=True, slots=True)
class LineItem:
    """One line: ids are the store's numbers, 0 and empty text have become None.

    `unit_price` is what one piece cost after discounts, without tax; `quantity` may be fractional.
    """

    product_id: int | None = None
    variation_id: int | None = None
    sku: str | None = None
    name: str | None = None
    quantity: Decimal = Decimal(1)
    unit_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who bought, in clear. Hashed by `identity`, never stored in clear outside the webhook itself."""

    email: str | None = None
    phone: str | None = None
    billing_country: str | None = None
    shipping_country: str | None = None
    customer_id: int | None = None  # None for a guest
    phone_country: str | None = None  # when the number is the recipient's; otherwise the buyer's country counts


@dataclass(frozen=True, slots=True)
class OrderStamp:
    """What the companion plugin wrote on the order at checkout (meta keys `_pixel_connector_*`).

    `browser_sent` is True when the thank-you page reported that the browser has sent the purchase,
    False when the plugin says that it has not, None when nothing is known.
    """

    event_id: str | None = None
    event_name: str | None = None
    pixel_code: str | None = None
    browser_sent: bool | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it stood when the store built the body. Money is what the store charged, decimal."""

    order_id: int
    order_key: str
    number: str
    status: str
    currency: str
    total: Decimal
    total_tax: Decimal
    shipping_total: Decimal
    created_at: datetime | None
    modified_at: datetime | None
    paid_at: datetime | None
    created_via: str = ""
    is_renewal: bool = False
    buyer: Buyer = field(default_factory=Buyer)
    visit: Visit = field(default_factory=Visit)
    consent: ConsentStatement = field(default_factory=ConsentStatement)
    stamp: OrderStamp = field(default_factory=OrderStamp)
    lines: tuple[LineItem, ...] = ()

    @property
    def sold_at(self) -> datetime | None:
        """The time of its purchase: when it was paid, else when it was made."""
        return self.paid_at or self.created_at


@dataclass(frozen=True, slots=True)
class OrderDeleted:
    """An order went to the trash. The store tells its number only."""

    order_id: int


@dataclass(frozen=True, slots=True)
class CustomerCreated:
    """Somebody registered."""

    customer_id: int
    buyer: Buyer
    created_at: datetime | None
    visit: Visit = field(default_factory=Visit)
    consent: ConsentStatement = field(default_factory=ConsentStatement)


@dataclass(frozen=True, slots=True)
class CartItemAdded:
    """A visitor put a product into the cart. `event_id` was minted by the first witness, the store."""

    event_id: str
    happened_at: datetime | None
    item: LineItem
    currency: str
    visit: Visit
    consent: ConsentStatement
    customer_id: int | None = None


@dataclass(frozen=True, slots=True)
class ProductViewed:
    """A visitor looked at a product page."""

    event_id: str
    happened_at: datetime | None
    item: LineItem
    currency: str
    visit: Visit
    consent: ConsentStatement
    customer_id: int | None = None


@dataclass(frozen=True, slots=True)
class ConsentChanged:
    """A visitor gave, refused or withdrew consent after the page had loaded."""

    visitor_id: str
    consent: ConsentStatement
    order_id: int | None = None


@dataclass(frozen=True, slots=True)
class StandardEvent:
    """Another standard event of the storefront: checkout begun, payment details given, search, sign-up."""

    name: str
    event_id: str
    happened_at: datetime | None
    visit: Visit
    consent: ConsentStatement
    items: tuple[LineItem, ...] = ()
    currency: str = ""
    value: Decimal | None = None
    search_string: str | None = None
    customer_id: int | None = None


@dataclass(frozen=True, slots=True)
class CustomEvent:
    """A topic that the owner named in `custom_events`; the fields that we know are read, the rest is not."""

    name: str
    event_id: str
    happened_at: datetime | None
    visit: Visit
    consent: ConsentStatement
    buyer: Buyer = field(default_factory=Buyer)
    value: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class StoreError:
    """The signed body is an error of the store's own API (research: trap 10)."""

    code: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Named:
    """The webhook only names something: its body waits at `path` of the store's API, to be read as `topic`."""

    topic: str
    path: str


@dataclass(frozen=True, slots=True)
class NothingToDo:
    """An authentic webhook that makes no event: a topic that we did not ask for. `reason` says why."""

    reason: str


StoreEvent = (
    Order
    | OrderDeleted
    | CustomerCreated
    | CartItemAdded
    | ProductViewed
    | ConsentChanged
    | StandardEvent
    | CustomEvent
    | StoreError
    | Named
    | NothingToDo
)
