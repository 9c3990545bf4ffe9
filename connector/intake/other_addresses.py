"""Copies of a store at another address, such as a staging site that was cloned with its webhooks.

Where the platform's webhooks name the store's home address, it follows the scheme and the `www` of whoever sent them
(WooCommerce 9.9.5, recorded), so only the rest of the host is compared; a host that is not told is the store's own.
"""

import hashlib
from dataclasses import replace
from functools import lru_cache
from urllib.parse import urlsplit

import orjson

from connector.core.mapped import Conversion, Filtered, Mapped, Skip
from connector.platforms.base import Platform

__all__ = ["REASON", "is_other_address", "left_out", "source_host"]

REASON = "other_address"
_LONGEST = 200


def source_host(platform: Platform, headers: str) -> str:
    """The host that a webhook's kept headers (JSON) name as its store, empty when none. Never raises."""
    try:
        kept = orjson.loads(headers)
    except ValueError:
        return ""
    named = platform.stated_store(kept) if isinstance(kept, dict) else None
    return _host(named) if isinstance(named, str) else ""


def is_other_address(source: str, store_url: str) -> bool:
    """Whether a host is not the installed store's."""
    return bool(source) and source != _host(store_url)


def left_out(mapped: Mapped, source: str) -> Mapped:
    """What becomes of an event from there: shown as filtered, under an id of its own, since the copy of an order
    has the very number, key and event id of the order in the store itself.
    """
    if isinstance(mapped, Skip):
        return Skip(REASON)
    if isinstance(mapped, Filtered):
        return replace(mapped, reason=REASON, event_id=_own_id(source, mapped.event_id))
    assert isinstance(mapped, Conversion)
    event = mapped.event
    return Filtered(
        event.name,
        _own_id(source, event.event_id),
        REASON,
        event.value,
        event.currency,
        mapped.order_id,
        mapped.order_key,
    )


def _own_id(source: str, event_id: str) -> str:
    return hashlib.sha256(f"{REASON}\x1f{source}\x1f{event_id}".encode("utf-8", "replace")).hexdigest()


@lru_cache(maxsize=4096)
def _host(url: str) -> str:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return host.rstrip(".").removeprefix("www.")[:_LONGEST]
