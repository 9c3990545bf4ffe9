"""What mapping makes of a store's event: something to send, something filtered, or nothing."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from connector.core.conversion_events import ConversionEvent
from connector.core.installation_settings import InstallationSettings
from connector.core.store_events import ConsentStatement

__all__ = ["Conversion", "Filtered", "Mapped", "MappingContext", "Skip"]


@dataclass(frozen=True, slots=True)
class MappingContext:
    """What mapping knows of the installation. Times everywhere are timezone-aware."""

    public_id: str
    store_url: str
    pixel_code: str
    settings: InstallationSettings
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Conversion:
    """An event that may be sent if consent allows. `consent` is what the body itself said, nothing more.

    `country` (alpha-2) is where the person is, for the consent policy. `browser_copy` tells that the browser
    has probably sent the same event id to TikTok. `warnings` are short words for the owner.
    """

    event: ConversionEvent
    consent: ConsentStatement
    country: str | None
    browser_copy: bool
    is_purchase: bool = False
    order_id: int | None = None
    order_key: str | None = None
    visitor_id: str | None = None
    customer_id: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filtered:
    """A real event that is not for TikTok, and why. It holds nobody's identity."""

    name: str
    event_id: str
    reason: str
    value: Decimal | None = None
    currency: str | None = None
    order_id: int | None = None
    order_key: str | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing to send; the reason is a short word, at times with a detail after a colon."""

    reason: str


Mapped = Conversion | Filtered | Skip
