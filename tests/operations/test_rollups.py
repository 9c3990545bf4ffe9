"""What is counted, once each, by whoever looks; and what a dashboard reads from it."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, insert, select

from connector.core.states import EventState
from connector.operations.rollups import EVERYBODY, LATENCY_BOUNDS, overview, percentile, run_rollup_step, totals
from connector.operations.trouble import health_of_all
from connector.settings import Settings
from connector.storage.opening import Storage
from connector.storage.tables import Event, Webhook
from connector.storage.tables_console import RollupHour
from tests.console.world import World

NONE = timedelta(minutes=-10)  # look at what was made this moment too, however slow the machine is


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


def counted_of(world: World, installation_id: str = EVERYBODY) -> dict[str, int]:
    now = datetime.now(UTC)
    with world.storage.database.read() as connection:
        return dict(overview(connection, now - timedelta(days=2), now + timedelta(days=1), installation_id).total)


def test_everything_is_counted_once(world: World) -> None:
    now = world.storage.now()
    _, first = world.add_order("1", event_time=now - timedelta(seconds=25))
    world.add_order("2", state="withheld", payload=None, match_keys="", delivered_at=None)
    _, refused = world.add_order("3", state="rejected", delivered_at=None, match_keys="email")
    world.add_attempt([first])
    world.add_attempt([refused], result="rejected")
    assert count_all(world) == 3 + 3 + 2 + 2
    assert run_rollup_step(world.storage, NONE, NONE) == 0
    counted = counted_of(world)
    assert counted == counted_of(world, "inst1")
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
    assert counted_of(world)["arrived"] == 4


def test_percentiles_name_the_bucket_that_holds_the_share() -> None:
    assert percentile({}, 0.5) is None
    assert percentile({"latency_0": 99, "latency_4": 1}, 0.95) == LATENCY_BOUNDS[0]
    assert percentile({"latency_0": 90, "latency_4": 10}, 0.95) == LATENCY_BOUNDS[4]
    assert percentile({f"latency_{len(LATENCY_BOUNDS) - 1}": 1}, 0.5) == 48 * 3600
    assert percentile({f"latency_{len(LATENCY_BOUNDS)}": 1}, 0.5) == 7 * 24 * 3600  # given up then


def test_stores_with_trouble_come_first(world: World) -> None:
    _, held = world.add_order("1", state="held")
    world.add_work(held, world.storage.now())
    with world.storage.database.read() as connection:
        healths = health_of_all(connection, {}, world.storage.now() + timedelta(hours=1))
        assert connection.execute(select(func.count()).select_from(RollupHour.__table__)).scalar() == 0
    assert [(health.installation.id, health.trouble) for health in healths] == [
        ("inst1", ("backlog", "held")),
        ("inst2", ("access_lost",)),
    ]


def test_one_installation_is_looked_at_alone(world: World) -> None:
    _, held = world.add_order("1", state="held")
    world.add_work(held, world.storage.now())
    with world.storage.database.read() as connection:
        (health,) = health_of_all(connection, {}, world.storage.now(), "inst1")
        (other,) = health_of_all(connection, {}, world.storage.now(), "inst2")
    assert (health.held, health.backlog, other.held, other.backlog) == (1, 1, 0, 0)
    assert health.last_webhook_at is not None
    assert other.last_webhook_at is None


def add_hours(world: World, *rows: tuple[datetime, str, int]) -> None:
    with world.storage.database.write() as connection:
        connection.execute(
            insert(RollupHour.__table__),
            [{"hour": hour, "installation_id": name, "metric": "accepted", "count": n} for hour, name, n in rows],
        )


def test_hours_are_joined_to_parts_and_none_is_lost(world: World) -> None:
    start = datetime(2026, 11, 20, 5, tzinfo=UTC)
    add_hours(world, *((start + timedelta(hours=number), "inst1", 1 + number) for number in range(9)))
    with world.storage.database.read() as connection:
        found = overview(connection, start + timedelta(minutes=7), start + timedelta(hours=9), "inst1", hours=4)
    assert found.starts == [start, start + timedelta(hours=4), start + timedelta(hours=8)]
    assert found.series("accepted") == [1 + 2 + 3 + 4, 5 + 6 + 7 + 8, 9]
    assert found.total["accepted"] == 45


def test_sums_of_every_store_leave_out_those_of_all_together(world: World) -> None:
    hour = datetime(2026, 11, 20, 5, tzinfo=UTC)
    add_hours(
        world, (hour, "inst1", 2), (hour, "inst2", 3), (hour, EVERYBODY, 5), (hour - timedelta(hours=1), "inst1", 9)
    )
    with world.storage.database.read() as connection:
        found = totals(connection, hour, hour + timedelta(hours=1), ("accepted", "rejected"))
    assert found == {"inst1": {"accepted": 2}, "inst2": {"accepted": 3}}


def test_a_batch_that_is_refused_for_one_event_counts_that_one(world: World) -> None:
    events = [world.add_order(str(number))[1] for number in range(3)]
    world.add_attempt(events, result="rejected")  # the call: nothing of it was taken, the others went again
    world.add_attempt(events[:2])
    world.add_attempt(events[2:], result="rejected")
    count_all(world)
    assert {name: counted_of(world)[name] for name in ("accepted", "rejected")} == {"accepted": 2, "rejected": 1}


def test_what_our_own_check_or_an_old_pixel_refuses_is_counted(world: World) -> None:
    world.add_order("1", state="rejected", reason="invalid:value", attempts=0, delivered_at=None, match_keys="")
    _, old = world.add_order("2", state="rejected", reason="old_pixel_refused", delivered_at=None)
    world.add_attempt([old], result="access_lost", reason="no_permission")
    _, waits = world.add_order("3", state="pending", delivered_at=None)
    world.add_attempt([waits], result="access_lost", reason="token_revoked")
    count_all(world)
    counted = counted_of(world)
    assert counted["rejected"] == 2
    assert counted["matchable"] == 2  # what was never to be sent has no part in the coverage


def test_the_figures_are_those_of_the_rows(world: World) -> None:
    """Whatever the order of things: counted step by step is counted at once."""
    draw = Random(11)
    for number in range(40):
        world.installation = draw.choice(("inst1", "inst2"))
        state = draw.choice(list(EventState))
        attempts = draw.randrange(3) if state in ("pending", "rejected", "dead") else int(state == "delivered")
        _, event = world.add_order(
            str(number),
            state=state,
            attempts=attempts,
            match_keys=draw.choice(("email", "email,ttclid", "ip")),
            event_time=world.storage.now() - timedelta(seconds=draw.randrange(100_000)),
        )
        for _ in range(attempts):
            last = state if state in ("delivered", "rejected") else "retry"
            world.add_attempt([event], result="accepted" if last == "delivered" else last)
            break
        if draw.random() < 0.3:
            run_rollup_step(world.storage, NONE, NONE)
    count_all(world)
    with world.storage.database.read() as connection:
        rows = connection.execute(select(Event.__table__)).all()
        webhooks = connection.execute(select(func.count()).select_from(Webhook.__table__)).scalar()
    states = Counter(row.state for row in rows)
    sendable = [row for row in rows if row.state not in ("withheld", "filtered", "withdrawn")]
    sendable = [row for row in sendable if row.state != "rejected" or row.attempts]
    expected = {
        "arrived": webhooks,
        "made": len(rows),
        "accepted": states["delivered"],
        "rejected": states["rejected"],
        "withheld": states["withheld"],
        "filtered": states["filtered"],
        "matchable": len(sendable),
        "key_ttclid": sum("ttclid" in row.match_keys for row in sendable),
    }
    counted = counted_of(world)
    assert {name: counted.get(name, 0) for name in expected} == expected
    apart = [counted_of(world, name) for name in ("inst1", "inst2")]
    assert {name: sum(one.get(name, 0) for one in apart) for name in expected} == expected
