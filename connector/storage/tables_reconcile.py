"""Tables of reconciliation and housekeeping. When you add a column here, add a migration too."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel

from connector.storage.columns import BigId, UtcTime

__all__ = ["HousekeepingCursor", "MaintenanceTask", "ReconcileRun"]


class ReconcileRun(SQLModel, table=True):
    """One comparison of a store's orders with what arrived. `state`: asked, running (a command's), done, failed."""

    __tablename__ = "reconcile_run"
    __table_args__ = (Index("reconcile_run_of_installation", "installation_id", "id"),)

    id: int = Field(sa_type=BigId, sa_column_kwargs={"autoincrement": False}, primary_key=True)
    installation_id: str = Field(max_length=40)
    reason: str = Field(max_length=12)  # asked, hourly, downtime, revived
    state: str = Field(default="asked", max_length=8)
    since: datetime = Field(sa_type=UtcTime)  # orders changed after that
    until: datetime | None = Field(default=None, sa_type=UtcTime)  # all changes before that were seen
    orders: int = 0  # without drafts
    paid: int = 0
    accepted: int = 0  # by TikTok
    fetched: int = 0  # written as webhooks
    report: str = Field(default="{}", sa_type=Text)  # the gap, as JSON
    fault: str = Field(default="", max_length=40)
    created_at: datetime = Field(sa_type=UtcTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcTime)


class MaintenanceTask(SQLModel, table=True):
    """What runs by itself, and when it last did. The row `leader` is the lease of the one process that runs it."""

    __tablename__ = "maintenance_task"

    name: str = Field(primary_key=True, max_length=40)
    holder: str = Field(default="", max_length=80)
    lease_until: datetime | None = Field(default=None, sa_type=UtcTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcTime)
    result: str = Field(default="", max_length=80)


class HousekeepingCursor(SQLModel, table=True):
    """How far a walk over old rows has come: nothing is looked at twice."""

    __tablename__ = "housekeeping_cursor"

    name: str = Field(primary_key=True, max_length=20)
    position: int = Field(default=0, sa_type=BigId)


# Few rows wait at any time, however long the history.
_WAITS = "state = 'asked'"
_run: Any = ReconcileRun.__table__  # type: ignore[attr-defined]
Index("reconcile_run_waiting", _run.c.id, sqlite_where=text(_WAITS), postgresql_where=text(_WAITS))
