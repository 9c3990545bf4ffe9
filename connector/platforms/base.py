"""What a store platform must be able to say. Everything here is values: no socket, no clock, no database.

A platform declares what it can do, and nothing is assumed. One whose webhooks carry only an id (BigCommerce)
reads them as `Named` and has a `fetch_back`, which builds the call for the rest; one without a script-tag API
(Shopify today) declares `script_tags=False`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from connector.core.http_values import OutgoingRequest, Reply
from connector.core.store_events import Named, StoreEvent

__all__ = [
    "Capabilities",
    "FetchBack",
    "IncomingWebhook",
    "OutgoingRequest",
    "Platform",
    "ReadContext",
    "Reply",
    "StoreAccess",
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


@dataclass(frozen=True, slots=True, repr=False)
class StoreAccess:
    """Where a store is and what opens it: live secrets by their kind, newest first."""

    store_url: str
    secrets: Mapping[str, Sequence[str]]


# Builds the call for what a webhook only names. None: the secrets for it are not there.
FetchBack = Callable[[Named, StoreAccess], OutgoingRequest | None]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this platform offers; what it lacks is declared, and goes without."""

    retries_failed_webhooks: bool
    disables_failing_webhooks: bool
    script_tags: bool
    tokens_expire: bool
    companion_plugin: bool


class Platform(Protocol):
    """One store platform."""

    name: str
    capabilities: Capabilities
    kept_headers: frozenset[str]  # what the history keeps of a webhook's headers; lower case, no secret among them
    credential_kinds: tuple[str, ...]  # what `fetch_back` needs
    fetch_back: FetchBack | None  # None: webhooks carry whole bodies

    def verify(self, webhook: IncomingWebhook, secrets: Sequence[str], now: datetime) -> Verdict:
        """Whether the raw bytes were signed with one of these secrets. Constant time, never raises.

        `now` is for platforms that sign a time, and let a call grow too old.
        """
        ...

    def stated_topic(self, headers: Mapping[str, str]) -> str:
        """The topic that a call's headers state, empty when none; proves nothing."""
        ...

    def stated_store(self, headers: Mapping[str, str]) -> str:
        """The address that the store calls its own in a webhook's headers, empty when it does not tell."""
        ...

    def deduplicates(self, body: bytes) -> bool:
        """Whether an equal body with an equal topic is the same webhook come twice (False: count only)."""
        ...

    def read(self, webhook: VerifiedWebhook, context: ReadContext) -> StoreEvent:
        """The body in our words. Raises UnreadablePayload when it is authentic but not understood."""
        ...
