"""Products and money of an event. Decimal from end to end, nothing is rounded here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from connector.core.conversion_events import Content
from connector.core.currencies import LISTED_CURRENCIES
from connector.core.installation_settings import ContentIdSource, InstallationSettings
from connector.core.plain_text import plain_text
from connector.core.store_events import LineItem

__all__ = ["Price", "contents_of", "item_price", "line_total", "num_items", "price", "usable"]

_NAME_LIMIT = 256
_ID_LIMIT = 256
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Price:
    """An event's value and currency, both or neither, with warnings for the owner."""

    value: Decimal | None = None
    currency: str | None = None
    warnings: tuple[str, ...] = ()


_NO_PRICE = Price()


def usable(amount: Decimal | None) -> bool:
    """Whether this is a number that money or pieces can be: finite, not absurdly fine, below 10^15, since a
    JSON double loses cents beyond.
    """
    if amount is None:
        return False
    # A price that came of a division has some 28 digits. Of NaN and infinity `adjusted` is 0.
    return amount.is_finite() and -40 <= amount.adjusted() <= 14


def price(amount: Decimal | None, currency: str | None) -> Price:
    """Value and currency as TikTok takes them.

    A negative value becomes 0 (`negative_total`: fees can outweigh the goods, and TikTok knows no negative
    value; the purchase itself is real). A currency that TikTok does not list, or none, takes the value with it.
    """
    if amount is None:
        return _NO_PRICE
    if not usable(amount):
        return Price(warnings=("value_unreadable",))
    code = currency.strip().upper() if currency else ""
    if code not in LISTED_CURRENCIES:
        return Price(warnings=("currency_not_listed" if code else "currency_missing",))
    if amount < _ZERO:
        return Price(_ZERO, code, ("negative_total",))
    return Price(amount, code)


def item_price(amount: Decimal | None) -> Decimal | None:
    """The price of one piece when it can be one."""
    return amount if amount is not None and usable(amount) and amount >= _ZERO else None


def line_total(items: Iterable[LineItem]) -> Decimal | None:
    """The pieces' prices times their quantities; None when one has no price or there are no items."""
    total: Decimal | None = None
    for item in items:
        each = item_price(item.unit_price)
        if each is None or not _counts(item):
            return None
        total = (total or _ZERO) + each * item.quantity
    return total


def _counts(item: LineItem) -> bool:
    return usable(item.quantity) and item.quantity > _ZERO


def _content_id(item: LineItem, source: ContentIdSource) -> str | None:
    """The SKU (as the setting says), else the variation, else the product; None for a deleted product."""
    sku = plain_text(item.sku, _ID_LIMIT) if source is ContentIdSource.SKU else None
    if sku is not None:
        return sku
    number = item.variation_id or item.product_id
    return str(number) if number and number > 0 else None


def contents_of(items: Sequence[LineItem], settings: InstallationSettings) -> tuple[Content, ...]:
    """One content for each line that still names a product and has pieces."""
    contents = []
    for item in items:
        content_id = _content_id(item, settings.content_id)
        if content_id is None or not _counts(item):
            continue
        name = plain_text(item.name, _NAME_LIMIT) if settings.send_product_names else None
        contents.append(Content(content_id, name, item_price(item.unit_price), item.quantity))
    return tuple(contents)


def num_items(items: Iterable[LineItem]) -> int | None:
    """Pieces, fractions rounded up, those of deleted products too; None when there are none."""
    pieces = sum((item.quantity for item in items if _counts(item)), _ZERO)
    return ceil(pieces) or None
