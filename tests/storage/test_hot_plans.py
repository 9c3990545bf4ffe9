"""What processing and delivery ask goes by the narrowest index, also in a new database that has no statistics yet."""

import re

import pytest
from sqlalchemy import insert

from connector.core.states import EventState
from connector.storage.deliveries import Settlement, consent_statements, load_pending, settle
from connector.storage.known import Subjects, load_known
from connector.storage.opening import Storage
from connector.storage.queue import Claimed, Lane, NewWork, event_queue
from connector.storage.tables import ConsentRecord, Event, OrderLedger
from tests.storage.query_plans import plans_of

_STORE = "inst1"


@pytest.fixture
def ids(storage: Storage) -> list[int]:
    """Some thousand events of one store that all wait: what is narrow in other databases is wide here."""
    ids, now = storage.new_ids(4000), storage.now()
    events, consents, ledger = [], [], []
    for row_id in ids:
        digest = row_id.to_bytes(16, "big")
        owner = {"id": row_id, "installation_id": _STORE, "webhook_id": row_id}
        events.append(
            owner | {"event_id": f"e{row_id}", "name": "ViewContent", "state": "pending", "event_time": now,
                     "created_at": now, "updated_at": now, "visitor_subject": digest, "payload": b"{}"}
        )  # fmt: skip
        consents.append(owner | {"subject": digest, "status": "granted", "recorded_at": now})
        ledger.append(
            {
                "digest": digest,
                "installation_id": _STORE,
                "order_id": str(row_id),
                "status": "",
                "event_row_id": row_id,
            }
        )
    with storage.database.write() as connection:
        for table, rows in ((Event, events), (ConsentRecord, consents), (OrderLedger, ledger)):
            connection.execute(insert(table.__table__), rows)  # type: ignore[attr-defined]
        event_queue.add(connection, [NewWork(row_id, _STORE, now) for row_id in ids])
    return ids


def indexes(plans: list[str]) -> list[set[str]]:
    """The indexes of each plan. A table read whole, or through a key of SQLite's own, has none."""
    return [
        set(re.findall(r"(?:using|Index Scan on|USING INDEX|USING COVERING INDEX) (\w+)", plan)) for plan in plans
    ]


def test_what_is_known_of_a_group(storage: Storage, ids: list[int]) -> None:
    digests = frozenset(row_id.to_bytes(16, "big") for row_id in ids[:128])
    asked = Subjects(digests, frozenset(), digests, frozenset((_STORE, f"e{row_id}") for row_id in ids[:128]))

    found = indexes(plans_of(storage.database, lambda connection: load_known(connection, asked)))

    everything = set().union(*found)
    assert everything & {"event_once", "sqlite_autoindex_event_1"}
    assert {"event_of_visitor", "consent_of_subject"} <= everything
    assert not everything & {"event_of_installation", "event_of_state", "event_trouble", "order_ledger_number"}


def test_what_delivery_reads_and_writes(storage: Storage, ids: list[int]) -> None:
    claimed = [Claimed(row_id, _STORE, Lane.FRESH, 1) for row_id in ids[:128]]
    subjects = [row_id.to_bytes(16, "big") for row_id in ids[:128]]

    def ask(connection: object) -> None:
        assert load_pending(connection, claimed)  # type: ignore[arg-type]
        assert consent_statements(connection, subjects)  # type: ignore[arg-type]
        done = Settlement(tuple(ids[:128]), EventState.DELIVERED)
        assert len(settle(connection, 0, [done], storage.now())) == 128  # type: ignore[arg-type]

    everything = set().union(*indexes(plans_of(storage.database, ask)))

    assert "consent_of_subject" in everything
    assert not everything & {"event_of_installation", "event_of_state", "event_trouble", "event_work_turn"}
