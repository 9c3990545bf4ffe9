"""Many rows in one statement: the same values come back as from any other writing, on both databases."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from connector.core.states import EventState
from connector.storage.bulk import BulkInsert, BulkUpdate
from connector.storage.opening import Storage
from connector.storage.tables import Event, SearchTerm
from tests.installations import add_installation

_event = Event.__table__  # type: ignore[attr-defined]
_term = SearchTerm.__table__  # type: ignore[attr-defined]
_NAMES = tuple(column.name for column in _event.c)
_AT = datetime(2026, 11, 24, 15, 0, 0, 123456, tzinfo=UTC)


def _row(row_id: int, **values: object) -> tuple[object, ...]:
    row: dict[str, object] = {
        "id": row_id, "installation_id": "first", "webhook_id": 5, "event_id": f"e{row_id}",
        "name": "CompletePayment",
        "state": EventState.PENDING, "reason": "", "pixel_code": "C1", "match_keys": "", "warnings": "",
        "consent": "", "consent_policy": "", "browser_copy": False, "attempts": 0, "event_time": _AT,
        "created_at": _AT, "updated_at": _AT,
    }  # fmt: skip
    row.update(values)
    return tuple(row.get(name) for name in _NAMES)


def _stored(storage: Storage) -> list[dict[str, object]]:
    with storage.database.read() as connection:
        return [dict(row._mapping) for row in connection.execute(select(_event).order_by(_event.c.id))]


def test_every_kind_of_value_comes_back(storage: Storage) -> None:
    add_installation(storage, "first")
    rows = [
        _row(1, value=Decimal("12.50"), payload=b"\x00\xff'\\", order_id="Ж'\"{},NULL", browser_copy=True),
        _row(1 << 60, value=None, payload=None, order_id="", delivered_at=_AT),
    ]
    with storage.database.write() as connection:
        BulkInsert(_event, _NAMES).run(connection, rows)
    first, second = _stored(storage)
    assert (first["value"], first["payload"], first["order_id"]) == (Decimal("12.50"), b"\x00\xff'\\", "Ж'\"{},NULL")
    assert (first["browser_copy"], first["event_time"], first["delivered_at"]) == (True, _AT, None)
    assert (second["id"], second["value"], second["payload"], second["order_id"]) == (1 << 60, None, None, "")
    assert (second["delivered_at"], second["state"]) == (_AT, "pending")


def test_rows_are_changed_each_by_its_id(storage: Storage) -> None:
    add_installation(storage, "first")
    with storage.database.write() as connection:
        BulkInsert(_event, _NAMES).run(connection, [_row(number) for number in range(1, 5)])
        changes = [(EventState.DELIVERED, None, 2), (EventState.DEAD, b"{}", 4), (EventState.DEAD, b"", 99)]
        BulkUpdate(_event, ("state", "payload", "id")).run(connection, changes)
    assert [(row["state"], row["payload"]) for row in _stored(storage)] == [
        ("pending", None),
        ("delivered", None),
        ("pending", None),
        ("dead", b"{}"),
    ]


def test_nothing_to_write_is_nothing_written(storage: Storage) -> None:
    with storage.database.write() as connection:
        BulkInsert(_event, _NAMES).run(connection, [])
    assert _stored(storage) == []


def test_what_is_there_already_may_stay(storage: Storage) -> None:
    insert = BulkInsert(_term, ("term", "webhook_id"), conflict="DO NOTHING")
    with storage.database.write() as connection:
        insert.run(connection, [(b"t" * 16, 1)])
        insert.run(connection, [(b"t" * 16, 1), (b"u" * 16, 1), (b"u" * 16, 1)])
    with storage.database.read() as connection:
        assert sorted(connection.execute(select(_term.c.term)).scalars()) == [b"t" * 16, b"u" * 16]


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_text_that_is_too_long_is_refused_not_cut(storage: Storage) -> None:
    add_installation(storage, "first")
    with pytest.raises(DBAPIError), storage.database.write() as connection:
        BulkInsert(_event, _NAMES).run(connection, [_row(1, order_id="9" * 500)])
    assert _stored(storage) == []


def test_a_time_without_a_zone_is_refused(storage: Storage) -> None:
    naive = datetime(2026, 11, 24)  # noqa: DTZ001 - the fault under test
    with pytest.raises(ValueError, match="zone"), storage.database.write() as connection:
        BulkInsert(_event, _NAMES).run(connection, [_row(1, delivered_at=naive)])
