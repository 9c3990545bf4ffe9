"""No page of the console reads a big table from end to end, whatever it is asked: plans on both databases."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text

from connector.console.overview_pages import read_dashboard
from connector.console.search_pages import search
from connector.console.services import console_services
from connector.console.tail import Tail
from connector.core.states import Lane
from connector.operations.replay import start_replay
from connector.operations.replay_cancelling import begin_to_cancel, count_waiting, note_items, take_back_part
from connector.operations.replay_selection import ReplaySelection, selected_events
from connector.operations.replay_webhooks import selected_webhooks
from connector.settings import Settings
from connector.storage.journeys import event_rows, order_rows, store_names, webhook_rows
from connector.storage.lists import (
    ATTEMPTS,
    EVENTS,
    REFUSED,
    WEBHOOKS,
    ListOf,
    Wanted,
    count_up_to,
    read_narrow,
    read_page,
    read_rows,
    read_sorted,
)
from connector.storage.opening import Storage
from connector.storage.queue import NewWork, event_queue
from connector.storage.tables import ConsentRecord, Event, RefusedWebhook, Webhook
from connector.storage.tables_console import RollupHour
from tests.console.world import World
from tests.storage.query_plans import plans_of

_BIG = "webhook|webhook_key|event|delivery_attempt|attempt_event|search_term|consent_record|rollup_hour|order_ledger"
# SQLite says SCAN for a walk in the order of the key too; then the walk must end by a LIMIT, never by a sort.
_SQLITE_SCAN = re.compile(rf"SCAN ({_BIG})\b(?! USING)")
_POSTGRES_SCAN = re.compile(rf"Seq Scan on ({_BIG})\b")
_NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
_Query = Callable[[Connection], object]


@pytest.fixture
def world(storage: Storage, settings: Settings) -> World:
    made = World(storage, settings)
    for name in ("inst1", "inst2"):
        made.add_installation(name)
    fill(made)
    return made


def fill(world: World) -> None:
    """Enough rows, and statistics, that a planner has reason to use an index."""
    now, storage = world.storage.now(), world.storage
    ids = storage.new_ids(3000)
    webhooks, events, refused, consents = [], [], [], []
    for number, row_id in enumerate(ids):
        owner = {"id": row_id, "installation_id": f"inst{1 + number % 2}"}
        webhooks.append(
            owner | {"topic": "order.created", "received_at": now, "digest": row_id.to_bytes(16, "big"),
                     "headers": "{}", "body": b"{}", "body_encoding": "raw", "source": "store", "processed_at": now,
                     "state": "unreadable" if number % 700 == 0 else "processed", "reason": "",
                     "order_id": str(number) if number % 2 else None}
        )  # fmt: skip
        state = "held" if number % 500 == 0 else "pending" if number % 50 == 0 else "delivered"
        events.append(
            owner | {"webhook_id": row_id, "event_id": f"e{row_id}", "name": "ViewContent", "state": state,
                     "order_id": str(number) if number % 2 else None, "event_time": now, "created_at": now,
                     "updated_at": now, "order_subject": number.to_bytes(16, "big")}
        )  # fmt: skip
        refused.append(owner | {"received_at": now, "status": 401, "reason": "bad_signature"})
        consents.append(
            owner | {"subject": number.to_bytes(16, "big"), "status": "granted", "recorded_at": now,
                     "webhook_id": row_id}
        )  # fmt: skip
    hours = [
        {"hour": _NOW - timedelta(hours=n), "installation_id": name, "metric": metric, "count": n}
        for n in range(300) for name in ("", "inst1", "inst2") for metric in ("accepted", "arrived")
    ]  # fmt: skip
    with storage.database.write() as connection:
        for table, rows in ((Webhook, webhooks), (Event, events), (RefusedWebhook, refused),
                            (ConsentRecord, consents), (RollupHour, hours)):  # fmt: skip
            connection.execute(insert(table.__table__), rows)  # type: ignore[attr-defined]
    for number in range(40):
        world.add_attempt([ids[number]], request_id=f"r{number}")
        world.add_terms(ids[number], email=f"person{number}@example.com", order_number=str(number))
    with storage.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def faults(world: World, query: _Query, *, walks: bool = False) -> list[str]:
    """Plans that read a big table whole, or sort it."""
    found = []
    for plan in plans_of(world.storage.database, query):
        if world.storage.database.is_sqlite:
            # A bounded part of a walk is a CO-ROUTINE; what it leaves over may be sorted.
            whole = _SQLITE_SCAN.search(plan) and not (walks or "CO-ROUTINE" in plan)
            sorts = re.search(rf"SCAN ({_BIG})\b", plan) and "FOR ORDER BY" in plan and "CO-ROUTINE" not in plan
            bad = bool(whole or sorts)
        else:
            bad = _POSTGRES_SCAN.search(plan) is not None
        if bad:
            found.append(plan)
    return found


def filters(listed: ListOf) -> list[Wanted]:
    """Every filter that the list's page offers, alone and together with an installation."""
    value = {"status": "401", "code": "0", "http_status": "200"}
    asked = [Wanted(equal={name: value.get(name, "nothing")}) for name in listed.equal]
    asked += [Wanted(), Wanted(since=_NOW), Wanted(until=_NOW), Wanted(since=_NOW, until=_NOW, oldest_first=True)]
    asked += [
        Wanted(equal={"state": state}) for state in ("held", "unreadable", "pending") if "state" in listed.equal
    ]
    asked += [Wanted(before=5), Wanted(after=5), Wanted(equal=dict.fromkeys(listed.equal, "1"))]
    if listed is not REFUSED:
        asked += [Wanted(order_id="17"), Wanted(event_id="e1"), Wanted(request_id="r1")]
    names = [name for name in Wanted.__slots__ if name != "installation_id"]
    return asked + [Wanted("inst1", **{name: getattr(one, name) for name in names}) for one in asked]


