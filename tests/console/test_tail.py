"""The tail: one query loop for all viewers, filters, and a queue that drops rather than grows."""

import asyncio
import re
from typing import Any

import pytest
from starlette.requests import Request

from connector.console import tail as tail_module
from connector.console.services import console_services
from connector.console.tail import Tail, TailFilter, TailPages
from tests.console.world import World


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "_EVERY", 0.02)


async def gather(tail: Tail, wanted: TailFilter, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async for entries, _ in tail.follow(wanted):
        found += entries
        if len(found) >= count:
            return found
    return found


def test_each_viewer_sees_what_passes_its_filter_once(world: World) -> None:
    async def watch() -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
        tail = Tail(console_services(world.settings, world.storage))
        everything = asyncio.create_task(gather(tail, TailFilter(), 6))
        orders = asyncio.create_task(gather(tail, TailFilter(kind="webhook", text="ORDER"), 2))
        await asyncio.sleep(0.5)
        viewers = tail.viewers
        for topic in ("order.created", "product.updated", "order.updated"):
            webhook = world.add_webhook(topic, b"{}")
            world.add_event(webhook, state="withheld", reason="consent_denied")
        async with asyncio.timeout(20):
            return await everything, await orders, viewers

    everything, orders, viewers = asyncio.run(watch())
    assert viewers == 2
    assert len({(entry["kind"], entry["id"]) for entry in everything}) == len(everything) == 6
    assert [entry["what"] for entry in orders] == ["order.created", "order.updated"]


def test_a_viewer_that_does_not_read_costs_a_bounded_queue(world: World) -> None:
    viewer = tail_module._Viewer(TailFilter())
    entry = {"kind": "webhook", "id": "1", "at": "", "installation": "x", "what": "", "state": "", "detail": ""}
    viewer.offer([entry] * 5000)
    entries, dropped = viewer.take()
    assert (len(entries), dropped) == (tail_module._QUEUE, 5000 - tail_module._QUEUE)
    assert viewer.take() == ([], 0)


def test_without_viewers_nothing_is_asked(world: World) -> None:
    async def watch() -> bool:
        tail = Tail(console_services(world.settings, world.storage))
        stream = tail.follow(TailFilter())
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.2)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await stream.aclose()  # type: ignore[attr-defined]
        assert tail._task is not None
        async with asyncio.timeout(5):
            await tail._task
        return tail._task.done()

    assert asyncio.run(watch())


def test_what_one_look_cannot_take_is_announced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "_MOST_PER_LOOK", 5)
    tail = Tail(console_services(world.settings, world.storage))
    with world.storage.database.read() as connection:
        tail._look(connection)
    for _ in range(12):
        world.add_webhook("order.updated", b"{}")
    with world.storage.database.read() as connection:
        entries, passed_over = tail._look(connection)
        nothing = tail._look(connection)
    assert (len(entries), passed_over) == (5, 7)
    assert nothing == ([], 0)


def test_a_browser_that_comes_back_hears_what_it_has_missed(world: World) -> None:
    tail = Tail(console_services(world.settings, world.storage))
    world.add_webhook("order.created", b"{}")
    with world.storage.database.read() as connection:
        tail._look(connection)
    place = tail.place()
    late = [world.add_webhook(topic, b"{}") for topic in ("order.updated", "product.updated", "order.deleted")]
    missed = asyncio.run(tail.missed(place, TailFilter(text="order")))
    assert {str(late[0]), str(late[2])} <= {entry["id"] for entry in missed}
    assert all("order" in entry["what"] for entry in missed)
    for nonsense in ("", "1", "x.y.z", "1.2.3.4", "f" * 40, "0.0.-1", "ffffffffffffffff.0.0"):
        assert asyncio.run(tail.missed(nonsense, TailFilter())) == []


def test_each_message_says_how_far_it_came(world: World) -> None:
    async def watch() -> bytes:
        pages = TailPages(console_services(world.settings, world.storage), None)  # type: ignore[arg-type]
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        messages = pages._messages(Request(scope, receive))
        assert (await anext(messages)).startswith(b"retry:")
        waiting = asyncio.ensure_future(anext(messages))
        await asyncio.sleep(0.3)
        world.add_webhook("order.created", b"{}")
        async with asyncio.timeout(20):
            return await waiting

    message = asyncio.run(watch())
    assert re.match(rb"id: [0-9a-f]+\.[0-9a-f]+\.[0-9a-f]+\ndata: {", message)
