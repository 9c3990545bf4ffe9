"""Signed bodies that are an error of the store's own API: the order was gone, or its owner lost the rights."""

from connector.core.store_events import StoreError
from connector.errors import UnreadablePayload
from connector.platforms.json_bodies import JsonObject
from connector.platforms.woocommerce.fields import part, text

__all__ = ["is_store_error", "read_store_error"]


def is_store_error(body: JsonObject) -> bool:
    """`{"code", "message", "data": {"status"}}`, as WordPress writes a failed REST call."""
    return isinstance(body.get("code"), str) and isinstance(body.get("message"), str) and "data" in body


def read_store_error(body: JsonObject) -> StoreError:
    """The error in a body without an id. Raises UnreadablePayload `id_missing` when it is none."""
    code = text(body.get("code"), 200)
    if code is None:
        raise UnreadablePayload("id_missing", "the body has no numeric id")
    status = part(body.get("data")).get("status")
    details = {"message": text(body.get("message"), 300), "status": status if type(status) is int else None}
    return StoreError(code, {name: value for name, value in details.items() if value is not None})
