"""Bytes of a webhook body to a dictionary of clean values, whatever the sender put into them."""

import json
from typing import Any

import orjson

from connector.errors import UnreadablePayload

__all__ = ["JsonObject", "read_object"]

JsonObject = dict[str, Any]

_BOM = b"\xef\xbb\xbf"
# More digits than any id or amount has; int() itself refuses more than 4,300.
_LONGEST_INTEGER = 30


def read_object(body: bytes) -> JsonObject:
    """The JSON object in `body`. Of equal keys the last wins; NUL and lone surrogates are dropped from texts.

    Raises UnreadablePayload with the reason `empty_body`, `not_json`, `not_an_object` or `too_deep`.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = _read_leniently(body)
    else:
        if b"\\u0000" in body:
            value = _cleaned(value)
    if not isinstance(value, dict):
        raise UnreadablePayload("not_an_object", "the body is JSON, but not an object")
    return value


def _read_leniently(body: bytes) -> Any:
    """What PHP writes and orjson refuses: lone surrogates, NaN, huge numbers, broken UTF-8, raw controls."""
    text = body.removeprefix(_BOM).decode("utf-8", "replace")
    if not text.strip(" \t\r\n\0"):
        raise UnreadablePayload("empty_body", "the body is empty")
    try:
        return _cleaned(json.loads(text, strict=False, parse_int=_integer))
    except RecursionError:
        raise UnreadablePayload("too_deep", "the body is nested too deeply") from None
    except ValueError:
        raise UnreadablePayload("not_json", "the body is not JSON") from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


def _cleaned(value: Any) -> Any:
    """The same value without NUL characters and lone surrogates in any text. RecursionError is caught here
    for orjson's values, whose depth it limits to 1,024 itself."""
    try:
        return _clean(value)
    except RecursionError:
        raise UnreadablePayload("too_deep", "the body is nested too deeply") from None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
