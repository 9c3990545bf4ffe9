"""Checks that turn a JSON value from outside into a type of ours. None of them raises.

A value of the wrong type, or outside its bounds, becomes None: the event then goes without it.
"""

import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connector.core.store_events import ConsentStatus

__all__ = [
    "code",
    "consent_status",
    "country",
    "currency",
    "decimal",
    "event_id",
    "flag",
    "identifier",
    "objects",
    "part",
    "query_parameter",
    "text",
    "utc",
    "web_address",
    "whole",
    "word",
]

_AMOUNT = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,20})?")
_EVENT_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_CURRENCY = re.compile(r"[A-Za-z]{2,10}")
_ADDRESS = re.compile(r"https?://[^\s\x00-\x1f\x7f]+", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]{1,19}")
_LARGEST_ID = 2**63 - 1  # what a database's integer column holds
_LARGEST_EXPONENT, _SMALLEST_EXPONENT = 17, -20
_FLAGS = {"1": True, "0": False, "true": True, "false": False, "yes": True, "no": False}
_STATUSES: dict[Any, ConsentStatus] = {status.value: status for status in ConsentStatus}


def whole(value: Any, limit: int) -> str | None:
    """A text that is not blank, without blanks around it; None beyond `limit` letters: cut, it names nothing."""
    if not isinstance(value, str):
        return None
    stripped = value.strip()
    return stripped if 0 < len(stripped) <= limit else None


def text(value: Any, limit: int = 1000) -> str | None:
    """A text that is not blank, without blanks around it, cut at `limit` letters."""
    if not isinstance(value, str):
        return None
    stripped = value.strip()
    return (stripped if len(stripped) <= limit else stripped[:limit].rstrip()) or None


def code(value: Any) -> str | None:
    """A SKU: a text of up to 256 letters, whole or not at all; a number's digits count."""
    return whole(str(value) if type(value) is int else value, 256)


def word(value: Any) -> str | None:
    """A name or code: 1 to 64 letters, digits, `_` and `-`."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def event_id(value: Any) -> str | None:
    """An event or visitor id: 1 to 128 of `A-Za-z0-9._-`."""
    return value if isinstance(value, str) and _EVENT_ID.fullmatch(value) else None


def identifier(value: Any) -> int | None:
    """A store's number for something: above zero, 63 bits; digits in a text count. 0 means none."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if type(value) is not int:
        return None
    return value if 0 < value <= _LARGEST_ID else None


def decimal(value: Any) -> Decimal | None:
    """Money or a quantity: decimal text with a point, or a number by its shortest form. Never a comma."""
    if isinstance(value, str):
        stripped = value.strip()
        return Decimal(stripped) if _AMOUNT.fullmatch(stripped) else None
    if type(value) is int:
        return Decimal(value) if abs(value) < 10**18 else None
    if type(value) is float and math.isfinite(value):
        return _decimal_of_float(value)
    return None


def _decimal_of_float(value: float) -> Decimal | None:
    number = Decimal(repr(value))
    return number if not number or _SMALLEST_EXPONENT <= number.adjusted() <= _LARGEST_EXPONENT else None


def utc(value: Any) -> datetime | None:
    """An ISO 8601 time; without a zone it is UTC, as WooCommerce's `*_gmt` fields are."""
    if not isinstance(value, str) or not 16 <= len(value) <= 40:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def country(value: Any) -> str | None:
    """ISO 3166 alpha-2, upper case."""
    return value.upper() if isinstance(value, str) and _COUNTRY.fullmatch(value) else None


def currency(value: Any) -> str | None:
    """A currency's code in upper case; whether TikTok lists it is for the mapping to say."""
    return value.upper() if isinstance(value, str) and _CURRENCY.fullmatch(value) else None


def web_address(value: Any) -> str | None:
    """An http or https address of at most 2,000 letters. The store's own API is no page: None."""
    if not isinstance(value, str) or len(value) > 2000 or not _ADDRESS.fullmatch(value):
        return None
    return None if "/wp-json/" in value or "wc-ajax=" in value or "rest_route=" in value else value


def query_parameter(address: Any, name: str, limit: int) -> str | None:
    """One parameter of an address's query, the last when it comes twice; None beyond `limit` letters."""
    if not isinstance(address, str) or f"{name}=" not in address:
        return None
    try:
        return whole(parse_qs(urlsplit(address).query).get(name, [""])[-1], limit)
    except ValueError:
        return None


def flag(value: Any) -> bool | None:
    """Yes or no, as PHP writes it: a boolean, 1 or 0, or these as a text."""
    if isinstance(value, bool):
        return value
    return _FLAGS.get(str(value).lower()) if isinstance(value, int | str) else None


def consent_status(value: Any) -> ConsentStatus:
    """Granted when exactly that was said, denied however it was written, otherwise unknown."""
    if not isinstance(value, str):
        return ConsentStatus.UNKNOWN
    found = _STATUSES.get(value)
    if found is None:
        return ConsentStatus.DENIED if value.strip().lower() == ConsentStatus.DENIED else ConsentStatus.UNKNOWN
    return found


def part(value: Any) -> dict[str, Any]:
    """An object within the body; PHP writes an empty one as `[]`, so anything else is an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """A list's objects; whatever else the list holds is left out.

    PHP writes a list out of which an extension took an entry as an object with the places as its keys.
    """
    if type(value) is dict:
        value = list(value.values())
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
