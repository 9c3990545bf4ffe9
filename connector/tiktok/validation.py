"""Our own table of what TikTok would refuse, so that nothing refused is ever queued."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from connector.core.conversion_events import Content, ConversionEvent
from connector.core.currencies import LISTED_CURRENCIES
from connector.core.event_names import is_valid_name
from connector.core.identity import public_ip

__all__ = ["validate"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_URL = re.compile(r"https?://[^\s/?#\\]+[^\s]*", re.IGNORECASE)
_TOO_MUCH = Decimal(10) ** 15  # beyond it a JSON double loses cents; no shop sells that
_TOO_OLD = datetime(2015, 1, 1, tzinfo=UTC)
_CLOCK_SKEW = timedelta(minutes=10)


def validate(event: ConversionEvent, now: datetime | None = None) -> tuple[str, ...]:
    """Reasons why TikTok would refuse this event, empty when it would not. Never raises.

    Each is a key of `explanations.EXPLANATIONS`. With `now`, a time in the future is found too.
    """
    problems = [reason for reason, holds in _RULES.items() if not holds(event)]
    if now is not None and "invalid_event_time" not in problems and event.event_time > now + _CLOCK_SKEW:
        problems.append("invalid_event_time")
    return tuple(problems)


def _text(value: object) -> bool:
    return isinstance(value, str) and not (value == "" or value.isspace())


def _text_or_absent(value: object) -> bool:
    return value is None or _text(value)


def _hash_or_absent(value: object) -> bool:
    return value is None or (isinstance(value, str) and _SHA256.fullmatch(value) is not None)


def _amount(value: Decimal) -> bool:
    return value.is_finite() and 0 <= value < _TOO_MUCH


def _money(event: ConversionEvent) -> bool:
    return event.value is None or _amount(event.value)


def _currency(event: ConversionEvent) -> bool:
    if event.currency is None:
        return event.value is None
    return event.value is not None and event.currency in LISTED_CURRENCIES


def _content(content: Content) -> bool:
    return (
        _text(content.content_id)
        and (content.price is None or _amount(content.price))
        and (_amount(content.quantity) and content.quantity > 0)
        and _text_or_absent(content.content_name)
    )


def _time(event: ConversionEvent) -> bool:
    return event.event_time.tzinfo is not None and event.event_time >= _TOO_OLD


def _count(value: object) -> bool:
    return value is None or (type(value) is int and value >= 0)


_RULES: Mapping[str, Callable[[ConversionEvent], bool]] = {
    "invalid_event_name": lambda event: is_valid_name(event.name),
    "invalid_event_id": lambda event: _text(event.event_id),
    "invalid_pixel_code": lambda event: _text(event.pixel_code),
    "invalid_event_time": _time,
    "invalid_page_url": lambda event: _URL.fullmatch(event.page_url) is not None,
    "invalid_referrer": lambda event: _text_or_absent(event.referrer),
    "invalid_email": lambda event: _hash_or_absent(event.user.email),
    "invalid_phone": lambda event: _hash_or_absent(event.user.phone),
    "invalid_external_id": lambda event: _hash_or_absent(event.user.external_id),
    "invalid_click_id": lambda event: _text_or_absent(event.user.ttclid) and _text_or_absent(event.user.ttp),
    "invalid_ip": lambda event: public_ip(event.user.ip) == event.user.ip,
    "invalid_user_agent": lambda event: _text_or_absent(event.user.user_agent),
    "invalid_value": _money,
    "invalid_currency": _currency,
    "invalid_contents": lambda event: all(_content(content) for content in event.contents),
    "invalid_content_type": lambda event: event.content_type in (None, "product", "product_group"),
    "invalid_num_items": lambda event: _count(event.num_items),
    "invalid_order_id": lambda event: _text_or_absent(event.order_id),
    "invalid_search_string": lambda event: _text_or_absent(event.search_string),
}
