"""What is kept how long: three clocks, small transactions, an unpartitioned ledger that is never touched."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, text, update

from connector.core.states import Lane
from connector.operations.retention import KEYS_KEPT, Clocks, apply_retention
from connector.storage import expiring
from connector.storage.opening import Storage
from connector.storage.queue import NewWork, event_queue, webhook_queue
from connector.storage.tables import (
    AttemptEvent,
    ConsentRecord,
    DeliveryAttempt,
    Event,
    EventWork,
    OrderLedger,
    ProcessHeartbeat,
    RefusalCount,
    RefusedWebhook,
    SearchTerm,
    Webhook,
    WebhookKey,
    WebhookWork,
)
from connector.storage.tables_console import RollupHour
from tests.clock import Clock
from tests.operations.history_rows import add_counts, add_history, count, event_row, id_of, webhook_row
from tests.road.road import arrive_body, order_body

CLOCKS = Clocks(bodies_days=30, metadata_days=400, audit_days=1825)
EVERYTHING = (Webhook, Event, DeliveryAttempt, AttemptEvent, SearchTerm, RefusedWebhook)


def _retain(storage: Storage, **options: Any) -> dict[str, int]:
    return apply_retention(storage, CLOCKS, **options).rows


def test_bodies_expire_and_stay_listed(storage: Storage, clock: Clock) -> None:
    (old,) = add_history(storage, clock() - timedelta(days=31))
    (young,) = add_history(storage, clock() - timedelta(days=29))

    _retain(storage)

    expired, kept = webhook_row(storage, old), webhook_row(storage, young)
    assert (bytes(expired.body), expired.body_encoding, expired.state) == (b"", "expired", "processed")
    assert kept.body_encoding == "raw"
    assert bytes(kept.body).startswith(b'{"id":1')
    assert (event_row(storage, old).payload, event_row(storage, old).state) == (None, "delivered")
    assert event_row(storage, young).payload is not None
    assert count(storage, Webhook, Event) == [2, 2]


def _waiting(storage: Storage, at: datetime, state: str) -> int:
    (row_id,) = add_history(storage, at, event_state=state)
    if state == "pending":
        with storage.database.write() as connection:
            event_queue.add(connection, [NewWork(row_id, "installation1", at)])
    return row_id


@pytest.mark.parametrize("state", ["pending", "held"])
def test_what_still_waits_keeps_its_payload_until_it_is_too_old(storage: Storage, clock: Clock, state: str) -> None:
    """Held for a person, or behind a pause: after seven days nothing can leave, and nobody's data is kept for it."""
    row_id = _waiting(storage, clock() - timedelta(days=2), state)
    a_day = Clocks(bodies_days=1, metadata_days=400, audit_days=1825)

    apply_retention(storage, a_day)
    assert (event_row(storage, row_id).payload is not None, event_row(storage, row_id).state) == (True, state)

    clock.advance(days=6)
    apply_retention(storage, a_day)
    row = event_row(storage, row_id)
    assert (row.payload, row.match_keys, row.state, row.reason) == (None, "", "dead", "too_old")
    assert count(storage, EventWork) == [0]


def test_an_event_that_is_being_sent_is_left_to_its_worker(storage: Storage, clock: Clock) -> None:
    row_id = _waiting(storage, clock() - timedelta(days=8), "pending")
    with storage.database.write() as connection:
        lease = {"now": clock(), "lease_until": clock() + timedelta(seconds=30), "token": 7, "limit": 1}
        assert event_queue.claim(connection, "installation1", Lane.FRESH, **lease)

    _retain(storage)

    assert (event_row(storage, row_id).state, count(storage, EventWork)) == ("pending", [1])


def test_a_webhook_that_waits_is_never_removed_under_its_work(storage: Storage, clock: Clock) -> None:
    """A store without a pixel yet, or a backlog: stored is stored. In the end it goes, and its work with it."""
    (row_id,) = add_history(storage, clock() - timedelta(days=399))
    with storage.database.write() as connection:
        connection.execute(update(Webhook.__table__).values(state="received"))
        webhook_queue.add(connection, [NewWork(row_id, "installation1", clock())])
    assert expiring.remove_webhooks(storage.database, row_id + 1) == 0
    _retain(storage)
    assert (webhook_row(storage, row_id).state, count(storage, WebhookWork)) == ("received", [1])

    clock.advance(days=2)
    _retain(storage)
    assert count(storage, Webhook, WebhookWork) == [0, 0]


def test_a_webhook_that_nobody_has_read_keeps_its_body(storage: Storage, clock: Clock) -> None:
    (row_id,) = add_history(storage, clock() - timedelta(days=31))
    with storage.database.write() as connection:
        connection.execute(update(Webhook.__table__).values(state="received"))

    _retain(storage)

    assert webhook_row(storage, row_id).body_encoding == "raw"


def test_metadata_goes_and_the_ledger_stays(storage: Storage, clock: Clock) -> None:
    add_history(storage, clock() - timedelta(days=401), 3)
    add_history(storage, clock() - timedelta(days=399), 2)
    add_counts(storage, clock() - timedelta(days=401))
    add_counts(storage, clock() - timedelta(days=399))

    _retain(storage)

    assert count(storage, *EVERYTHING) == [2] * len(EVERYTHING)
    assert count(storage, RefusalCount, RollupHour) == [1, 1]
    assert count(storage, OrderLedger, ConsentRecord) == [5, 5]


