"""What the store itself has told of its products: SKU, name, price and currency for views that browsers report.

A browser's word about money is worth nothing, so it is looked up in the store's own signed webhooks. A product that
the store has not told lately goes by its id alone.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from connector.errors import UnreadablePayload
from connector.intake.processing import stored_body
from connector.logs import log
from connector.platforms.json_bodies import read_object
from connector.storage.opening import Storage
from connector.storage.tables import Webhook

__all__ = ["ProductFacts"]

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_TOPICS = ("cart.item_added", "storefront.product_viewed")
_FRESH_SECONDS = 300.0
_ROWS_LOOKED_AT = 5_000  # the newest webhooks of one installation
_BODIES_READ = 500
_COPIED = ("sku", "name", "price", "currency")

_Key = tuple[int, int]


class ProductFacts:
    """Known products of each installation, in memory. For one event loop."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[str, dict[_Key, dict[str, Any]]] = {}
        self._looked_at: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def item(self, installation_id: str, product_id: int, variation_id: int | None) -> dict[str, Any]:
        """One piece of a product, with what the store told of it. Waits only for an installation's first look."""
        if time.monotonic() - self._looked_at.get(installation_id, -1e9) > _FRESH_SECONDS:
            self._looked_at[installation_id] = time.monotonic()
            task = asyncio.create_task(self._load(installation_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            if installation_id not in self._known:
                await task
        known = self._known.get(installation_id, {})
        item: dict[str, Any] = {"product_id": product_id, "variation_id": variation_id or 0}
        return item | known.get((product_id, variation_id or 0), {}) | {"quantity": 1}

    async def _load(self, installation_id: str) -> None:
        try:
            self._known[installation_id] = await asyncio.to_thread(self._read, installation_id)
        except Exception as error:
            log.warning("products_not_read", installation_id=installation_id, error=type(error).__name__)

    def _read(self, installation_id: str) -> dict[_Key, dict[str, Any]]:
        found: dict[_Key, dict[str, Any]] = {}
        for body in self._bodies(installation_id):  # newest first: the newest word about a product counts
            try:
                item = read_object(body).get("item")
            except UnreadablePayload:
                continue
            key = _key(item)
            if isinstance(item, Mapping) and key is not None:
                found.setdefault(key, {name: item[name] for name in _COPIED if item.get(name) is not None})
        return found

    def _bodies(self, installation_id: str) -> list[bytes]:
        c = _webhook.c
        newest = (
            select(c.id, c.topic, c.source)
            .where(c.installation_id == installation_id)
            .order_by(c.id.desc())
            .limit(_ROWS_LOOKED_AT)
            .subquery()
        )
        wanted = (
            select(c.body, c.body_encoding)
            .join(newest, newest.c.id == c.id)
            .where(newest.c.topic.in_(_TOPICS), newest.c.source != "browser")
            .order_by(c.id.desc())
            .limit(_BODIES_READ)
        )
        with self._storage.database.read() as connection:
            return [stored_body(row.body, row.body_encoding) for row in connection.execute(wanted)]


def _key(item: object) -> _Key | None:
    if not isinstance(item, Mapping):
        return None
    product, variation = item.get("product_id"), item.get("variation_id") or 0
    return (product, variation) if isinstance(product, int) and isinstance(variation, int) else None
