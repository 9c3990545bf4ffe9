"""What a replay counts, sends, leaves, cancels; and that it never sends what TikTok would count twice."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from connector.core.states import EventState, Lane
from connector.errors import UsageError
from connector.intake.processing import Processor
from connector.operations import replay_selection
from connector.operations.installations import remove_installation
from connector.operations.replay import (
    ReplaySelection,
    decide_held,
    find_job,
    look,
    plan_replay,
    replay_webhook,
    run_replay_steps,
    start_replay,
)
from connector.operations.replay_rules import ReplayVerdict, verdict_of
from connector.settings import Settings
from connector.storage.audit import verify_chain
from connector.storage.journeys import find_event, find_webhook
from connector.storage.opening import Storage
from connector.storage.queue import event_queue, webhook_queue
from connector.storage.tables import Event, EventWork, WebhookWork
from tests.console.world import World, sample

ALL = ReplaySelection("inst1")


@pytest.fixture
def world(storage: Storage, settings: Settings) -> World:
    made = World(storage, settings)
    made.add_installation()
    return made


def waiting(world: World) -> dict[int, str]:
    with world.storage.database.read() as connection:
        return {row.id: row.lane for row in connection.execute(select(EventWork.__table__))}


def event_of(world: World, row_id: int):
    with world.storage.database.read() as connection:
        row = find_event(connection, row_id)
    assert row is not None
    return row


def test_a_dry_run_counts_and_changes_nothing(world: World) -> None:
    now = world.storage.now()
    world.add_order("1", state="rejected", delivered_at=None)
    world.add_order("2")
    world.add_order("3", event_time=now - timedelta(days=3))
    world.add_order("4", event_time=now - timedelta(days=8), state="dead", delivered_at=None)
    world.add_order("5", state="withheld", payload=None)
    world.add_order("6", state="held")
    world.add_order("7", state="dead", browser_copy=True, event_time=now - timedelta(days=3))
    plan = plan_replay(world.storage, ALL)
    assert plan.verdicts == {
        ReplayVerdict.SENDS: 1, ReplayVerdict.SENT_AGAIN: 1, ReplayVerdict.COUNTED_TWICE: 1, ReplayVerdict.TOO_OLD: 1,
        ReplayVerdict.FINAL: 1, ReplayVerdict.HELD: 1, ReplayVerdict.WOULD_BE_HELD: 1,
    }  # fmt: skip
    assert (plan.total, plan.goes, plan.complete) == (7, 2, True)
    assert waiting(world) == {}


def test_selections_meet(world: World) -> None:
    first, event = world.add_order("1", state="rejected")
    world.add_order("2", state="rejected")
    world.add_order("3")
    storage, now = world.storage, world.storage.now()
    for selection, total in (
        (ALL, 3), (ReplaySelection("inst1", state="rejected"), 2), (ReplaySelection("inst1", order_id="1"), 1),
        (ReplaySelection("inst1", webhook_id=first), 1), (ReplaySelection("inst1", event_row_id=event), 1),
        (ReplaySelection("inst1", since=now + timedelta(days=1)), 0),
        (ReplaySelection("inst1", until=now + timedelta(days=1)), 3),
    ):  # fmt: skip
        assert plan_replay(storage, selection).total == total, selection
        assert ReplaySelection.from_json(selection.as_json()) == selection
    with pytest.raises(UsageError):
        plan_replay(storage, ReplaySelection("nobody"))


def test_a_job_sends_on_in_its_own_lane_and_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_selection, "STEP", 2)
    monkeypatch.setattr("connector.operations.replay.STEP", 2)
    rejected = [world.add_order(str(number), state="rejected", event_id=f"id-{number}")[1] for number in range(5)]
    withheld = world.add_order("9", state="withheld", payload=None)[1]
    job_id = start_replay(world.storage, ALL, actor="admin@staff.example", reason="mapping mended", total=6)
    while run_replay_steps(world.storage):
        pass
    job = find_job(world.storage, job_id)
    assert job is not None
    assert (job.state, job.replayed, job.skipped) == ("done", 5, 1)
    assert waiting(world) == dict.fromkeys(rejected, Lane.REPLAY)
    assert {event_of(world, row_id).state for row_id in rejected} == {EventState.PENDING}
    assert event_of(world, rejected[0]).event_id == "id-0"
    assert event_of(world, withheld).state == EventState.WITHHELD
    assert run_replay_steps(world.storage) == 0
    assert verify_chain(world.storage) is None


def test_todays_mapping_is_shown_and_used_with_the_same_event_id(world: World) -> None:
    topic, body, headers = sample("order_stamped_consent_granted")
    webhook = world.add_webhook(topic, body, headers, order_id="30")
    stamped = "49630370e358c88022b904dab04682c13fdaacc5431bd79a7f342cda31470640"
    old = {"event": "CompletePayment", "event_id": stamped, "properties": {"value": 1.0, "currency": "EUR"},
           "limited_data_use": True}  # fmt: skip
    event = world.add_event(
        webhook, event_id=stamped, state="rejected", order_id="30", payload=orjson.dumps(old), value=Decimal(1)
    )
    plan = plan_replay(world.storage, ALL)
    assert (plan.compared, plan.changed_events) == (1, 1)
    assert plan.changed["properties.value"] == 1
    assert "limited_data_use" not in plan.changed
    start_replay(world.storage, ALL, actor="a", reason="value was wrong", total=1)
    run_replay_steps(world.storage)
    sent = orjson.loads(event_of(world, event).payload)
    assert sent["properties"]["value"] == 35.58
    assert sent["event_id"] == stamped
    assert sent["limited_data_use"] is True


def test_an_expired_body_sends_what_was_kept(world: World) -> None:
    webhook = world.add_webhook("order.created", b"", body_encoding="expired")
    event = world.add_event(webhook, state="rejected", payload=b'{"event":"CompletePayment"}')
    start_replay(world.storage, ALL, actor="a", reason="try", total=1)
    run_replay_steps(world.storage)
    assert event_of(world, event).payload == b'{"event":"CompletePayment"}'
    with pytest.raises(UsageError, match="no longer kept"):
        replay_webhook(world.storage, webhook, actor="a", reason="try")


def test_no_reason_no_replay(world: World) -> None:
    webhook, event = world.add_order("1", state="held")
    for deed in (
        lambda: start_replay(world.storage, ALL, actor="a", reason="  ", total=0),
        lambda: replay_webhook(world.storage, webhook, actor="a", reason=""),
        lambda: decide_held(world.storage, event, send=True, actor="a", reason=" "),
    ):
        with pytest.raises(UsageError):
            deed()
    assert waiting(world) == {}


def test_nothing_of_a_removed_installation_is_sent_again(world: World) -> None:
    world.add_order("1", state="dead")
    remove_installation(world.storage, world.installation)
    with pytest.raises(UsageError, match="was removed"):
        start_replay(world.storage, ALL, actor="a", reason="try", total=1)
    assert waiting(world) == {}


def test_a_held_event_is_sent_or_let_go_by_a_person(world: World) -> None:
    _, send = world.add_order("1", state="held", browser_copy=True)
    _, let_go = world.add_order("2", state="held", browser_copy=True)
    decide_held(world.storage, send, send=True, actor="a", reason="not in Events Manager")
    decide_held(world.storage, let_go, send=False, actor="a", reason="it is there")
    sent, gone = event_of(world, send), event_of(world, let_go)
    assert (sent.state, sent.browser_copy) == (EventState.PENDING, False)
    assert (gone.state, gone.payload, gone.match_keys) == (EventState.WITHDRAWN, None, "")
    assert waiting(world) == {send: Lane.REPLAY}
    with pytest.raises(UsageError, match="not held"):
        decide_held(world.storage, send, send=True, actor="a", reason="again")


def test_a_webhook_is_read_again_in_the_replay_lane(world: World) -> None:
    webhook, _ = world.add_order("1")
    replay_webhook(world.storage, webhook, actor="a", reason="reader mended")
    with world.storage.database.read() as connection:
        assert webhook_queue.backlog(connection) == 1
        assert event_queue.backlog(connection) == 0
        row = find_webhook(connection, webhook)
    assert row is not None
    assert row.state == "received"


class Row:
    """An event's columns as the rules see them."""

    def __init__(self, **values: object) -> None:
        self.__dict__.update(values)


