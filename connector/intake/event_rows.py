"""Rows of the event table as processing makes them."""

from typing import Any

from connector.core.mapping import Filtered
from connector.core.states import EventState

__all__ = ["EMPTY_ROW", "filtered_row"]

# Every column of the table that a row may leave out: one shape for all rows of one insert.
EMPTY_ROW: dict[str, Any] = {
    "reason": "",
    "value": None,
    "currency": None,
    "order_id": None,
    "pixel_code": "",
    "payload": None,
    "match_keys": "",
    "warnings": "",
    "consent": "",
    "country": None,
    "visitor_subject": None,
    "order_subject": None,
    "browser_copy": False,
    "attempts": 0,
    "next_attempt_at": None,
    "delivered_at": None,
}


def filtered_row(mapped: Filtered) -> dict[str, Any]:
    """A filtered event: shown, never sent."""
    return {
        "event_id": mapped.event_id,
        "name": mapped.name,
        "state": EventState.FILTERED,
        "reason": mapped.reason,
        "value": mapped.value,
        "currency": mapped.currency,
        "order_id": None if mapped.order_id is None else str(mapped.order_id),
    }
