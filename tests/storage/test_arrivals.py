"""Writing webhooks that arrive while the database changes under them."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from connector.storage.arrivals import Arrival, ArrivalWriter, digest_of
from connector.storage.opening import Storage
from connector.storage.partitions import week_range
from connector.storage.tables import Webhook
from tests.installations import add_installation

_webhook = Webhook.__table__  # type: ignore[attr-defined]


def _arrival(storage: Storage, number: int) -> Arrival:
    body = b'{"id":%d}' % number
    return Arrival(
        id=storage.new_id(),
        installation_id="first",
        topic="order.created",
        received_at=storage.now(),
        digest=digest_of("first", "order.created", body),
        headers="{}",
        body=body,
    )


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_an_arrival_that_waited_for_its_weeks_partition_is_written(storage: Storage) -> None:
    add_installation(storage, "first")
    writer = ArrivalWriter(storage.database)
    writer.write([_arrival(storage, 1)])  # the connection stands
    now = storage.now()
    monday = (now - timedelta(days=now.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    start, end = week_range(monday + timedelta(days=7))
    arrival = _arrival(storage, 2)
    arrival.id = start + 5
    written: list[list[int | None]] = []
    late = threading.Thread(target=lambda: written.append(writer.write([arrival])))

    with storage.database.write() as connection:
        connection.execute(text("CREATE TABLE webhook_p_new (LIKE webhook INCLUDING ALL)"))
        attach = f"ALTER TABLE webhook ATTACH PARTITION webhook_p_new FOR VALUES FROM ({start}) TO ({end})"
        connection.execute(text(attach))
        late.start()
        late.join(0.5)
        assert late.is_alive(), "it waits for the partition"
    late.join(10)
    writer.close()

    assert written == [[None]]
    with storage.database.read() as connection:
        assert connection.execute(select(func.count()).where(_webhook.c.id == arrival.id)).scalar_one() == 1
        assert connection.execute(text("SELECT count(*) FROM webhook_p_new")).scalar_one() == 1
