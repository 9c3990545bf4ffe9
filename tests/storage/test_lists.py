"""Keyset pages, bounded scans and the plans behind them, on both databases."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import insert, text

from connector.settings import Settings
from connector.storage import lists
from connector.storage.lists import ATTEMPTS, EVENTS, WEBHOOKS, Wanted, count_up_to, read_page
from connector.storage.opening import Storage
from connector.storage.tables import Event, Webhook
from tests.console.world import World


@pytest.fixture
def world(storage: Storage, settings: Settings) -> World:
    made = World(storage, settings)
    for name in ("inst1", "inst2"):
        made.add_installation(name)
    return made


def add_webhooks(world: World, count: int, **values: Any) -> list[int]:
    """Many at once; ids ascend."""
    ids = world.storage.new_ids(count)
    row = {
        "installation_id": "inst1", "topic": "order.created", "received_at": world.storage.now(), "headers": "{}",
        "body": b"{}", "body_encoding": "raw", "source": "store", "state": "processed", "reason": "",
        "order_id": None,
    } | values  # fmt: skip
    with world.storage.database.write() as connection:
        connection.execute(insert(Webhook.__table__), [row | {"id": i, "digest": i.to_bytes(16, "big")} for i in ids])
    return ids


def walk(world: World, wanted: Wanted, **more: Any) -> list[list[int]]:
    """Every page from the first to the last, by the keys that the pages give."""
    pages = []
    while True:
        with world.storage.database.read() as connection:
            page = read_page(connection, WEBHOOKS, wanted, ["inst1", "inst2"], **more)
        pages.append([row.id for row in page.rows])
        if not page.more:
            return pages
        up = wanted.oldest_first
        wanted = Wanted(**{name: getattr(wanted, name) for name in Wanted.__slots__}
                        | {"after": page.edge if up else None, "before": None if up else page.edge})  # fmt: skip


def flat(pages: list[list[int]]) -> list[int]:
    """All ids in order."""
    return [row_id for page in pages for row_id in page]


@pytest.mark.parametrize("oldest_first", [False, True])
def test_pages_hold_every_row_once_in_order(world: World, oldest_first: bool) -> None:
    ids = add_webhooks(world, 23)
    pages = walk(world, Wanted(limit=5, oldest_first=oldest_first))
    assert [len(page) for page in pages] == [5, 5, 5, 5, 3]
    assert flat(pages) == (ids if oldest_first else ids[::-1])


def test_a_page_back_is_the_page_that_was(world: World) -> None:
    ids = add_webhooks(world, 12)
    newest = ids[::-1]
    with world.storage.database.read() as connection:
        back = read_page(connection, WEBHOOKS, Wanted(limit=4, after=newest[4]))
        back_up = read_page(connection, WEBHOOKS, Wanted(limit=4, before=ids[4], oldest_first=True))
    assert [row.id for row in back.rows] == newest[:4]
    assert [row.id for row in back_up.rows] == ids[:4]


def test_filters_meet(world: World) -> None:
    add_webhooks(world, 5, topic="product.updated")
    wanted = add_webhooks(world, 3, state="ignored", reason="draft_order")
    add_webhooks(world, 4, installation_id="inst2", state="ignored", reason="draft_order")
    asked = Wanted(installation_id="inst1", equal={"state": "ignored", "reason": "draft_order"}, limit=50)
    assert flat(walk(world, asked)) == wanted[::-1]


def test_time_is_asked_for_by_id(world: World, clock: Any) -> None:
    ids = add_webhooks(world, 4)
    now = world.storage.now()
    assert flat(walk(world, Wanted(since=now + timedelta(days=2)))) == []
    assert flat(walk(world, Wanted(until=now + timedelta(days=2), since=now - timedelta(days=2)))) == ids[::-1]


def test_a_rare_match_far_back_costs_no_more_than_the_budget(world: World) -> None:
    rare = add_webhooks(world, 1, reason="needle")
    add_webhooks(world, 2500)
    ticks: Iterator[float] = iter(range(10_000))
    asked = Wanted(equal={"reason": "needle"}, limit=5)
    with world.storage.database.read() as connection:
        page = read_page(connection, WEBHOOKS, asked, clock=lambda: float(next(ticks)))
    assert (list(page.rows), page.stopped, page.more) == ([], True, True)
    assert flat(walk(world, asked, clock=lambda: float(next(ticks)))) == rare


def test_counts_stop_counting(world: World) -> None:
    add_webhooks(world, 30)
    with world.storage.database.read() as connection:
        assert count_up_to(connection, WEBHOOKS, Wanted(), 10) == 10
        assert count_up_to(connection, WEBHOOKS, Wanted(installation_id="inst1"), 100) == 30
        assert count_up_to(connection, WEBHOOKS, Wanted(equal={"reason": "x"}), 100) is None


def test_order_event_id_and_request_id_lead_everywhere(world: World) -> None:
    webhook, event = world.add_order("55", event_id="event-id-0000000001")
    attempt = world.add_attempt([event], request_id="request-7")
    world.add_order("56")
    for asked in ({"order_id": "55"}, {"event_id": "event-id-0000000001"}, {"request_id": "request-7"}):
        for listed, row_id in ((WEBHOOKS, webhook), (EVENTS, event), (ATTEMPTS, attempt)):
            with world.storage.database.read() as connection:
                page = read_page(connection, listed, Wanted(**asked), ["inst1", "inst2"])
            assert [row.id for row in page.rows] == [row_id], (asked, listed.table.name)


def test_what_a_person_typed_never_becomes_a_statement(world: World) -> None:
    add_webhooks(world, 1)
    for value in ("held' OR '1'='1", "x; DROP TABLE webhook", "ünï"):
        with world.storage.database.read() as connection:
            asked = Wanted(installation_id=value, equal={"state": value}, order_id=value, event_id=value)
            assert not read_page(connection, EVENTS, asked, ["inst1"]).rows


PLANS = (
    (WEBHOOKS, Wanted(), "webhook"),
    (WEBHOOKS, Wanted(installation_id="inst1"), "webhook_of_installation"),
    (WEBHOOKS, Wanted(equal={"state": "unreadable"}), "webhook_unreadable"),
    (WEBHOOKS, Wanted(installation_id="inst1", equal={"topic": "order.created"}), "webhook_of_installation"),
    (WEBHOOKS, Wanted(order_id="17"), "webhook_of_order"),
    (EVENTS, Wanted(installation_id="inst1", equal={"state": "pending"}), "event_of_state"),
    (EVENTS, Wanted(equal={"state": "held"}), "event_trouble"),
    (EVENTS, Wanted(order_id="17"), "event_of_order"),
    (EVENTS, Wanted(event_id="abc"), "event_once"),
    (ATTEMPTS, Wanted(request_id="abc"), "attempt_of_request"),
    (ATTEMPTS, Wanted(installation_id="inst1"), "attempt_of_installation"),
)


@pytest.mark.parametrize(("listed", "wanted", "index"), PLANS)
def test_plans_use_their_index_and_sort_nothing(world: World, listed: Any, wanted: Wanted, index: str) -> None:
    fill(world)
    plans = plans_of(world, lambda connection: read_page(connection, listed, wanted, ["inst1", "inst2"]))
    together = "\n".join(plans)
    if listed is not WEBHOOKS or world.storage.database.is_sqlite:
        assert index in together or f"autoindex_{listed.table.name}" in together, together
    # The rows that a bounded part of the walk leaves over may be sorted; the table never.
    assert "CO-ROUTINE" in plans[0] or "TEMP B-TREE FOR ORDER BY" not in plans[0], together
    assert f"Seq Scan on {listed.table.name}" not in together, together


def fill(world: World) -> None:
    """Enough rows, and statistics, that a planner has reason to use an index."""
    for installation_id in ("inst1", "inst2"):
        add_webhooks(world, 1500, installation_id=installation_id)
    rows = []
    for number, row_id in enumerate(world.storage.new_ids(3000)):
        state = "held" if number % 500 == 0 else "pending" if number % 50 == 0 else "delivered"
        rows.append(
            {"id": row_id, "installation_id": f"inst{1 + number % 2}", "webhook_id": row_id, "event_id": f"e{row_id}",
             "name": "ViewContent", "state": state, "order_id": str(row_id), "event_time": world.storage.now(),
             "created_at": world.storage.now(), "updated_at": world.storage.now()}
        )  # fmt: skip
    with world.storage.database.write() as connection:
        connection.execute(insert(Event.__table__), rows)
    for number in range(40):
        world.add_attempt([rows[number]["id"]], request_id=f"r{number}")
    with world.storage.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def plans_of(world: World, query: Any) -> list[str]:
    """The plan of every statement that `query` runs, sequential scans made dear on PostgreSQL's small tables."""
    plans: list[str] = []
    database = world.storage.database
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    with database.read() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))

        def note(cursor_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if statement.startswith("SELECT"):
                inner = cursor.connection.cursor()
                inner.execute(explain + statement, parameters)
                plans.append("\n".join(str(row) for row in inner.fetchall()))

        sqlalchemy_event.listen(database.engine, "before_cursor_execute", note)
        try:
            query(connection)
        finally:
            sqlalchemy_event.remove(database.engine, "before_cursor_execute", note)
    return plans


def test_the_budget_is_a_fraction_of_what_a_page_may_take() -> None:
    assert lists.SCAN_SECONDS <= 0.08
