"""Databases as released versions left them: one JSON file per release, rows by table, made by its own code.

With every release: `python -m tests.storage.releases NAME` writes `releases/NAME.json` from the program as it is, to
be committed with the release. From then on the tests upgrade it.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from sqlalchemy import Column, MetaData, Table, insert, inspect, select
from sqlmodel import SQLModel

from connector.demo.tiktok_stand_in import StandInTikTok
from connector.storage.engine import Database
from connector.storage.opening import open_storage
from tests.clock import Clock
from tests.databases import settings_for
from tests.delivery.road import rounds
from tests.installations import PIXEL, TOKEN, add_installation
from tests.road.road import arrive_body, order_body, process

__all__ = ["SHOP", "Release", "all_of_them", "body_of"]

SHOP = "installation1"
_FOLDER = Path(__file__).with_name("releases")
_KINDS: dict[str, Callable[[str], Any]] = {"bytes": bytes.fromhex, "time": datetime.fromisoformat, "number": Decimal}
_MADE_AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def body_of(number: int, status: str = "processing") -> bytes:
    """The webhooks that a release's data was made of."""
    changes = {"date_modified_gmt": "2026-11-22T09:00:00"} if status != "processing" else {}
    return order_body(number, status, **changes)


@dataclass(frozen=True)
class Release:
    """One release's rows."""

    name: str
    revision: str
    tables: dict[str, list[dict[str, Any]]]

    def fill(self, database: Database) -> None:
        """Write the rows into the tables that are there: those of the release's revision, or another one."""
        with database.write() as connection:
            present = inspect(connection).get_table_names()
            for name, rows in self.tables.items():
                if name in present:
                    connection.execute(insert(_as_it_was(name, rows[0])), [_decoded(row) for row in rows])


def _as_it_was(name: str, row: dict[str, Any]) -> Table:
    """The table with the columns of then; what a column added since is filled with is the migration's affair."""
    today = SQLModel.metadata.tables[name]
    return Table(name, MetaData(), *(Column(column, today.c[column].type) for column in row))


def all_of_them() -> list[Release]:
    """Every release, oldest first."""
    return [Release(**json.loads(path.read_text())) for path in sorted(_FOLDER.glob("*.json"))]


def _encoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, Decimal):
        return {"number": format(value, "f")}
    return value if isinstance(value, int | bool | type(None)) else str(value)


def _decoded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        kind, content = next(iter(value.items()))
        return _KINDS[kind](content)
    return value


def make(name: str) -> Release:
    """One order delivered, one pending, one that nobody has read yet."""
    clock = Clock(_MADE_AT)
    with (
        tempfile.TemporaryDirectory() as folder,
        StandInTikTok(tokens={TOKEN: {PIXEL}}, clock=clock.timestamp) as tiktok,
    ):
        storage = open_storage(settings_for("sqlite", Path(folder)), now=clock)
        add_installation(storage)
        arrive_body(storage, "order.updated", body_of(1))
        process(storage)
        rounds(storage, tiktok)
        arrive_body(storage, "order.updated", body_of(2))
        process(storage)
        arrive_body(storage, "order.updated", body_of(3))
        with storage.database.read() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
            found = {
                table.name: [
                    {column: _encoded(value) for column, value in row._mapping.items()}
                    for row in connection.execute(select(table))
                ]
                for table in SQLModel.metadata.sorted_tables
            }
        storage.close()
    assert revision is not None
    return Release(name, revision, {table: rows for table, rows in found.items() if rows})


if __name__ == "__main__":
    made = make(sys.argv[1])
    _FOLDER.mkdir(exist_ok=True)
    written = json.dumps(made.__dict__, indent=1, sort_keys=True) + "\n"
    (_FOLDER / f"{made.name}.json").write_text(written)
