"""The pure first half of processing: stored bytes to a mapped event, outside any transaction."""

from dataclasses import dataclass, replace
from datetime import datetime

from connector.core.consent import ConsentDecision, ConsentOutcome, decide, latest
from connector.core.mapping import Conversion, Filtered, Mapped, MappingContext, map_event
from connector.core.store_events import (
    ConsentChanged,
    ConsentStatement,
    ConsentStatus,
    Named,
    NothingToDo,
    Order,
    OrderDeleted,
    StoreError,
    StoreEvent,
)
from connector.core.told_times import believable
from connector.errors import UnreadablePayload
from connector.intake.other_addresses import is_other_address, left_out
from connector.platforms import PLATFORMS
from connector.platforms.base import ReadContext, VerifiedWebhook
from connector.storage.encryption import subject_digest
from connector.storage.installations import InstallationRecord
from connector.storage.known import order_digest

__all__ = ["ReadWebhook", "StoredWebhook", "consent_of", "read_stored"]


@dataclass(frozen=True, slots=True)
class StoredWebhook:
    """One webhook as it lies in the database, body in clear bytes."""

    id: int
    installation: InstallationRecord
    topic: str
    received_at: datetime
    body: bytes
    lane: str
    tries: int
    source_host: str = ""  # as the store named itself when it sent this


@dataclass(frozen=True, slots=True)
class ReadWebhook:
    """A webhook, understood or not, with the keys under which the database knows its subjects."""

    stored: StoredWebhook
    event: StoreEvent | None
    mapped: Mapped | None
    unreadable: str = ""
    order_digest: bytes | None = None  # of the ledger
    order_subject: bytes | None = None  # of consent records
    visitor_subject: bytes | None = None
    elsewhere: bool = False  # another address of the store sent it

    @property
    def left_out(self) -> bool:
        """Whether the owner wants nothing from that other address: then it changes nothing of the store's own."""
        return self.elsewhere and self.stored.installation.settings.leaves_out(self.stored.source_host)

    @property
    def is_undecided(self) -> bool:
        """Whether the owner has yet to say what that other address is."""
        known = self.stored.installation.settings.own_addresses
        return self.elsewhere and not self.left_out and self.stored.source_host not in known


def read_stored(stored: StoredWebhook, hash_key: bytes) -> ReadWebhook:
    """Read and map one webhook. An authentic body that is not understood comes back with its reason."""
    installation = stored.installation
    webhook = VerifiedWebhook(stored.topic, stored.body, stored.received_at)
    context = ReadContext(installation.store_url, installation.settings.custom_events)
    try:
        event = PLATFORMS[installation.platform].read(webhook, context)
    except UnreadablePayload as error:
        return ReadWebhook(stored, None, None, error.reason)
    event = _heard(event, stored.received_at)
    mapped = map_event(event, mapping_context(installation, stored.received_at))
    elsewhere = is_other_address(stored.source_host, installation.store_url)
    if elsewhere and installation.settings.leaves_out(stored.source_host):
        return ReadWebhook(stored, event, left_out(mapped, stored.source_host), elsewhere=True)
    digest = order_digest(installation.id, event) if isinstance(event, Order) else None
    visitor = _visitor_id(event, mapped)
    return ReadWebhook(
        stored,
        event,
        mapped,
        order_digest=digest,
        order_subject=digest and order_subject(hash_key, digest),
        visitor_subject=(visitor and subject_digest(hash_key, "visitor", installation.id, visitor)) or None,
        elsewhere=elsewhere,
    )


def _heard(event: StoreEvent, at: datetime) -> StoreEvent:
    """A yes from the far future has no time: dated so, it would outrank every later word. A no keeps its own."""
    if isinstance(event, OrderDeleted | StoreError | Named | NothingToDo):
        return event
    said = event.consent
    if said.status is ConsentStatus.DENIED or believable(said.stated_at, at) is said.stated_at:
        return event
    return replace(event, consent=replace(said, stated_at=None))


def mapping_context(installation: InstallationRecord, received_at: datetime) -> MappingContext:
    """What mapping may know of an installation."""
    return MappingContext(
        installation.public_id, installation.store_url, installation.pixel_code, installation.settings, received_at
    )


def consent_of(
    statement: ConsentStatement,
    records: list[ConsentStatement],
    installation: InstallationRecord,
    country: str | None,
) -> ConsentDecision:
    """The decision over what this body said and all that is on record."""
    return decide(latest([statement, *records]), installation.settings.consent_policy, country)


def withholds(decision: ConsentDecision) -> bool:
    """Whether the event may not leave."""
    return decision.outcome is ConsentOutcome.WITHHOLD


def _visitor_id(event: StoreEvent, mapped: Mapped) -> str | None:
    if isinstance(event, ConsentChanged):
        return event.visitor_id
    if isinstance(event, Order):
        return event.visit.visitor_id
    return mapped.visitor_id if isinstance(mapped, Conversion) else None


def event_id_of(mapped: Mapped | None) -> str | None:
    """The event id that a mapped event would have."""
    if isinstance(mapped, Conversion):
        return mapped.event.event_id
    return mapped.event_id if isinstance(mapped, Filtered) else None


def told_order(event: StoreEvent | None) -> str | None:
    """The order that an event names by its number alone: one that went to the trash, or whose buyer decided."""
    if isinstance(event, OrderDeleted | ConsentChanged) and event.order_id is not None:
        return str(event.order_id)
    return None


def order_subject(hash_key: bytes, digest: bytes) -> bytes:
    """Under which consent records of an order stand."""
    return subject_digest(hash_key, "order", digest.hex())
