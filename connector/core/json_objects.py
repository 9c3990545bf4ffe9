"""JSON of others, of which anything may come."""

from typing import Any

import orjson

__all__ = ["json_object"]


def json_object(data: bytes) -> dict[str, Any]:
    """The object that stands there; an empty one when it is no JSON, or no object."""
    try:
        value = orjson.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
