"""Event ids: the same in the browser's copy and in the server's, so that TikTok merges the two.

The plugin computes the same texts (COMPANION_TOPICS.md, "Ids that plugin and connector compute alike").
"""

import re

from connector.core.plain_text import sha256_hex

__all__ = ["is_valid_event_id", "purchase_id", "registration_id"]

_VALID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def purchase_id(public_id: str, order_id: int, order_key: str) -> str:
    """The purchase of one order: 64 lower-case hex digits. The key makes it impossible to guess."""
    return sha256_hex(f"{public_id}:order:{order_id}:{order_key}")


def registration_id(public_id: str, customer_id: int) -> str:
    """The registration of one customer: 64 lower-case hex digits."""
    return sha256_hex(f"{public_id}:registration:{customer_id}")


def is_valid_event_id(event_id: str | None) -> bool:
    """Whether an id that a first witness minted is one we take: 1 to 128 of A-Z a-z 0-9 . _ -"""
    return event_id is not None and _VALID.fullmatch(event_id) is not None
