"""The chain: whole when nobody touched it, broken at the right place when somebody did."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from connector.storage.audit import audit, verify_chain
from connector.storage.opening import Storage


def write_some(storage: Storage) -> None:
    for number in range(1, 6):
        assert (
            audit(
                storage,
                "admin@staff.example",
                "reveal",
                target=f"webhook {number}",
                reason="asked",
                details={"n": number},
            )
            == number
        )


def forced(storage: Storage, statement: str) -> None:
    """What somebody with the database's password could do: switch the triggers off first."""
    with storage.database.write() as connection:
        if storage.database.is_sqlite:
            for change in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS audit_log_no_{change}"))
        else:
            connection.execute(text("ALTER TABLE audit_log DISABLE TRIGGER ALL"))
        connection.execute(text(statement))


def test_an_untouched_log_is_whole(storage: Storage) -> None:
    assert verify_chain(storage) is None
    write_some(storage)
    assert verify_chain(storage) is None


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("UPDATE audit_log SET reason = 'another' WHERE number = 3", 3),
        ("UPDATE audit_log SET at = at WHERE number = 3", None),
        ("DELETE FROM audit_log WHERE number = 2", 2),
        ("DELETE FROM audit_log WHERE number = 5", 5),
        ("DELETE FROM audit_log", 1),
        ("DELETE FROM audit_head", 6),
        ("UPDATE audit_log SET number = 9 WHERE number = 5", 5),
    ],
)
def test_what_was_done_to_it_shows(storage: Storage, statement: str, number: int | None) -> None:
    write_some(storage)
    forced(storage, statement)
    fault = verify_chain(storage)
    assert (fault and fault.number) == number


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET reason = 'x'", "DELETE FROM audit_log"])
def test_the_database_itself_refuses_changes(storage: Storage, statement: str) -> None:
    write_some(storage)
    with pytest.raises(DBAPIError, match="append-only"), storage.database.write() as connection:
        connection.execute(text(statement))
    assert verify_chain(storage) is None
