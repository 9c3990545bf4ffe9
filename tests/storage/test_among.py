"""Statements that name lists of values find the same on both databases."""

from sqlalchemy import select

from connector.storage.among import PerDatabase
from connector.storage.bulk import BulkInsert
from connector.storage.opening import Storage
from connector.storage.tables import SearchTerm

_term = SearchTerm.__table__  # type: ignore[attr-defined]
_BY_TERM = PerDatabase(lambda among: select(_term.c.webhook_id).where(among(_term.c.term, "terms")))
_BY_ID = PerDatabase(lambda among: select(_term.c.term).where(among(_term.c.webhook_id, "ids")))


def test_any_number_of_values(storage: Storage) -> None:
    rows = [(bytes([number]) * 16, (1 << 60) + number) for number in range(1, 200)]
    with storage.database.write() as connection:
        BulkInsert(_term, ("term", "webhook_id")).run(connection, rows)
    with storage.database.read() as connection:
        for count in (0, 1, 7, 199):
            part = rows[:count]
            ids = connection.execute(_BY_TERM.on(connection), {"terms": [term for term, _ in part]}).scalars()
            assert sorted(ids) == [row_id for _, row_id in part]
            terms = connection.execute(_BY_ID.on(connection), {"ids": [row_id for _, row_id in part]}).scalars()
            assert sorted(bytes(term) for term in terms) == [term for term, _ in part]
