"""Upgrades with data: from every released version, every step down and up, and under a service that goes on."""

import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, func, select, update

from connector.demo.tiktok_stand_in import StandInTikTok
from connector.intake.processing import Processor
from connector.operations.history import list_events, list_webhooks
from connector.settings import Settings
from connector.storage.engine import Database, open_database
from connector.storage.migrating import alembic_config, migrate, migrations_folder, pending_revision
from connector.storage.opening import Storage, open_storage
from connector.storage.tables import Event
from tests.databases import bare_settings, new_empty_postgres_database
from tests.delivery.road import rounds
from tests.installations import PIXEL, TOKEN, add_installation
from tests.road.road import arrive_body, events, order_body, process, webhooks
from tests.storage import releases

RELEASES = releases.all_of_them()
_SCRIPTS = ScriptDirectory(str(migrations_folder()))
REVISIONS = [script.revision for script in reversed(list(_SCRIPTS.walk_revisions()))]


@pytest.fixture
def empty(database_kind: str, tmp_path: Path) -> Settings:
    """A database without a table."""
    if database_kind == "sqlite":
        return bare_settings(tmp_path)
    return bare_settings(tmp_path, database_url=new_empty_postgres_database())


def _at(settings: Settings, revision: str) -> Database:
    database = open_database(settings.resolved_database_url)
    migrate(database, revision)
    return database


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_a_release_with_its_data_goes_on_as_this_version(empty: Settings, release: releases.Release) -> None:
    """What waited is processed and sent, what was sold is not sold again, what was stored is still listed."""
    database = _at(empty, release.revision)
    release.fill(database)
    migrate(database)
    database.close()
    storage = open_storage(empty)
    listed = list(list_webhooks(storage.database, releases.SHOP))
    with StandInTikTok(tokens={TOKEN: {PIXEL}}) as tiktok:
        assert not arrive_body(storage, "order.updated", releases.body_of(1)), "its copy is known"
        arrive_body(storage, "order.updated", releases.body_of(1, status="completed"))
        arrive_body(storage, "order.updated", releases.body_of(9))
        process(storage)
        _due_now(storage)
        rounds(storage, tiktok, 2)
        sold = sorted(one.event["properties"]["order_id"] for one in tiktok.accepted)
    assert sold == ["2", "3", "9"], "1 was delivered then; 2 was pending, 3 not even read"
    assert {event.state for event in list_events(storage.database, releases.SHOP)} == {"delivered"}
    assert len(listed) == 3
    storage.close()


def _due_now(storage: Storage) -> None:
    """A release's data is of its time: as if it had been made today, so that nothing is too old to be sent."""
    with storage.database.write() as connection:
        connection.execute(update(Event.__table__).values(event_time=storage.now()))  # type: ignore[attr-defined]


@pytest.mark.parametrize(("lower", "upper"), list(pairwise(REVISIONS)))
def test_each_step_down_and_up_keeps_the_rows_of_both_sides(empty: Settings, lower: str, upper: str) -> None:
    database = _at(empty, upper)
    RELEASES[0].fill(database)
    config, before = alembic_config(database), _rows(database)
    command.downgrade(config, lower)
    between = _rows(database)
    command.upgrade(config, upper)
    after = _rows(database)
    database.close()
    assert between
    assert {table: before[table] for table in between} == between
    assert {table: after[table] for table in between} == between


def _rows(database: Database) -> dict[str, int]:
    """How many rows each table has, of those with any."""
    metadata = MetaData()
    metadata.reflect(database.engine)
    with database.read() as connection:
        counts = {
            table.name: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
            for table in metadata.tables.values()
            if not table.name.startswith(("alembic", "webhook_p", "rollup"))
        }
    return {name: count for name, count in counts.items() if count}


def test_a_migration_under_a_running_service_refuses_nothing(empty: Settings) -> None:
    """As in a rolling upgrade: processes of before go on beside the new tables until they are started anew."""
    released = RELEASES[-1].revision
    _at(empty, released).close()
    storage = open_storage(empty, check_schema=False)
    add_installation(storage)
    stop, waited = threading.Event(), list[float]()

    def sell() -> None:
        while not stop.is_set():
            began = time.monotonic()
            assert arrive_body(storage, "order.updated", order_body(len(waited) + 1))
            waited.append(time.monotonic() - began)

    def work() -> None:
        processor = Processor(storage, 30.0)
        while not stop.is_set():
            processor.run_once()

    threads = [threading.Thread(target=each) for each in (sell, work)]
    for thread in threads:
        thread.start()
    while len(waited) < 20:
        time.sleep(0.01)
    upgrading = open_database(empty.resolved_database_url)
    migrate(upgrading)
    done = len(waited)
    while len(waited) < done + 20 and all(thread.is_alive() for thread in threads):
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert pending_revision(upgrading) is None
    upgrading.close()
    assert len(waited) >= done + 20, "both went on"
    assert max(waited) < 2.5, "nobody waited longer than the patience of the intake"
    process(storage)
    assert len(webhooks(storage)) == len(events(storage)) == len(waited)
    storage.close()
