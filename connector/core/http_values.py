"""HTTP as values, so that the pure layers can say what to call and read what came without any client."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

__all__ = ["OutgoingRequest", "Reply", "http_time"]


@dataclass(frozen=True, slots=True, repr=False)
class OutgoingRequest:
    """An HTTP call as a value; only `outbound` makes it happen."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __repr__(self) -> str:
        # Headers, query and body carry tokens and app secrets; a traceback or a log line must not.
        return f"OutgoingRequest({self.method} {self.url.partition('?')[0]}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """An HTTP answer as a value, header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        # An OAuth answer's body is a token.
        return f"Reply({self.status}, {len(self.body)} bytes)"


def http_time(text: str | None) -> datetime | None:
    """A date as headers write it (RFC 9110, 5.6.7), with its zone; None when it is not understood."""
    try:
        told = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return told if told.tzinfo else None