@pytest.mark.parametrize("listed", [WEBHOOKS, EVENTS, ATTEMPTS, REFUSED], ids=lambda one: one.table.name)
def test_no_filter_and_no_count_of_a_list_reads_a_table_whole(world: World, listed: ListOf) -> None:
    for asked in filters(listed):

        def page(connection: Connection, asked: Wanted = asked) -> object:
            count_up_to(connection, listed, asked, 1001)
            return read_page(connection, listed, asked)

        assert faults(world, page, walks=True) == [], asked


@pytest.mark.parametrize("listed", [WEBHOOKS, EVENTS, ATTEMPTS, REFUSED], ids=lambda one: one.table.name)
def test_no_order_of_a_list_sorts_a_table(world: World, listed: ListOf) -> None:
    for column in listed.columns:
        for wanted in (Wanted(), Wanted("inst1", {listed.equal[0]: "1"})):

            def page(connection: Connection, column: str = column, wanted: Wanted = wanted) -> object:
                return read_sorted(connection, listed, wanted, column, descending=True, among=100)

            assert faults(world, page, walks=True) == [], column


def others(world: World) -> dict[str, _Query]:
    """Every other query behind a page, by name."""
    key = world.storage.hash_key
    tail = Tail(console_services(world.settings, world.storage))

    def row(connection: Connection, table: Any, order: bool) -> Any:
        c = table.__table__.c
        has = c.order_id.is_not(None) if order else c.order_id.is_(None)
        return (
            connection.execute(text("SELECT 1"))
            and connection.execute(table.__table__.select().where(has).limit(1)).first()
        )

    with world.storage.database.read() as connection:
        order, view = row(connection, Webhook, True).id, row(connection, Webhook, False).id
        event = row(connection, Event, True).id
    texts = ("person3@example.com", "+4915112345678", "#17", "E.C.P.abc", f"e{event}", "r3", "no such thing")
    selections = {
        "webhook": ReplaySelection("inst1", webhook_id=view),
        "state": ReplaySelection("inst1", state="delivered", since=_NOW),
        "order": ReplaySelection("inst1", order_id="17"),
        "time": ReplaySelection("inst1", since=_NOW, until=_NOW),
        "event": ReplaySelection("inst1", event_row_id=event),
    }
    return {
        **{f"search for {one}": lambda c, one=one: search(c, key, one) for one in texts},
        **{f"replay by {name}": lambda c, s=s: list(selected_events(c, s)) for name, s in selections.items()},
        **{f"webhooks by {name}": lambda c, s=s: list(selected_webhooks(c, s)) for name, s in selections.items()},
        "journey": lambda c: order_rows(c, "inst1", "17"),
        "page of an order's webhook": lambda c: webhook_rows(c, order),
        "page of another webhook": lambda c: webhook_rows(c, view),
        "page of an event": lambda c: event_rows(c, event),
        "dashboard of all": lambda c: read_dashboard(c, _NOW, "30d", None),
        "dashboard of one": lambda c: read_dashboard(c, _NOW, "7d", "inst1"),
        "tail": tail._look,
        "suggestions": store_names,
    }


