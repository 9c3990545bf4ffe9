"""Who may do something at a time, of all processes and threads on one database.

A lease is a row that one statement inserts or takes over. It runs out by itself, so that a process that dies holds up
nobody for long; whoever works longer renews it.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite

from connector.storage.opening import Storage
from connector.storage.tables_reconcile import MaintenanceTask

__all__ = ["give_back_lease", "take_lease"]

_table = MaintenanceTask.__table__  # type: ignore[attr-defined]


def take_lease(storage: Storage, name: str, holder: str, duration: timedelta) -> bool:
    """Take or renew a lease; False while another holder has it. `name` has at most 40 characters, `holder` 80."""
    now = storage.now()
    dialect = sqlite if storage.database.is_sqlite else postgresql
    row = {"name": name, "holder": holder, "lease_until": now + duration, "started_at": now, "result": ""}
    statement: Any = dialect.insert(_table).values(row)
    statement = statement.on_conflict_do_update(
        index_elements=[_table.c.name],
        set_={"holder": statement.excluded.holder, "lease_until": statement.excluded.lease_until},
        # Nobody leases for twice a lease: that one was taken before the clock was set back.
        where=(_table.c.holder == holder)
        | (_table.c.lease_until <= now)
        | (_table.c.lease_until > now + 2 * duration),
    ).returning(_table.c.holder)
    with storage.database.write() as connection:
        return bool(connection.execute(statement).scalar() == holder)


def give_back_lease(storage: Storage, name: str, holder: str) -> None:
    """Let the next one in at once; nothing happens when it is another's by now."""
    with storage.database.write() as connection:
        connection.execute(delete(_table).where(_table.c.name == name, _table.c.holder == holder))
