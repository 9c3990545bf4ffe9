"""Steps of the road for tests: webhooks arrive, are processed, and what came of them is looked at."""

import json
from base64 import b64encode
from typing import Any

from sqlalchemy import select

from connector.demo.samples import Sample
from connector.intake.processing import Processor
from connector.platforms import PLATFORMS
from connector.storage.arrivals import Arrival, ArrivalWriter, digest_of
from connector.storage.opening import Storage
from connector.storage.tables import Event, Webhook

_event = Event.__table__
_webhook = Webhook.__table__

__all__ = [
    "arrival_of",
    "arrive",
    "arrive_body",
    "events",
    "order_body",
    "process",
    "webhooks",
    "write_arrivals",
]


def arrive_body(storage: Storage, topic: str, body: bytes, installation_id: str = "installation1") -> bool:
    """Store one webhook as the intake does. False when it was a duplicate."""
    return write_arrivals(storage, arrival_of(storage, body, topic, installation_id)) == [None]


def arrival_of(
    storage: Storage, body: bytes, topic: str = "order.updated", installation_id: str = "installation1"
) -> Arrival:
    """A webhook that comes now and is not stored yet."""
    return Arrival(
        id=storage.new_id(),
        installation_id=installation_id,
        topic=topic,
        received_at=storage.now(),
        digest=digest_of(installation_id, topic, body),
        headers="{}",
        body=body,
        deduplicate=PLATFORMS["woocommerce"].deduplicates(body),
    )


def write_arrivals(storage: Storage, *arrivals: Arrival) -> list[int | None]:
    """Store them in one commit; None for each that is new."""
    writer = ArrivalWriter(storage.database)
    repeats = writer.write(arrivals)
    writer.close()
    return repeats


def arrive(storage: Storage, sample: Sample, installation_id: str = "installation1") -> bool:
    """Store one sample's webhook."""
    return arrive_body(storage, sample.topic, sample.body, installation_id)


def process(storage: Storage, processor: Processor | None = None) -> None:
    """Process until nothing is due."""
    processor = processor or Processor(storage, 30.0)
    while processor.run_once():
        pass


def events(storage: Storage) -> list[Any]:
    """Every event row, oldest first."""
    with storage.database.read() as connection:
        return list(connection.execute(select(_event).order_by(_event.c.id)))


def webhooks(storage: Storage) -> list[Any]:
    """Every webhook row, oldest first."""
    with storage.database.read() as connection:
        return list(connection.execute(select(_webhook).order_by(_webhook.c.id)))


def order_body(order_id: int = 1, status: str = "processing", **changes: Any) -> bytes:
    """A small order, as a store would send it."""
    key = changes.pop("order_key", f"wc_order_{b64encode(str(order_id).encode()).decode().strip('=')}")
    meta = [{"id": 1, "key": f"_pixel_connector_{k}", "value": v} for k, v in changes.pop("stamp", {}).items()]
    order = {
        "id": order_id,
        "status": status,
        "currency": "EUR",
        "total": "35.58",
        "total_tax": "5.68",
        "shipping_total": "4.90",
        "order_key": key,
        "number": str(order_id),
        "created_via": "checkout",
        "customer_id": 0,
        "billing": {"email": "zoe@example.com", "phone": "+49 30 1234567", "country": "DE"},
        "date_created_gmt": "2026-11-22T07:28:12",
        "date_modified_gmt": "2026-11-22T07:28:18",
        "date_paid_gmt": None,
        "line_items": [{"product_id": 12, "sku": "MUG-1", "name": "Mug", "quantity": 2, "price": 12.5}],
        "meta_data": meta,
    }
    return json.dumps(order | changes).encode()
