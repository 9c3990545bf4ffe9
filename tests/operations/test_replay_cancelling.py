"""A cancelled replay: nothing more is queued, what has not left stands as it stood, what has left stays sent."""

from datetime import timedelta

import orjson
import pytest
from sqlalchemy import delete, select, update

from connector.core.states import EventState, Lane
from connector.intake.processing import Processor
from connector.operations.replay import (
    JobProgress,
    ReplaySelection,
    cancel_replay,
    decide_held,
    find_job,
    replay_webhook,
    run_replay_steps,
    start_replay,
)
from connector.settings import Settings
from connector.storage.audit import verify_chain
from connector.storage.expiring import remove_replay_items
from connector.storage.opening import Storage
from connector.storage.queue import event_queue
from connector.storage.tables import Event, EventWork, Webhook, WebhookWork
from connector.storage.tables_console import AuditEntry, ReplayItem
from tests.clock import Clock
from tests.console.world import World, sample

ALL = ReplaySelection("inst1")
ACTOR = "admin@staff.example"


@pytest.fixture
def world(storage: Storage, settings: Settings) -> World:
    made = World(storage, settings)
    made.add_installation()
    return made


def rows(world: World, table: type) -> dict[int, object]:
    with world.storage.database.read() as connection:
        return {row[0]: row for row in connection.execute(select(table.__table__))}  # type: ignore[attr-defined]


def stands(world: World) -> dict[int, tuple[object, ...]]:
    """What a person sees of each event's state."""
    with world.storage.database.read() as connection:
        c = Event.__table__.c  # type: ignore[attr-defined]
        columns = (c.id, c.state, c.reason, c.updated_at, c.delivered_at, c.next_attempt_at, c.event_id)
        return {row.id: tuple(row) for row in connection.execute(select(*columns))}


def start(world: World, selection: ReplaySelection = ALL) -> int:
    return start_replay(world.storage, selection, actor=ACTOR, reason="try", total=0)


def run(world: World) -> None:
    while run_replay_steps(world.storage):
        pass


def progress(world: World, job_id: int) -> JobProgress:
    job = find_job(world.storage, job_id)
    assert job is not None
    return job


def claim(world: World, count: int, token: int = 77) -> list[int]:
    """A worker takes some to send them."""
    now = world.storage.now()
    with world.storage.database.write() as connection:
        taken = event_queue.claim(
            connection, "inst1", Lane.REPLAY, now=now, lease_until=now + timedelta(seconds=30), token=token,
            limit=count,
        )  # fmt: skip
    return [one.id for one in taken]


def deliver(world: World, ids: list[int], token: int = 77) -> None:
    """TikTok has taken them."""
    with world.storage.database.write() as connection:
        assert event_queue.complete(connection, ids, token) == set(ids)
        here = update(Event.__table__).where(Event.__table__.c.id.in_(ids))  # type: ignore[attr-defined]
        connection.execute(here.values(state="delivered", reason="", delivered_at=world.storage.now()))


def test_what_has_not_left_stands_as_it_stood(world: World, clock: Clock) -> None:
    ids = [world.add_order(str(number), state="rejected", reason="invalid_parameter")[1] for number in range(4)]
    ids += [world.add_order("5")[1], world.add_order("6", state="dead", reason="partial_success_unconfirmed")[1]]
    world.add_order("7", state="withheld", payload=None)
    before = stands(world)
    clock.time += timedelta(seconds=30)
    job_id = start(world)
    run(world)
    assert progress(world, job_id).state == "done"
    assert progress(world, job_id).can_be_cancelled
    sent = claim(world, 2)
    deliver(world, sent)
    assert cancel_replay(world.storage, job_id, actor=ACTOR) is True
    run(world)
    job = progress(world, job_id)
    assert (job.state, job.replayed, job.taken_back, job.gone) == ("cancelled", 6, 4, 2)
    assert not job.can_be_cancelled
    after = stands(world)
    assert {one: after[one] for one in after if one not in sent} == {
        one: before[one] for one in before if one not in sent
    }
    assert [after[one][1] for one in sent] == ["delivered", "delivered"]
    assert rows(world, EventWork) == rows(world, ReplayItem) == {}
    assert cancel_replay(world.storage, job_id, actor=ACTOR) is False
    assert set(ids) == set(before) - {one for one in before if before[one][1] == "withheld"}


