"""Keyset pages, bounded scans and the plans behind them, on both databases."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from connector.settings import Settings
from connector.storage import lists
from connector.storage.lists import ATTEMPTS, EVENTS, WEBHOOKS, Wanted, count_up_to, read_page, read_sorted
from connector.storage.opening import Storage
from connector.storage.tables import Webhook
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
            page = read_page(connection, WEBHOOKS, wanted, **more)
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
                page = read_page(connection, listed, Wanted(**asked))
            assert [row.id for row in page.rows] == [row_id], (asked, listed.table.name)


def test_what_a_person_typed_never_becomes_a_statement(world: World) -> None:
    add_webhooks(world, 1)
    for value in ("held' OR '1'='1", "x; DROP TABLE webhook", "ünï"):
        with world.storage.database.read() as connection:
            asked = Wanted(installation_id=value, equal={"state": value}, order_id=value, event_id=value)
            assert not read_page(connection, EVENTS, asked).rows


def test_a_list_is_sorted_among_its_newest_matches(world: World) -> None:
    for number, topic in enumerate(("c", "a", "b", "a")):
        add_webhooks(world, 1, topic=f"order.{topic}", reason=str(number))
    add_webhooks(world, 3, topic="order.0", reason="x", installation_id="inst2")
    asked = Wanted("inst1", limit=3)
    with world.storage.database.read() as connection:
        found = read_sorted(connection, WEBHOOKS, asked, "topic", descending=False, among=10)
        newest = read_sorted(connection, WEBHOOKS, asked, "topic", descending=True, among=2)
    assert [row.topic for row in found.rows] == ["order.a", "order.a", "order.b"]
    assert [row.topic for row in newest.rows] == ["order.b", "order.a"]


def test_a_pointed_page_is_filtered_and_paged_too(world: World) -> None:
    ids = add_webhooks(world, 7, order_id="55")
    add_webhooks(world, 1, order_id="55", state="ignored")
    add_webhooks(world, 1, order_id="55", installation_id="inst2")
    asked = Wanted("inst1", {"state": "processed"}, order_id="55", limit=3)
    assert walk(world, asked) == [ids[:3:-1], ids[3:0:-1], ids[:1]]
    with world.storage.database.read() as connection:
        back = read_page(connection, WEBHOOKS, Wanted(order_id="55", after=ids[3], limit=2, installation_id="inst1"))
    assert [row.id for row in back.rows] == [ids[5], ids[4]]


def test_a_slow_disk_gets_smaller_steps() -> None:
    assert lists._next_chunk(400, 0.0001) == 800
    assert lists._next_chunk(4000, 0.001) == 4000
    assert lists._next_chunk(400, 0.035) == 57


def test_the_budget_is_a_fraction_of_what_a_page_may_take() -> None:
    assert lists.SCAN_SECONDS <= 0.08
