"""The schema by migrations is the schema of the tables, and migrations go up and down with data in place."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select
from sqlmodel import SQLModel

from connector.errors import ConfigurationError
from connector.storage.installations import find_installation
from connector.storage.migrating import (
    REVISIONS,
    alembic_config,
    is_empty,
    migrate,
    migrations_folder,
    pending_revision,
)
from connector.storage.opening import Storage, open_storage
from connector.storage.tables import Webhook
from tests.databases import bare_settings
from tests.installations import add_installation

_OURS = {table.name for table in SQLModel.metadata.tables.values()}


def test_tables_and_migrations_agree(storage: Storage) -> None:
    with storage.database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_object": lambda _o, name, kind, *_: kind != "table" or name in _OURS,
                "compare_type": False,  # one type here is two types there; rows are compared below
            },
        )
        assert compare_metadata(context, SQLModel.metadata) == []


def test_one_line_of_revisions_each_named_by_its_date() -> None:
    files = sorted(path.name for path in (migrations_folder() / "versions").glob("*.py"))
    assert files
    assert all(name[:4].isdigit() and name[4] == "-" for name in files)


def test_the_program_knows_every_revision_without_loading_their_scripts(storage: Storage) -> None:
    script = ScriptDirectory.from_config(alembic_config(storage.database))
    assert list(REVISIONS) == [each.revision for each in reversed(list(script.walk_revisions()))]
    assert pending_revision(storage.database) is None
    command.downgrade(alembic_config(storage.database), REVISIONS[-2])
    assert pending_revision(storage.database) == REVISIONS[-1]


def test_every_step_down_and_up_again_keeps_the_first_ones_rows(storage: Storage) -> None:
    add_installation(storage)
    config = alembic_config(storage.database)
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]

    command.downgrade(config, revisions[-1])
    migrate(storage.database)

    assert pending_revision(storage.database) is None
    with storage.database.read() as connection:
        assert find_installation(connection, "installation1") is not None


def test_all_the_way_down_leaves_nothing_of_ours(storage: Storage) -> None:
    command.downgrade(alembic_config(storage.database), "base")

    assert pending_revision(storage.database) is not None


def test_an_empty_sqlite_file_gets_its_tables_by_itself(tmp_path: Path) -> None:
    storage = open_storage(bare_settings(tmp_path))
    assert not is_empty(storage.database)
    storage.close()


def test_an_older_schema_is_refused_with_the_remedy(storage: Storage, tmp_path: Path, database_kind: str) -> None:
    config = alembic_config(storage.database)
    command.downgrade(config, "0001")
    if pending_revision(storage.database) is None:
        pytest.fail("there is only one migration: nothing to go back to")
    url = storage.database.engine.url.render_as_string(hide_password=False)
    settings = bare_settings(tmp_path, database_url=url.replace("+psycopg", ""))

    with pytest.raises(ConfigurationError, match="connector migrate"):
        open_storage(settings)


def test_a_webhook_row_written_by_hand_reads_back(storage: Storage) -> None:
    row = {
        "id": storage.new_id(),
        "installation_id": "x",
        "topic": "order.updated",
        "received_at": storage.now(),
        "digest": b"d" * 24,
        "body": b"\x00\xff",
    }
    with storage.database.write() as connection:
        connection.execute(insert(Webhook.__table__), [row])
        found = connection.execute(select(Webhook.__table__)).one()
    assert (found.received_at, bytes(found.body), found.state) == (row["received_at"], b"\x00\xff", "received")