def test_a_running_job_goes_no_further(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.operations.replay_selection.STEP", 2)
    monkeypatch.setattr("connector.operations.replay.STEP", 2)
    for number in range(5):
        world.add_order(str(number), state="rejected")
    job_id = start(world)
    assert run_replay_steps(world.storage) == 1
    assert len(rows(world, EventWork)) == 2
    assert cancel_replay(world.storage, job_id, actor=ACTOR) is True
    assert run_replay_steps(world.storage) == 0
    job = progress(world, job_id)
    assert (job.state, job.replayed, job.taken_back) == ("cancelled", 2, 2)
    assert rows(world, EventWork) == {}
    assert {row[1] for row in stands(world).values()} == {"rejected"}


def test_what_a_worker_holds_is_taken_back_when_it_comes_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is being sent when the replay is cancelled: either it has left then, or it waits again and is taken back."""
    monkeypatch.setattr("connector.operations.replay_cancelling._PART", 2)
    for number in range(7):
        world.add_order(str(number), state="rejected", reason="invalid_parameter")
    job_id = start(world)
    run(world)
    held = claim(world, 3)
    assert cancel_replay(world.storage, job_id, actor=ACTOR)
    assert run_replay_steps(world.storage, 10) == 10
    job = progress(world, job_id)
    assert (job.state, job.taken_back) == ("cancelling", 4)
    assert set(rows(world, EventWork)) == set(held)
    deliver(world, held[:1])
    with world.storage.database.write() as connection:  # TikTok asked for fewer calls
        later = world.storage.now() + timedelta(minutes=1)
        event_queue.postpone(connection, held[1:], 77, later, Lane.REPLAY)
    run(world)
    job = progress(world, job_id)
    assert (job.state, job.taken_back, job.gone) == ("cancelled", 6, 1)
    assert [stands(world)[one][1] for one in held] == ["delivered", "rejected", "rejected"]


def test_it_is_audited_with_how_many_were_sent_and_taken_back(world: World) -> None:
    for number in range(3):
        world.add_order(str(number), state="rejected")
    job_id = start(world)
    run(world)
    deliver(world, claim(world, 1))
    cancel_replay(world.storage, job_id, actor=ACTOR)
    run(world)
    entries = [row for row in rows(world, AuditEntry).values() if row.target == str(job_id)]  # type: ignore[attr-defined]
    assert [(row.actor, row.action, row.installation_id) for row in entries] == [
        (ACTOR, "replay", "inst1"), (ACTOR, "replay_cancelled", "inst1"), (ACTOR, "replay_taken_back", "inst1"),
    ]  # fmt: skip
    assert orjson.loads(entries[-1].details) == {"gone": 1, "taken_back": 2}
    assert verify_chain(world.storage) is None


def test_another_replay_of_the_same_event_and_a_decision_are_not_taken_back(world: World) -> None:
    _, twice = world.add_order("1", state="rejected")
    _, decided = world.add_order("2", state="rejected")
    first = start(world)
    run(world)
    for row_id, state in ((twice, "rejected"), (decided, "held")):
        deliver(world, claim(world, 1))
        with world.storage.database.write() as connection:
            here = update(Event.__table__).where(Event.__table__.c.id == row_id)  # type: ignore[attr-defined]
            connection.execute(here.values(state=state, reason="later"))
    start(world, ReplaySelection("inst1", event_row_id=twice))
    run(world)
    decide_held(world.storage, decided, send=True, actor=ACTOR, reason="not there")
    assert cancel_replay(world.storage, first, actor=ACTOR)
    run(world)
    assert set(rows(world, EventWork)) == {twice, decided}
    assert progress(world, first).taken_back == 0
    assert {row[1] for row in stands(world).values()} == {EventState.PENDING}


def test_what_was_decided_meanwhile_stays_decided(world: World) -> None:
    """An erasure or a refusal of consent counts more than how it stood before."""
    _, event = world.add_order("1", state="rejected")
    job_id = start(world)
    run(world)
    with world.storage.database.write() as connection:
        here = update(Event.__table__).where(Event.__table__.c.id == event)  # type: ignore[attr-defined]
        connection.execute(here.values(state="withdrawn", reason="erased", payload=None))
    cancel_replay(world.storage, job_id, actor=ACTOR)
    run(world)
    assert [row[1:3] for row in stands(world).values()] == [("withdrawn", "erased")]
    assert progress(world, job_id).taken_back == 0
    assert rows(world, EventWork) == {}


def test_a_replay_of_which_nothing_waits_cannot_be_cancelled(world: World) -> None:
    world.add_order("1", state="rejected")
    job_id = start(world)
    run(world)
    deliver(world, claim(world, 1))
    assert not progress(world, job_id).can_be_cancelled
    assert cancel_replay(world.storage, job_id, actor=ACTOR) is False
    assert cancel_replay(world.storage, 404, actor=ACTOR) is False
    assert progress(world, job_id).state == "done"


def test_webhooks_that_were_not_read_yet_stand_as_they_stood(world: World) -> None:
    topic, body, headers = sample("order_stamped_consent_granted")
    ids = [world.add_webhook(topic, body, headers, state="ignored", reason="draft_order") for _ in range(5)]
    job_id = start(world, ReplaySelection("inst1", webhooks=True, state="ignored"))
    run(world)
    assert len(rows(world, WebhookWork)) == 5
    Processor(world.storage, 30.0).run_once(2)
    replay_webhook(world.storage, ids[-1], actor=ACTOR, reason="this one all the same")
    assert cancel_replay(world.storage, job_id, actor=ACTOR)
    run(world)
    job = progress(world, job_id)
    assert (job.state, job.replayed, job.taken_back) == ("cancelled", 5, 2)
    found = rows(world, Webhook)
    assert [(found[one].state, found[one].reason) for one in ids[2:]] == [  # type: ignore[attr-defined]
        ("ignored", "draft_order"), ("ignored", "draft_order"), ("received", ""),
    ]  # fmt: skip
    assert all(found[one].state != "received" for one in ids[:2])  # type: ignore[attr-defined]
    assert set(rows(world, WebhookWork)) == {ids[-1]}


def test_how_events_stood_is_forgotten_after_a_while(world: World) -> None:
    for number in range(3):
        world.add_order(str(number), state="rejected")
    old = start(world)
    run(world)
    with world.storage.database.write() as connection:
        connection.execute(delete(EventWork.__table__))  # type: ignore[attr-defined]
    assert remove_replay_items(world.storage.database, old, 2) == 0
    assert remove_replay_items(world.storage.database, old + 1, 2) == 2
    assert remove_replay_items(world.storage.database, old + 1, 2) == 1
    assert rows(world, ReplayItem) == {}
