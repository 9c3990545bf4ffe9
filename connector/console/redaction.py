"""What staff see of headers and bodies: everything masked that is not known to be harmless.

The tables list what may be shown; a text under any other key is masked, so that a field that a store's plugin
adds tomorrow is masked from its first day. What may be shown is still searched for shapes that give people
away: an e-mail address in a product's name is masked too.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from connector.core.event_names import STOREFRONT_EVENTS

__all__ = ["MASK", "masked_address", "masked_body", "masked_headers", "masked_text", "masked_value"]

MASK = "••••"

_SHAPES = re.compile(
    r"[^\s@<>,;\"'=&?/]+@[\w-]+(?:\.[\w-]+)+"  # e-mail
    r"|wc_order_\w+"  # order keys open the order's page
    r"|c[ks]_[0-9a-f]{40}"  # store keys
    r"|(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])"  # IPv4
    r"|(?<![\w:])(?:[0-9a-f]{1,4}:){5,7}[0-9a-f]{1,4}(?![\w:])"  # IPv6 whole
    r"|(?<![\w:])(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6})?::[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6}"  # and shortened
    r"|(?<![\w.,-])\+?\d[\d ()/-]{7,}\d(?![\w.,:-])",  # phone numbers as people write them
    re.IGNORECASE,
)

# Keys whose texts may be shown, wherever they stand. Everything else is masked.
_SHOWN = frozenset(
    # an order
    "number status currency version currency_symbol payment_method payment_method_title created_via "
    "discount_total discount_tax shipping_total shipping_tax cart_tax total total_tax subtotal subtotal_tax "
    "price quantity sku tax_class rate_code rate_percent label compound tax_total shipping_tax_total "
    "method_title method_id instance_id discount nominal_amount discount_type code "
    "parent_name "
    # the companion plugin's topics, the store's own errors and actions
    "source action webhook_id topic".split()
)
# Objects that are about a person: only the country is shown.
_PERSONAL = frozenset({"billing", "shipping", "customer", "buyer", "user", "visitor"})
_ADDRESSES = frozenset({"url", "referrer", "href", "permalink"})
_PRODUCTS = frozenset({"line_items", "fee_lines", "shipping_lines", "tax_lines", "item", "items", "contents"})
_LISTED_META = re.compile(
    r"_pixel_connector_(consent|consent_at|consent_source|gpc|event_id|event_name|pixel_code)"
    r"|_wc_order_attribution_(source_type|utm_source|utm_medium|utm_campaign|device_type|session_pages)"
    r"|pa_[a-z0-9_-]+"
)
_SHOWN_IDS = re.compile(r"(?:^|_)id$")
# Keys that are shown only when the text has the form that belongs there.
_FORMS: Mapping[str, re.Pattern[str]] = {
    "value": re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?"),
    "country": re.compile(r"[A-Za-z]{2}"),
    "event_id": re.compile(r"[A-Za-z0-9_-]{16,128}"),
    "time": (_TIME := re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]{5,15}(Z|[+-]\d\d:?\d\d)?")),
    "at": _TIME,
}
_LONGEST_NUMBER = 10**8  # longer numbers without an id's key may be somebody's phone

_SHOWN_HEADERS = frozenset(
    "content-type content-length host user-agent x-wc-webhook-topic x-wc-webhook-resource x-wc-webhook-event "
    "x-wc-webhook-id x-wc-webhook-delivery-id x-wc-webhook-source".split()
)


def masked_text(text: str) -> str:
    """A text that may be shown, without the shapes that give people away."""
    return _SHAPES.sub(MASK, text)


def masked_address(address: str) -> str:
    """A web address without its query and its login; those hold click ids, keys and people."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return MASK
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    port = f":{parts.port}" if parts.port else ""
    query = f"?{MASK}" if parts.query or parts.fragment else ""
    return f"{scheme}{host}{port}{_SHAPES.sub(MASK, parts.path)}{query}"


def masked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The kept headers; the signature and whatever is not in the table are masked for everybody."""
    return {
        name: _masked_header(name.lower(), str(value)) if name.lower() in _SHOWN_HEADERS else MASK
        for name, value in headers.items()
    }


def masked_body(body: bytes) -> str:
    """The body as indented JSON with masks; of anything but JSON only the size."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return f"{MASK} ({len(body)} bytes, not JSON)"
    try:
        return orjson.dumps(masked_value(value), option=orjson.OPT_INDENT_2).decode()
    except (orjson.JSONEncodeError, RecursionError):
        return f"{MASK} ({len(body)} bytes)"


def masked_value(value: Any, key: str = "", parent: str = "") -> Any:
    """A JSON value with masks. `key` is the one it stands under, `parent` the one above that."""
    if isinstance(value, dict):
        return _masked_object(value, key)
    if isinstance(value, list):
        return [masked_value(item, key, parent) for item in value]
    if isinstance(value, str):
        return _masked_string(value, key, parent)
    if isinstance(value, bool) or value is None:
        return value
    return _masked_number(value, key, parent)


def _masked_object(value: dict[str, Any], key: str) -> dict[str, Any]:
    if key == "meta_data":
        return _masked_meta(value)
    if key in _PERSONAL:
        return {
            name: item if name in ("country", "staff") or item in ("", None) else _blank(item)
            for name, item in value.items()
        }
    # A key may itself be somebody's address in a map that a plugin made.
    return {masked_text(name): masked_value(item, name, key) for name, item in value.items()}


def _masked_meta(value: dict[str, Any]) -> dict[str, Any]:
    name = str(value.get("key", ""))
    listed = _LISTED_META.fullmatch(name) is not None
    shown: dict[str, Any] = {}
    for field, item in value.items():
        if field == "id" and isinstance(item, int):
            shown[field] = item
        elif field == "key":
            shown[field] = masked_text(name)
        elif listed and isinstance(item, str | int | float):
            shown[masked_text(field)] = masked_text(item) if isinstance(item, str) else item
        else:
            shown[masked_text(field)] = _blank(item)
    return shown


def _masked_string(value: str, key: str, parent: str) -> str:
    if value == "":
        return value
    if key in _ADDRESSES:
        return masked_address(value)
    if form := _FORMS.get("time" if key.startswith("date_") else key):
        return value if form.fullmatch(value) else MASK
    if key in _SHOWN or (key == "name" and (parent in _PRODUCTS or value in STOREFRONT_EVENTS)):
        return masked_text(value)
    return value if value in ("yes", "no", "true", "false") else MASK


def _masked_number(value: float, key: str, parent: str) -> Any:
    if key in _SHOWN or _SHOWN_IDS.search(key) or parent in _PRODUCTS:
        return value
    return value if abs(value) < _LONGEST_NUMBER else MASK


def _blank(item: Any) -> Any:
    """The shape of a value without its content."""
    if isinstance(item, dict):
        return {masked_text(name): _blank(part) for name, part in item.items()}
    if isinstance(item, list):
        return [_blank(part) for part in item]
    return item if item is None or isinstance(item, bool) else MASK


def _masked_header(name: str, value: str) -> str:
    if name in ("x-wc-webhook-source", "host"):
        return masked_address(value) if "://" in value else value
    return masked_text(value)