def test_consent_goes_by_the_audit_clock(storage: Storage, clock: Clock) -> None:
    add_history(storage, clock() - timedelta(days=501))
    add_history(storage, clock() - timedelta(days=499))

    apply_retention(storage, Clocks(bodies_days=30, metadata_days=400, audit_days=500))

    assert count(storage, ConsentRecord, OrderLedger) == [1, 2]


def test_dedup_keys_are_kept_eight_days_and_a_little_longer(storage: Storage, clock: Clock) -> None:
    assert timedelta(days=8) < KEYS_KEPT
    assert arrive_body(storage, "order.updated", order_body(7))
    with storage.database.write() as connection:
        connection.execute(text("DELETE FROM webhook_work"))
        connection.execute(update(Webhook.__table__).values(state="processed"))

    # Row ids come from the machine's clock, ages from the test's.
    clock.advance(days=8, minutes=1)
    _retain(storage)
    assert not arrive_body(storage, "order.updated", order_body(7))
    clock.advance(days=3)
    _retain(storage)
    assert arrive_body(storage, "order.updated", order_body(7))


def test_a_key_that_was_written_anew_is_not_forgotten_with_the_old_webhook(storage: Storage, clock: Clock) -> None:
    (old,) = add_history(storage, clock() - timedelta(days=11))
    with storage.database.write() as connection:
        connection.execute(update(WebhookKey.__table__).values(webhook_id=id_of(clock())))

    _retain(storage)

    assert count(storage, WebhookKey) == [1]
    assert webhook_row(storage, old)


def test_each_transaction_is_small_and_the_round_can_be_stopped(storage: Storage, clock: Clock) -> None:
    add_history(storage, clock() - timedelta(days=500), 1200)
    with _transactions(storage) as sizes:
        done = _retain(storage)

    assert done["webhooks"] == 1200
    assert count(storage, *EVERYTHING) == [0] * len(EVERYTHING)
    assert max(sizes) <= 2 * expiring.STEP

    add_history(storage, clock() - timedelta(days=499), 1200)
    steps: list[None] = []
    _retain(storage, go_on=lambda: len(steps) < 2, sleep=lambda _: steps.append(None))
    assert count(storage, Event)[0] > 0


def test_a_round_does_a_bounded_part_and_the_next_one_goes_on(storage: Storage, clock: Clock) -> None:
    add_history(storage, clock() - timedelta(days=100), 1200)

    assert _retain(storage, most_steps=1)["bodies"] == expiring.STEP
    assert _retain(storage, most_steps=1)["bodies"] == expiring.STEP
    assert _retain(storage, most_steps=1)["bodies"] == 200
    assert "bodies" not in _retain(storage)


def test_processes_of_long_ago_are_forgotten(storage: Storage, clock: Clock) -> None:
    with storage.database.write() as connection:
        for name, days in (("old", 8), ("new", 1)):
            values = {"name": name, "role": "serve", "seen_at": clock() - timedelta(days=days), "details": "{}"}
            connection.execute(insert(ProcessHeartbeat.__table__), values)

    _retain(storage)

    assert count(storage, ProcessHeartbeat) == [1]


def test_every_statement_uses_an_index(storage: Storage, clock: Clock) -> None:
    """Explained by the database itself; a scan of a table that grows would come back with every round."""
    add_history(storage, clock() - timedelta(days=500), 3)
    add_counts(storage, clock() - timedelta(days=500))
    with _statements(storage) as seen:
        _retain(storage)
    explained = {_explain(storage, statement, parameters) for statement, parameters in seen}

    assert len(seen) > 20
    small = ("housekeeping_cursor", "process_heartbeat")
    scans = [plan for plan in explained if plan and not any(name in plan for name in small)]
    assert scans == []


@contextmanager
def _statements(storage: Storage) -> Iterator[list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.split(" ", 1)[0] in ("SELECT", "UPDATE", "DELETE") and "pg_" not in statement:
            seen.append((statement, parameters))

    yield from _listening(storage, "before_cursor_execute", note, seen)


@contextmanager
def _transactions(storage: Storage) -> Iterator[list[int]]:
    """How many rows each write transaction changed, table by table at most."""
    sizes: list[int] = [0]

    def note(_connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(("UPDATE", "DELETE")):
            sizes.append(cursor.rowcount)

    yield from _listening(storage, "after_cursor_execute", note, sizes)


def _listening(storage: Storage, name: str, note: Callable[..., None], seen: Any) -> Iterator[Any]:
    event.listen(storage.database.engine, name, note)
    try:
        yield seen
    finally:
        event.remove(storage.database.engine, name, note)


def _explain(storage: Storage, statement: str, parameters: Any) -> str:
    """The scans in its plan, empty when there are none."""
    with storage.database.read() as connection:
        if storage.database.is_sqlite:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            plan = [row[3] for row in rows]
            return "; ".join(line for line in plan if line.startswith("SCAN"))
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # tables of three rows are read whole else
        rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).all()
        return "; ".join(row[0] for row in rows if "Seq Scan" in row[0])