def test_no_other_page_reads_a_table_whole(world: World) -> None:
    found = {name: faults(world, query) for name, query in others(world).items()}
    assert {name: plans for name, plans in found.items() if plans} == {}


def test_an_exact_index_answers_each_pointer(world: World) -> None:
    indexes = (
        (WEBHOOKS, Wanted(installation_id="inst1"), "webhook_of_installation|_installation_id_id_idx"),
        (WEBHOOKS, Wanted(equal={"state": "unreadable"}), "webhook_unreadable|_id_idx"),
        (WEBHOOKS, Wanted(order_id="17"), "webhook_of_order|_order_id_idx"),
        (EVENTS, Wanted(installation_id="inst1", equal={"state": "pending"}), "event_of_state"),
        (EVENTS, Wanted(equal={"state": "held"}), "event_trouble"),
        (EVENTS, Wanted(order_id="17"), "event_of_order"),
        (EVENTS, Wanted(event_id="abc"), "event_once|autoindex_event"),
        (ATTEMPTS, Wanted(request_id="abc"), "attempt_of_request"),
        (ATTEMPTS, Wanted(installation_id="inst1"), "attempt_of_installation"),
    )
    for listed, wanted, index in indexes:
        plans = plans_of(world.storage.database, lambda c, of=listed, asked=wanted: read_page(c, of, asked))
        assert re.search(index, "\n".join(plans)), (index, plans)


def test_taking_a_replay_back_goes_by_its_indexes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.operations.replay_cancelling._PART", 10)
    storage = world.storage
    start_replay(storage, ReplaySelection("inst2"), actor="a", reason="theirs", total=0)
    mine = start_replay(storage, ReplaySelection("inst1"), actor="a", reason="mine", total=0)
    with storage.database.write() as connection:
        ids = list(connection.execute(select(Event.__table__.c.id)).scalars())
        for installation_id, job_id, part in (("inst2", mine - 1, ids[:2900]), ("inst1", mine, ids[2900:])):
            event_queue.add(connection, [NewWork(one, installation_id, _NOW, Lane.REPLAY) for one in part])
            note_items(connection, job_id, [(one, "rejected", "", _NOW) for one in part])
    with storage.database.write() as connection:
        connection.execute(text("ANALYZE"))
    assert begin_to_cancel(storage, mine, webhooks=False, actor="a")
    plans = plans_of(storage.database, lambda _: take_back_part(storage, mine, webhooks=False))
    plans += plans_of(storage.database, lambda c: count_waiting(c, "inst1", webhooks=False))
    assert len(plans) >= 5
    whole = re.compile(
        r"SCAN (?:event|event_work|replay_item)\b(?! USING)|Seq Scan on (?:event|event_work|replay_item)\b"
    )
    assert [plan for plan in plans if whole.search(plan)] == []


def test_what_an_export_reads_goes_by_the_indexes(world: World) -> None:
    for wanted in (Wanted(installation_id="inst1"), Wanted(equal={"reason": "x"}), Wanted(before=1 << 62)):
        assert faults(world, lambda c, asked=wanted: read_narrow(c, EVENTS, asked, "value"), walks=True) == []
    assert faults(world, lambda c: read_rows(c, EVENTS, [1, 2, 3])) == []
