"""Puts webhooks into the commands' database as intake and processing would."""

import json
from typing import Any

from connector.demo.samples import load, moved_to
from connector.intake.processing import Processor
from connector.storage.arrivals import Arrival, ArrivalWriter, digest_of
from connector.storage.opening import Storage

EMAIL = "zoe@example.com"  # the buyer of the sample below
PAID = "order_updated_completed"


def arrive(storage: Storage, installation_id: str, topic: str, body: bytes, *, process: bool = True) -> int:
    """Store one webhook, by default processed too. Returns its id."""
    row_id = storage.new_id()
    digest = digest_of(installation_id, topic, body)
    arrival = Arrival(
        row_id, installation_id, topic, storage.now(), digest, '{"content-type":"application/json"}', body
    )
    writer = ArrivalWriter(storage.database)
    try:
        assert writer.write([arrival]) == [None]
    finally:
        writer.close()
    if process:
        while Processor(storage, 30.0).run_once():
            pass
    return row_id


def sample(storage: Storage, name: str = PAID, **changes: Any) -> bytes:
    """A recorded body as of now, some of its fields changed."""
    body = moved_to(load(name), storage.now()).body
    return json.dumps(json.loads(body) | changes).encode() if changes else body


def paid_order(storage: Storage, installation_id: str, **changes: Any) -> int:
    """A paid order arrives."""
    return arrive(storage, installation_id, "order.updated", sample(storage, **changes))
