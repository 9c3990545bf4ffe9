"""The weekly partitions of `webhook` on PostgreSQL: made ahead, dropped when past, never in the way of arrivals."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from connector.operations.retention import Clocks, apply_retention
from connector.storage.opening import Storage
from connector.storage.partitions import drop_old_partitions, make_partitions, partition_names, week_range
from connector.storage.tables import SearchTerm, Webhook
from tests.clock import Clock
from tests.operations.history_rows import add_history, count

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"])
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(MONDAY + timedelta(days=6, hours=20))


def _names(storage: Storage) -> list[str]:
    with storage.database.read() as connection:
        return partition_names(connection)


def _in(storage: Storage, name: str) -> int:
    with storage.database.read() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one())


def test_this_week_and_the_next_four_are_made_once(storage: Storage, clock: Clock) -> None:
    made = make_partitions(storage.database, clock())

    assert made == [f"webhook_p_{MONDAY + number * timedelta(days=7):%Y%m%d}" for number in range(5)]
    assert make_partitions(storage.database, clock()) == []
    assert _names(storage) == [*made, "webhook_p_default"]
    clock.advance(days=1)
    assert make_partitions(storage.database, clock()) == ["webhook_p_20261221"]


def test_webhooks_land_in_the_week_of_their_arrival(storage: Storage, clock: Clock) -> None:
    make_partitions(storage.database, clock())
    for at in (MONDAY, MONDAY + timedelta(days=7) - timedelta(milliseconds=1), MONDAY + timedelta(days=7)):
        add_history(storage, at)
    add_history(storage, MONDAY - timedelta(milliseconds=1))

    assert [_in(storage, f"webhook_p_{day}") for day in ("20261116", "20261123", "default")] == [2, 1, 1]
    start, end = week_range(MONDAY)
    with storage.database.read() as connection:
        plan = connection.execute(text(f"EXPLAIN SELECT id FROM webhook WHERE id >= {start} AND id < {end}")).all()
    assert "webhook_p_20261123" not in str(plan)


def test_a_week_that_has_rows_in_the_default_partition_is_left_to_it(storage: Storage, clock: Clock) -> None:
    """As after an upgrade in the middle of a week: nothing is moved under the arrivals."""
    add_history(storage, clock())

    made = make_partitions(storage.database, clock())

    assert made[0] == "webhook_p_20261123"
    assert count(storage, Webhook) == [1]


def test_indexes_come_with_a_partition(storage: Storage, clock: Clock) -> None:
    make_partitions(storage.database, clock())

    with storage.database.read() as connection:
        attached = connection.execute(
            text(
                "SELECT count(*) FROM pg_index i JOIN pg_inherits h ON h.inhrelid = i.indexrelid"
                " WHERE i.indrelid = 'webhook_p_20261116'::regclass"
            )
        ).scalar_one()
        wanted = connection.execute(
            text("SELECT count(*) FROM pg_index WHERE indrelid = 'webhook'::regclass")
        ).scalar_one()
    assert attached == wanted > 2


def test_weeks_wholly_past_are_dropped(storage: Storage, clock: Clock) -> None:
    make_partitions(storage.database, clock())
    add_history(storage, MONDAY, 10)
    add_history(storage, MONDAY + timedelta(days=7), 5)
    clock.advance(days=400)
    before = clock() - timedelta(days=400)

    assert drop_old_partitions(storage.database, before) == []  # the week is not over at that time
    clock.advance(days=1)
    before += timedelta(days=1)
    assert drop_old_partitions(storage.database, before) == []  # search terms still point there
    with storage.database.write() as connection:
        connection.execute(SearchTerm.__table__.delete())
    assert drop_old_partitions(storage.database, before) == ["webhook_p_20261116"]
    assert count(storage, Webhook) == [5]


def test_retention_drops_weeks_instead_of_walking_through_them(storage: Storage, clock: Clock) -> None:
    make_partitions(storage.database, clock())
    add_history(storage, MONDAY, 10)
    clock.advance(days=410)

    done = apply_retention(storage, Clocks(30, 400, 1825))

    assert "webhook_p_20261116" in done.partitions_dropped
    assert done.partitions_made[0] > "webhook_p_2027"
    assert "webhooks" not in done.rows
    assert count(storage, Webhook, SearchTerm) == [0, 0]


def test_a_partition_that_is_locked_waits_for_the_next_round(storage: Storage, clock: Clock) -> None:
    make_partitions(storage.database, clock())
    clock.advance(days=30)
    with storage.database.engine.connect() as busy:
        busy.execute(text("LOCK TABLE webhook_p_20261116 IN ACCESS EXCLUSIVE MODE"))
        assert drop_old_partitions(storage.database, clock()) == [
            f"webhook_p_{MONDAY + number * timedelta(days=7):%Y%m%d}" for number in range(1, 5)
        ]
        busy.rollback()
    assert drop_old_partitions(storage.database, clock()) == ["webhook_p_20261116"]
