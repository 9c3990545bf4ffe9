"""What TikTok should hear, in TikTok's terms but before its JSON. Identity is hashed here already."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NewType

__all__ = ["Content", "ConversionEvent", "HashedEmail", "HashedExternalId", "HashedPhone", "UserData"]

# Lower-case hex SHA-256 of the normalised value. Only `identity` makes them, so nothing is hashed twice.
HashedEmail = NewType("HashedEmail", str)
HashedPhone = NewType("HashedPhone", str)
HashedExternalId = NewType("HashedExternalId", str)


@dataclass(frozen=True, slots=True)
class UserData:
    """The match keys that are present; absent is None, never an empty text or "0"."""

    email: HashedEmail | None = None
    phone: HashedPhone | None = None
    external_id: HashedExternalId | None = None
    ttclid: str | None = None
    ttp: str | None = None
    ip: str | None = None
    user_agent: str | None = None

    def match_keys(self) -> tuple[str, ...]:
        """Names of the keys that are present, for the history."""
        return tuple(name for name in self.__slots__ if getattr(self, name) is not None)


@dataclass(frozen=True, slots=True)
class Content:
    """One product of the event. `price` is per piece."""

    content_id: str
    content_name: str | None = None
    price: Decimal | None = None
    quantity: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class ConversionEvent:
    """One event on its way to one pixel. `value` and `currency` are both there or both None."""

    name: str
    event_id: str
    event_time: datetime
    pixel_code: str
    page_url: str
    referrer: str | None = None
    user: UserData = field(default_factory=UserData)
    value: Decimal | None = None
    currency: str | None = None
    contents: tuple[Content, ...] = ()
    content_type: str | None = None
    num_items: int | None = None
    order_id: str | None = None
    search_string: str | None = None
    limited_data_use: bool = False
