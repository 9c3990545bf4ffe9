"""What the real TikTok would refuse in one event, with the path that it would name.

Written apart from `connector.tiktok.validation` on purpose, on the finished JSON, so that a mistake there
is found here; only the list of currencies is shared.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from connector.core.currencies import LISTED_CURRENCIES

__all__ = ["BadField", "Limits", "check_event", "unknown_keys"]

_Check = Callable[[Any, str], None]
_HASH = re.compile(r"[0-9a-f]{64}")


class BadField(Exception):
    """A field that TikTok refuses; `path` is dotted, from the event down."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.path = path


class Limits:
    """How far an event's time may lie from now, in seconds."""

    def __init__(self, future: float = 600, age: float = 28 * 86_400) -> None:
        self.future = future
        self.age = age


def check_event(event: Any, place: str, now: float, limits: Limits) -> None:
    """Raise BadField for the first fault of one item of `data`. `now` is Unix seconds."""
    _object(event, place)
    for key, check in _EVENT.items():
        if key in event:
            check(event[key], f"{place}.{key}")
        elif key in _REQUIRED:
            raise BadField(f"{place}.{key}", "Missing data for required field.")
    _time(event["event_time"], f"{place}.event_time", now, limits)
    properties = event.get("properties", {})
    if "value" in properties and "currency" not in properties:
        raise BadField(f"{place}.properties.currency", "Required together with value.")


def unknown_keys(event: Mapping[str, Any]) -> list[str]:
    """Keys that TikTok drops without a word, `user.phone_number` first among them."""
    found = [key for key in event if key not in _EVENT]
    for part, known in (("user", _USER), ("page", _PAGE), ("properties", _PROPERTIES)):
        found += [f"{part}.{key}" for key in event.get(part, ()) if key not in known]
    return found


def _object(value: Any, path: str) -> None:
    if not isinstance(value, dict):
        raise BadField(path, "Not a valid object.")


def _string(value: Any, path: str) -> None:
    if not isinstance(value, str):
        raise BadField(path, "Not a valid string.")
    if not value.strip():
        raise BadField(path, "May not be empty.")


def _name(value: Any, path: str) -> None:
    _string(value, path)
    if len(value) > 50:
        raise BadField(path, "Longer than 50 characters.")


def _whole(value: Any, path: str) -> None:
    if type(value) is not int or value < 0:
        raise BadField(path, "Not a valid integer.")


def _number(value: Any, path: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadField(path, "Not a valid number.")
    if value < 0:
        raise BadField(path, "Must not be negative.")


def _positive(value: Any, path: str) -> None:
    _number(value, path)
    if value == 0:
        raise BadField(path, "Must be greater than 0.")


def _boolean(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        raise BadField(path, "Not a valid boolean.")


def _hash(value: Any, path: str) -> None:
    _string(value, path)
    if _HASH.fullmatch(value) is None:
        raise BadField(path, "Not a SHA-256 hash in lower-case hex.")


def _hashes(value: Any, path: str) -> None:
    """One hash or a list of hashes."""
    if isinstance(value, list):
        _filled_list(_hash)(value, path)
    else:
        _hash(value, path)


@lru_cache(maxsize=65536)
def _is_public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False


def _ip(value: Any, path: str) -> None:
    _string(value, path)
    if not _is_public(value):
        raise BadField(path, "Not a valid public IP address.")


def _url(value: Any, path: str) -> None:
    _string(value, path)
    try:
        parts = urlsplit(value)
    except ValueError:
        raise BadField(path, "Not a valid URL.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or any(map(str.isspace, value)):
        raise BadField(path, "Not a valid URL.")


def _one_of(*allowed: str) -> _Check:
    def check(value: Any, path: str) -> None:
        _string(value, path)
        if value not in allowed:
            raise BadField(path, f"Must be one of: {', '.join(allowed)}.")

    return check


def _currency(value: Any, path: str) -> None:
    _string(value, path)
    if value not in LISTED_CURRENCIES:
        raise BadField(path, "Not a supported currency.")


def _filled_list(check: _Check) -> _Check:
    def check_all(value: Any, path: str) -> None:
        if not isinstance(value, list) or not value:
            raise BadField(path, "Not a valid list.")
        for index, one in enumerate(value):
            check(one, f"{path}.{index}")

    return check_all


def _fields(table: Mapping[str, _Check], *required: str) -> _Check:
    def check(value: Any, path: str) -> None:
        _object(value, path)
        for key in required:
            if key not in value:
                raise BadField(f"{path}.{key}", "Missing data for required field.")
        for key, one in value.items():
            if key in table:
                table[key](one, f"{path}.{key}")

    return check


def _time(value: int, path: str, now: float, limits: Limits) -> None:
    if value > 10**11:
        raise BadField(path, "Must be in seconds, not in milliseconds.")
    if value > now + limits.future:
        raise BadField(path, "Must not be in the future.")
    if value < now - limits.age:
        raise BadField(path, "Too old.")


_USER: Mapping[str, _Check] = {
    **dict.fromkeys(("email", "phone", "external_id", "first_name", "last_name", "zip_code"), _hashes),
    **dict.fromkeys(("ttclid", "ttp", "user_agent", "locale", "city", "state", "country"), _string),
    "ip": _ip,
}
_PAGE: Mapping[str, _Check] = {"url": _url, "referrer": _string}
_CONTENT: Mapping[str, _Check] = {
    **dict.fromkeys(("content_id", "content_name", "content_category", "brand"), _string),
    "price": _number,
    "quantity": _positive,
}
_PROPERTIES: Mapping[str, _Check] = {
    "contents": _filled_list(_fields(_CONTENT, "content_id")),
    "content_ids": _filled_list(_string),
    "content_type": _one_of("product", "product_group"),
    "value": _number,
    "currency": _currency,
    "num_items": _whole,
    "customer_type": _one_of("new", "returning"),
    "delivery_category": _one_of("in_store", "curbside", "home_delivery"),
    **dict.fromkeys(("order_id", "shop_id", "search_string", "description", "status"), _string),
}
_EVENT: Mapping[str, _Check] = {
    "event": _name,
    "event_time": _whole,
    "event_id": _string,
    "user": _fields(_USER),
    "page": _fields(_PAGE, "url"),
    "properties": _fields(_PROPERTIES),
    "limited_data_use": _boolean,
}
_REQUIRED = frozenset(("event", "event_time", "event_id", "page"))
