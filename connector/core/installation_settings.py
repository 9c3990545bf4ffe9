"""What an owner can set, per installation. Values in, validated values out; storage is elsewhere."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

__all__ = ["ConsentPolicy", "ContentIdSource", "InstallationSettings", "PurchaseName", "ValueBasis"]

# TikTok's names for own events: up to 50 letters, digits, _ and -, a letter first, no sign last
# (research/tiktok.md section 1.8).
_EVENT_NAME = r"^[A-Za-z](?:[A-Za-z0-9_-]{0,48}[A-Za-z0-9])?$"
# Names that TikTok keeps for itself and maps to others ("About reserved events").
_RESERVED = frozenset(
    "AddBilling Browse Checkout ClickForm ClickInDownloadPage ClickToDownload Consult ConsultByPhone "
    "Registration StartCheckout ViewConsultationPage ViewDownloadPage ViewForm".split()
)

# A host as webhooks name their store: lower case, without `www.` and port; perhaps with a folder.
Host = Annotated[str, Field(pattern=r"^[^\s,/A-Z|?#]+(/[^\s,A-Z|?#<>]*)?$", max_length=200)]


class ConsentPolicy(StrEnum):
    """What unknown consent means."""

    REQUIRED = "required"
    OPT_OUT = "opt_out"
    BY_REGION = "by_region"


class ValueBasis(StrEnum):
    """Which part of an order's total is its value."""

    TOTAL = "total"
    WITHOUT_TAX = "without_tax"
    WITHOUT_TAX_AND_SHIPPING = "without_tax_and_shipping"


class ContentIdSource(StrEnum):
    """What identifies a product in the owner's TikTok catalogue."""

    SKU = "sku"
    ID = "id"


class PurchaseName(StrEnum):
    """TikTok renamed the event in May 2025; both names are taken and count as one."""

    COMPLETE_PAYMENT = "CompletePayment"
    PURCHASE = "Purchase"


class InstallationSettings(BaseModel):
    """All settings of one installation, with their defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    consent_policy: ConsentPolicy = ConsentPolicy.BY_REGION
    paid_statuses: tuple[Annotated[str, Field(min_length=1, max_length=40)], ...] = (
        "processing",
        "completed",
    )
    value_basis: ValueBasis = ValueBasis.TOTAL
    content_id: ContentIdSource = ContentIdSource.SKU
    purchase_event: PurchaseName = PurchaseName.COMPLETE_PAYMENT
    disabled_events: tuple[str, ...] = ()  # event names that are off; all others are on
    custom_events: dict[str, Annotated[str, Field(pattern=_EVENT_NAME)]] = Field(default_factory=dict)
    send_renewals: bool = False
    send_product_names: bool = True
    test_event_code: str | None = None
    test_event_code_expires_at: AwareDatetime | None = None
    filter_other_addresses: bool = False  # the store's copies elsewhere (staging) send nothing
    copy_addresses: tuple[Host, ...] = ()  # hosts that the owner called a copy of the store
    own_addresses: tuple[Host, ...] = ()  # hosts that the owner called the same shop; they outweigh the two above
    views_direct: bool = False  # busy stores: views straight from the browser to /collect

    @field_validator("paid_statuses")
    @classmethod
    def _statuses_as_webhooks_tell_them(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("needs at least one order status")
        return tuple(status.strip().lower().removeprefix("wc-") for status in value)

    @field_validator("custom_events")
    @classmethod
    def _not_reserved(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value.values():
            if name in _RESERVED:
                raise ValueError(f"{name} is a name that TikTok reserves")
        return value

    def leaves_out(self, host: str) -> bool:
        """Whether events from this other address of the store are not for TikTok."""
        if host in self.own_addresses:
            return False
        return self.filter_other_addresses or host in self.copy_addresses

    def live_test_event_code(self, now: datetime) -> str | None:
        """The test event code while it has not expired; afterwards events are real again."""
        expires = self.test_event_code_expires_at
        return self.test_event_code if expires is None or now < expires else None
