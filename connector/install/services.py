"""What installing and the owner's pages are given: the database, a way to call, and a few values."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from anyio import from_thread
from sqlalchemy import Connection

from connector.core.http_values import OutgoingRequest, Reply
from connector.outbound import MAX_ANSWER_BYTES, Outbound, send_now
from connector.storage.notices import raise_notice
from connector.storage.opening import Storage

__all__ = ["Calls", "Services", "TikTokApp", "calls_at_once", "calls_from_threads", "tell_owner"]

SETTLING_SECONDS = 30.0


class Calls(Protocol):
    """Makes one call and waits for it. Raises SendFailed and AddressRefused."""

    def __call__(
        self,
        request: OutgoingRequest,
        *,
        timeout_seconds: float,
        guarded: bool,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> Reply:
        """`guarded` for addresses that a stranger typed, not for those of the operator."""
        ...


@dataclass(frozen=True, slots=True)
class TikTokApp:
    """TikTok's addresses and, when there is one, the operator's app for its authorisation."""

    api_url: str
    portal_url: str
    app_id: str = ""
    app_secret: str = ""

    @property
    def is_known(self) -> bool:
        """Whether owners can connect by TikTok's own page."""
        return bool(self.app_id and self.app_secret)

    def __repr__(self) -> str:
        return f"TikTokApp({self.api_url})"


@dataclass(frozen=True)
class Services:
    """Everything. `own_url` is the address under which stores and browsers reach us, without a final slash."""

    storage: Storage
    calls: Calls
    own_url: str
    tiktok: TikTokApp
    allow_private: bool = False  # development: stores at private addresses, http callbacks
    settling_seconds: float = SETTLING_SECONDS
    store_timeout: float = 15.0

    @property
    def https(self) -> bool:
        """Whether browsers reach us by https; cookies are Secure then."""
        return self.own_url.startswith("https://")

    def now(self) -> datetime:
        """The time, in UTC."""
        return self.storage.now()


def tell_owner(
    services: Services, connection: Connection, installation_id: str, kind: str, details: str = ""
) -> None:
    """A notice for the owner's pages; it stays until it is resolved."""
    raise_notice(
        connection,
        row_id=services.storage.new_id(),
        installation_id=installation_id,
        kind=kind,
        details=details,
        now=services.now(),
    )


def calls_from_threads(outbound: Outbound) -> Calls:
    """Calls for the server: from one of its worker threads (anyio's) through the event loop's own client."""

    def call(
        request: OutgoingRequest, *, timeout_seconds: float, guarded: bool, max_answer_bytes: int = MAX_ANSWER_BYTES
    ) -> Reply:
        send = partial(outbound.send, guarded=guarded, timeout_seconds=timeout_seconds)
        return from_thread.run(partial(send, request, max_answer_bytes=max_answer_bytes))

    return call


def calls_at_once(*, allow_private: bool = False) -> Calls:
    """Calls for commands, where no event loop runs."""

    def call(
        request: OutgoingRequest, *, timeout_seconds: float, guarded: bool, max_answer_bytes: int = MAX_ANSWER_BYTES
    ) -> Reply:
        return send_now(
            request,
            timeout_seconds=timeout_seconds,
            guarded=guarded,
            allow_private=allow_private,
            max_answer_bytes=max_answer_bytes,
        )

    return call