@given(
    state=st.sampled_from(list(EventState)), hours=st.integers(0, 400), copy=st.booleans(),
    name=st.sampled_from(["CompletePayment", "ViewContent"]), kept=st.booleans(),
)  # fmt: skip
def test_nothing_goes_that_tiktok_would_count_twice_or_not_at_all(state, hours, copy, name, kept) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    row = Row(
        state=state,
        name=name,
        event_time=now - timedelta(hours=hours),
        browser_copy=copy,
        payload=b"{}" if kept else None,
    )
    verdict = verdict_of(row, now)  # type: ignore[arg-type]
    if verdict in (ReplayVerdict.SENDS, ReplayVerdict.SENT_AGAIN):
        assert kept
        assert hours < 7 * 24
        assert state in (EventState.DELIVERED, EventState.REJECTED, EventState.DEAD)
        if hours >= 48:
            assert state is not EventState.DELIVERED
            assert not copy


def test_webhooks_are_read_anew_by_filter_and_no_event_twice(world: World) -> None:
    topic, body, headers = sample("order_stamped_consent_granted")
    unread = [world.add_webhook(topic, body, headers, state="unreadable", reason="fault:KeyError") for _ in range(3)]
    expired = world.add_webhook(topic, b"", headers, state="unreadable", body_encoding="expired")
    world.add_webhook(topic, b"<html>", headers, state="unreadable", reason="not_json")
    world.add_webhook(topic, body, headers, state="processed")
    selection = ReplaySelection("inst1", webhooks=True, state="unreadable")
    assert ReplaySelection.from_json(selection.as_json()) == selection
    plan = look(world.storage, selection)
    made = {ReplayVerdict.MAKES_EVENT, ReplayVerdict.MAKES_LATE, ReplayVerdict.MAKES_OLD}
    assert (plan.total, plan.goes, plan.compared, plan.complete) == (5, 4, 5, True)
    assert sum(plan.verdicts.get(verdict, 0) for verdict in made) == 3
    assert plan.verdicts[ReplayVerdict.NOT_KEPT] == plan.verdicts[ReplayVerdict.MAKES_NOTHING] == 1

    narrow = ReplaySelection("inst1", webhooks=True, state="unreadable", reason="fault:KeyError", topic=topic)
    job_id = start_replay(world.storage, narrow, actor="admin@staff.example", reason="reader mended", total=3)
    while run_replay_steps(world.storage):
        pass
    job = find_job(world.storage, job_id)
    assert job is not None
    assert (job.state, job.replayed, job.skipped) == ("done", 3, 0)
    with world.storage.database.read() as connection:
        work = {row.id: row.lane for row in connection.execute(select(WebhookWork.__table__))}
        assert {find_webhook(connection, one).state for one in unread} == {"received"}
        assert find_webhook(connection, expired).state == "unreadable"
    assert work == dict.fromkeys(unread, Lane.REPLAY)
    while Processor(world.storage, 30.0).run_once():
        pass
    with world.storage.database.read() as connection:
        events = connection.execute(select(Event.__table__)).all()
    assert len(events) == 1
    again = look(world.storage, ReplaySelection("inst1", webhooks=True, webhook_id=unread[0]))
    assert again.verdicts == {ReplayVerdict.KNOWN: 1}
