"""Events API 2.0 payloads: one event as JSON bytes, and a batch of such bytes as one request.

The bytes of an event are made once, when it is queued, and joined as they are for every attempt, so that
a retry sends exactly what was validated. Field names and types: TikTok's reference page "Report App, Web,
Offline, or CRM Events".
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson

from connector.core.conversion_events import Content, ConversionEvent, UserData
from connector.core.http_values import OutgoingRequest
from connector.tiktok.validation import validate

__all__ = [
    "MAX_BATCH_EVENTS",
    "PARTNER_NAME",
    "TRACK_PATH",
    "batch_request",
    "event_bytes",
    "event_json",
    "limited",
    "validate",
    "without_user",
]

TRACK_PATH = "/open_api/v1.3/event/track/"
MAX_BATCH_EVENTS = 1000  # one more, and TikTok refuses the whole request
PARTNER_NAME = "pixel-connector"

# Fields of UserData that are keys of `user` under the same name: all of them.
_USER_KEYS = ("email", "phone", "external_id", "ttclid", "ttp", "ip", "user_agent")


def event_json(event: ConversionEvent) -> dict[str, Any]:
    """One item of `data`: absent keys are left out, `event_time` is Unix seconds, money a JSON number.

    Expects what `validation.validate` passes; raises ValueError for a time without a zone.
    """
    if event.event_time.tzinfo is None:
        raise ValueError("event_time needs a time zone")
    item: dict[str, Any] = {
        "event": event.name,
        "event_time": int(event.event_time.timestamp()),
        "event_id": event.event_id,
    }
    if user := _user(event.user):
        item["user"] = user
    item["page"] = (
        {"url": event.page_url} if event.referrer is None else {"url": event.page_url, "referrer": event.referrer}
    )
    if properties := _properties(event):
        item["properties"] = properties
    if event.limited_data_use:
        item["limited_data_use"] = True
    return item


def event_bytes(event: ConversionEvent) -> bytes:
    """`event_json` as UTF-8 JSON. Lone surrogates become U+FFFD: they have no UTF-8 form."""
    return _dumps(event_json(event))


def batch_request(
    events: Sequence[bytes],
    *,
    pixel_code: str,
    access_token: str,
    api_url: str,
    test_event_code: str | None = None,
) -> OutgoingRequest:
    """One call of 1 to 1,000 events of one pixel, each as `event_bytes` made it.

    The token goes raw into its header, without "Bearer": TikTok answers 40105 to that prefix.
    Raises ValueError for an empty or too large batch.
    """
    if not 1 <= len(events) <= MAX_BATCH_EVENTS:
        raise ValueError(f"a batch has 1 to {MAX_BATCH_EVENTS} events, not {len(events)}")
    head = {"event_source": "web", "event_source_id": pixel_code, "partner_name": PARTNER_NAME}
    if test_event_code:
        head["test_event_code"] = test_event_code
    body = b"".join((orjson.dumps(head)[:-1], b',"data":[', b",".join(events), b"]}"))
    return OutgoingRequest(
        method="POST",
        url=api_url.rstrip("/") + TRACK_PATH,
        headers={"Access-Token": access_token, "Content-Type": "application/json"},
        body=body,
    )


def without_user(payload: bytes) -> bytes:
    """The same event without anything that points to a person, for the row of a withheld event.

    Besides `user` that is the query of both addresses (a click id), and what was searched for.
    """
    item = orjson.loads(payload)
    item.pop("user", None)
    item["page"] = {key: _without_query(url) for key, url in item.get("page", {}).items()}
    if (properties := item.get("properties")) is not None:
        properties.pop("search_string", None)
        if not properties:
            del item["properties"]
    return orjson.dumps(item)


def limited(payload: bytes) -> bytes:
    """The same event with `limited_data_use` set, when consent narrowed after it was queued."""
    item = orjson.loads(payload)
    item["limited_data_use"] = True
    return orjson.dumps(item)


def _user(user: UserData) -> dict[str, str]:
    return {key: value for key in _USER_KEYS if (value := getattr(user, key)) is not None}


# Keys of `properties` in their order, each with how to get it; None leaves the key out.
_PROPERTIES: Mapping[str, Callable[[ConversionEvent], Any]] = {
    "contents": lambda event: [_content(content) for content in event.contents] or None,
    "content_ids": lambda event: [content.content_id for content in event.contents] or None,
    "content_type": lambda event: event.content_type,
    "value": lambda event: None if event.value is None else float(event.value),
    "currency": lambda event: event.currency,
    "num_items": lambda event: event.num_items,
    "order_id": lambda event: event.order_id,
    "search_string": lambda event: event.search_string,
}


def _properties(event: ConversionEvent) -> dict[str, Any]:
    return {key: value for key, get in _PROPERTIES.items() if (value := get(event)) is not None}


def _content(content: Content) -> dict[str, Any]:
    item: dict[str, Any] = {"content_id": content.content_id}
    if content.content_name is not None:
        item["content_name"] = content.content_name
    if content.price is not None:
        item["price"] = float(content.price)
    item["quantity"] = _count(content.quantity)
    return item


def _count(quantity: Decimal) -> int | float:
    """Whole pieces as a JSON integer, 0.5 kg as it is."""
    whole = int(quantity)
    return whole if whole == quantity else float(quantity)


def _without_query(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("?")[0].partition("#")[0]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


def _dumps(item: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(item)
    except TypeError:
        return orjson.dumps(_valid_text(item))


def _valid_text(node: Any) -> Any:
    """The same JSON tree with every text made encodable."""
    if isinstance(node, str):
        return node.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(node, dict):
        return {key: _valid_text(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_valid_text(value) for value in node]
    return node
