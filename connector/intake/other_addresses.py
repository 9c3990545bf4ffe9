"""Copies of a store at another address, such as a staging site that was cloned with its webhooks.

Where the platform's webhooks name the store's home address, it follows the scheme, the `www` and the language of
whoever sent them (WooCommerce 9.9.5, recorded), so only the rest of the host is compared, and below the same host the
folder: copies are often made into one. A host that is not told is the store's own.
"""

import hashlib
import re
from dataclasses import replace
from functools import lru_cache
from urllib.parse import urlsplit

import orjson

from connector.core.host_names import ascii_host
from connector.core.mapped import Conversion, Filtered, Mapped, Skip
from connector.platforms.base import Platform

__all__ = ["REASON", "is_other_address", "left_out", "source_host"]

REASON = "other_address"
_LONGEST = 200
_LANGUAGE = re.compile(r"[a-z]{2}([-_][a-z]{2,4})?")  # /de/, /pt-br/, /zh-hans/: the shop itself in another tongue


def source_host(platform: Platform, headers: str, store_url: str) -> str:
    """The host that a webhook's kept headers (JSON) name as its store, empty when none; with its folder when that is
    another one of the store's own host. Never raises.
    """
    try:
        kept = orjson.loads(headers)
    except ValueError:
        return ""
    named = platform.stated_store(kept) if isinstance(kept, dict) else None
    return _place(named, store_url) if isinstance(named, str) else ""


def is_other_address(source: str, store_url: str) -> bool:
    """Whether what `source_host` found is not the installed store's."""
    return bool(source) and source != _address(store_url)[0]


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
def _place(named: str, store_url: str) -> str:
    (host, folder), (own_host, own_folder) = _address(named), _address(store_url)
    if host != own_host or folder == own_folder:
        return host
    above, _, last = folder.rpartition("/")
    return host if above == own_folder and _LANGUAGE.fullmatch(last) else f"{host}/{folder}"[:_LONGEST]


@lru_cache(maxsize=4096)
def _address(url: str) -> tuple[str, str]:
    """Host without `www.` and folder without slashes around it, in lower case; empty ones of what is no address."""
    try:
        parts = urlsplit(url)
        host = ascii_host(parts.hostname or "")
    except ValueError:
        return "", ""
    return host.rstrip(".").removeprefix("www.")[:_LONGEST], parts.path.strip("/").lower()
