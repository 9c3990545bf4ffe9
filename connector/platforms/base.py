"""What a store platform must be able to say. Everything here is values: no socket, no clock, no database.

The core asks a platform for its `capabilities` and never assumes one. A platform whose webhooks carry
only an id (BigCommerce) declares `webhooks_carry_body=False` and builds the request that fetches the rest;
one without a script-tag API (Shopify today) declares `script_tags=False`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from connector.core.http_values import OutgoingRequest, Reply
from connector.core.store_events import StoreEvent

__all__ = [
    "Capabilities",
    "IncomingWebhook",
    "OutgoingRequest",
    "Platform",
    "ReadContext",
    "Reply",
    "Verdict",
    "VerifiedWebhook",
]


@dataclass(frozen=True, slots=True)
class IncomingWebhook:
    """One inbound call: raw body bytes and headers with lower-case names. Nothing is believed yet."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class VerifiedWebhook:
    """An inbound call whose signature fits one of the installation's secrets."""

    topic: str
    body: bytes
    received_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying found. `kind` is "authentic", "ping" (answer 200, keep nothing) or "refused"."""

    kind: str
    topic: str = ""
    reason: str = ""  # short word for counters, when refused
    text: str = ""  # one line for the sender, when refused


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What a reader may know besides the bytes."""

    store_url: str
    custom_events: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this platform offers; what it lacks is declared, and the core goes without."""

    webhooks_carry_body: bool
    retries_failed_webhooks: bool
    disables_failing_webhooks: bool
    script_tags: bool
    tokens_expire: bool
    companion_plugin: bool


class Platform(Protocol):
    """One store platform."""

    name: str
    capabilities: Capabilities

    def verify(self, webhook: IncomingWebhook, secrets: Sequence[str]) -> Verdict:
        """Whether the raw bytes were signed with one of these secrets. Constant time, never raises."""
        ...

    def deduplicates(self, body: bytes) -> bool:
        """Whether an equal body with an equal topic is the same webhook come twice (False: count only)."""
        ...

    def read(self, webhook: VerifiedWebhook, context: ReadContext) -> StoreEvent:
        """The body in our words. Raises UnreadablePayload when it is authentic but not understood."""
        ...
