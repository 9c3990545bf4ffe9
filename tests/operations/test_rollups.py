"""What is counted, once each, by whoever looks; and what a dashboard reads from it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, select

from connector.operations.rollups import LATENCY_BOUNDS, overview, percentile, run_rollup_step
from connector.operations.trouble import health_of_all
from connector.settings import Settings
from connector.storage.installations import all_installations
from connector.storage.opening import Storage
from connector.storage.tables_console import RollupHour
from tests.console.world import World

NONE = timedelta(seconds=-5)  # look at what was made this moment too


@pytest.fixture
def world(storage: Storage, settings: Settings) -> World:
    made = World(storage, settings)
    made.add_installation()
    made.add_installation("inst2", access="lost", access_reason="token_revoked", store_name="A")
    return made


def count_all(world: World) -> int:
    counted = 0
    while found := run_rollup_step(world.storage, NONE, NONE):
        counted += found
    return counted


def totals(world: World, installation_id: str = "") -> dict[str, int]:
    now = datetime.now(UTC)
    with world.storage.database.read() as connection:
        found = overview(connection, now - timedelta(days=2), now + timedelta(days=1))
    return dict(found[installation_id].total) if installation_id in found else {}


def test_everything_is_counted_once(world: World) -> None:
    now = world.storage.now()
    _, first = world.add_order("1", event_time=now - timedelta(seconds=25))
    world.add_order("2", state="withheld", payload=None, match_keys="", delivered_at=None)
    _, refused = world.add_order("3", state="rejected", delivered_at=None, match_keys="email")
    world.add_attempt([first])
    world.add_attempt([refused], result="rejected")
    assert count_all(world) == 3 + 3 + 2
    assert run_rollup_step(world.storage, NONE, NONE) == 0
    counted = totals(world)
    assert counted == totals(world, "inst1")
    expected = {"arrived": 3, "made": 3, "withheld": 1, "matchable": 2, "accepted": 1, "rejected": 1, "key_email": 2,
                "key_ttclid": 1, "attempts": 2}  # fmt: skip
    assert {name: counted[name] for name in expected} == expected
    assert percentile(counted, 0.5) == 30


def test_what_is_too_young_waits_until_its_commit_must_be_done(world: World) -> None:
    world.add_order("1")
    assert run_rollup_step(world.storage, timedelta(minutes=5), timedelta(minutes=5)) == 0
    assert count_all(world) == 2


def test_two_processes_count_once(world: World) -> None:
    for number in range(4):
        world.add_order(str(number))

    raced = []

    def look_too(*_: object) -> None:
        if not raced:
            raced.append(True)
            run_rollup_step(world.storage, NONE, NONE)

    sqlalchemy_event.listen(world.storage.database.engine, "rollback", look_too)
    sqlalchemy_event.listen(world.storage.database.engine, "commit", look_too)
    try:
        count_all(world)
    finally:
        sqlalchemy_event.remove(world.storage.database.engine, "rollback", look_too)
        sqlalchemy_event.remove(world.storage.database.engine, "commit", look_too)
    assert raced
    assert totals(world)["arrived"] == 4


def test_percentiles_name_the_bucket_that_holds_the_share() -> None:
    assert percentile({}, 0.5) is None
    assert percentile({"latency_0": 99, "latency_4": 1}, 0.95) == LATENCY_BOUNDS[0]
    assert percentile({"latency_0": 90, "latency_4": 10}, 0.95) == LATENCY_BOUNDS[4]
    assert percentile({f"latency_{len(LATENCY_BOUNDS)}": 1}, 0.5) == LATENCY_BOUNDS[-1]


def test_stores_with_trouble_come_first(world: World) -> None:
    _, held = world.add_order("1", state="held")
    world.add_work(held, world.storage.now())
    with world.storage.database.read() as connection:
        healths = health_of_all(
            connection, all_installations(connection), {}, world.storage.now() + timedelta(hours=1)
        )
        assert connection.execute(select(func.count()).select_from(RollupHour.__table__)).scalar() == 0
    assert [(health.installation.id, health.trouble) for health in healths] == [
        ("inst1", ("backlog", "held")),
        ("inst2", ("access_lost",)),
    ]
