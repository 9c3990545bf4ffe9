"""What support staff wait for: lists, searches, journeys and pages over a long history; and what it costs intake."""

import http.client
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from connector.console.overview_pages import read_dashboard
from connector.console.search_pages import search
from connector.storage.journeys import order_rows, webhook_rows
from connector.storage.lists import (
    ATTEMPTS,
    EVENTS,
    REFUSED,
    WEBHOOKS,
    Wanted,
    count_up_to,
    read_page,
    read_sorted,
)
from tests.bench.console_reader import TOKEN, sign_in
from tests.bench.flat import flat_rows
from tests.bench.history import STORES, add_stores, seed_history, seeded_order, seeded_row_id
from tests.bench.history_console import seed_console
from tests.bench.load import LoadSpec, prepared_load
from tests.bench.places import INSTALLATION, Place, Program, new_place, program
from tests.bench.report import Row, at_most, compared
from tests.bench.sizes import Sizes

__all__ = ["measure_console"]

_Query = Callable[[Connection], object]
_PEOPLE = 10
_READING_SECONDS = 2.0  # that a person looks at a page before asking for the next
_PAGES = {
    "/console/": 300,
    "/console/?span=30d": 300,
    "/console/installations": 300,
    f"/console/installations/{INSTALLATION}?span=7d": 300,
    "/console/webhooks": 100,
    "/console/events": 100,
    "/console/events?state=rejected": 100,
    "/console/attempts": 100,
    "/console/refused": 100,
    "/console/events?sort=-value": 100,
    "/console/webhooks?sort=received_at": 100,
    "/console/webhooks?topic=order.created&reason=nothing": 100,
    f"/console/webhooks?installation={INSTALLATION}": 100,
}


def measure_console(sizes: Sizes) -> Iterator[Row]:
    """The queries behind the pages, then the pages over HTTP; and, the history standing there, an event's cost."""
    for kind in sizes.databases:
        with new_place(kind) as place:
            add_stores(place)
            seed_history(place, 0, sizes.history, sizes.history)
            yield from flat_rows(place, sizes)
            seed_console(place, STORES, sizes.history)
            words = f"{kind}, {sizes.history:,} webhooks and events"
            for name, make in _queries(place, sizes.history).items():
                yield _query_row(place, f"{name}, {words}", make, sizes.queries)
            yield from _over_http(place, sizes, words)


def _queries(place: Place, history: int) -> dict[str, Callable[[int], _Query]]:
    """By name, a query for each repetition, so that none asks for what the one before has warmed."""
    key, now = place.storage.hash_key, place.storage.now()

    def look(make_text: Callable[[Any], str]) -> Callable[[int], _Query]:
        return lambda turn: lambda connection: search(connection, key, make_text(_order(turn, history)))

    def journey(turn: int) -> _Query:
        order = _order(turn, history)
        return lambda connection: order_rows(connection, order.installation_id, order.order_id)

    def days(turn: int) -> Wanted:
        return Wanted(since=now - timedelta(days=turn % 80 + 5), until=now - timedelta(days=turn % 80 + 4))

    def webhook(turn: int) -> _Query:
        row_id = seeded_row_id(_order(turn, history).number + turn % 2, history)
        return lambda connection: webhook_rows(connection, row_id)

    def store(turn: int) -> str:
        return STORES[turn % len(STORES)]

    return {
        "list of webhooks": _page(WEBHOOKS, lambda turn: Wanted()),
        "list of webhooks of a day": _page(WEBHOOKS, days),
        "list of a store's webhooks": _page(WEBHOOKS, lambda turn: Wanted(store(turn))),
        "list of unreadable webhooks": _page(WEBHOOKS, lambda turn: Wanted(equal={"state": "unreadable"})),
        "list with filters that nothing fits": _page(
            WEBHOOKS, lambda turn: Wanted(equal={"topic": f"no.{turn}", "reason": "none"})
        ),
        "the same, of a store": _page(WEBHOOKS, lambda turn: Wanted(store(turn), {"topic": f"no.{turn}"})),
        "the same, of events by country": _page(EVENTS, lambda turn: Wanted(store(turn), {"country": "XX"})),
        "list of events": _page(EVENTS, lambda turn: Wanted()),
        "list of rejected events": _page(EVENTS, lambda turn: Wanted(equal={"state": "rejected"})),
        "list of a store's held events": _page(EVENTS, lambda turn: Wanted(store(turn), {"state": "held"})),
        "list of a store's withheld events": _page(EVENTS, lambda turn: Wanted(store(turn), {"state": "withheld"})),
        "list of delivery attempts": _page(ATTEMPTS, lambda turn: Wanted()),
        "list of throttled attempts, none": _page(ATTEMPTS, lambda turn: Wanted(equal={"result": "throttled"})),
        "list of refused webhooks": _page(REFUSED, lambda turn: Wanted()),
        "list of a store's refused webhooks": _page(REFUSED, lambda turn: Wanted(store(turn))),
        "list sorted by value": _sorted(EVENTS, "value", lambda turn: Wanted()),
        "list of a store sorted by topic": _sorted(WEBHOOKS, "topic", lambda turn: Wanted(store(turn))),
        "list by order number": _page(WEBHOOKS, lambda turn: Wanted(order_id=_order(turn, history).order_id)),
        "list by event id": _page(EVENTS, lambda turn: Wanted(event_id=_order(turn, history).event_id)),
        "list by TikTok's request id": _page(
            EVENTS, lambda turn: Wanted(request_id=_order(turn, history).request_id)
        ),
        "search by e-mail": look(lambda order: order.email),
        "search by phone": look(lambda order: order.phone),
        "search by click id": look(lambda order: order.click_id),
        "search by order number": look(lambda order: order.order_id),
        "search by event id": look(lambda order: order.event_id),
        "search by request id": look(lambda order: order.request_id),
        "search for what is not there": look(lambda order: f"nobody{order.order_id}@example.com"),
        "journey of an order": journey,
        "page of one webhook": webhook,
        "dashboard of all stores, a day": lambda turn: lambda c: read_dashboard(c, now, "24h", None),
        "dashboard of all stores, a month": lambda turn: lambda c: read_dashboard(c, now, "30d", None),
        "dashboard of one store, a week": lambda turn: lambda c: read_dashboard(c, now, "7d", store(turn)),
    }


def _page(listed: Any, make: Callable[[int], Wanted]) -> Callable[[int], _Query]:
    def query(turn: int) -> _Query:
        wanted = make(turn)

        def run(connection: Connection) -> object:
            count_up_to(connection, listed, wanted, 1001)
            return read_page(connection, listed, wanted)

        return run

    return query


def _sorted(listed: Any, column: str, make: Callable[[int], Wanted]) -> Callable[[int], _Query]:
    return lambda turn: (
        lambda connection: read_sorted(connection, listed, make(turn), column, descending=True, among=1000)
    )


def _order(turn: int, history: int) -> Any:
    return seeded_order((turn * 7919 * 2) % history)


def _query_row(place: Place, name: str, make: Callable[[int], _Query], count: int) -> Row:
    spans = []
    for turn in range(count + 2):
        query = make(turn)
        started = time.perf_counter()
        with place.storage.database.read() as connection:
            query(connection)
        spans.append(time.perf_counter() - started)
    ordered = sorted(spans[2:])
    budget = 300 if name.startswith("dashboard") else 100
    row = at_most(name, ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)] * 1000, "ms", budget)
    return Row(f"{row.what}, p95", row.measured, budget=row.budget, passed=row.passed)


def _over_http(place: Place, sizes: Sizes, words: str) -> Iterator[Row]:
    sign_in(place)
    with program(["-m", "connector", "serve", "--no-delivery", "--port", "{port}"], place.environment()) as server:
        pages = {path: most for path, most in _PAGES.items() if _get(server.port, path)[0] == 200}
        order = seeded_order(sizes.history // 2)
        journey = f"/console/installations/{order.installation_id}/orders/{order.order_id}"
        if _get(server.port, journey)[0] == 200:
            pages[journey] = 100
        for path, most in pages.items():
            spans = sorted(_get(server.port, path)[1] for _ in range(sizes.queries))
            span = spans[min(int(len(spans) * 0.95), len(spans) - 1)] * 1000
            yield at_most(f"page {path.replace(order.order_id, 'N')}, p95, {words}", span, "ms", most)
        if not pages:
            yield Row(f"pages over HTTP, {words}", "not measured: this server shows no console")
            return
        yield _beside_intake(server, list(pages), sizes, words)


def _get(port: int, path: str) -> tuple[int, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    started = time.perf_counter()
    connection.request("GET", path, headers={"Cookie": f"staff_session={TOKEN}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, time.perf_counter() - started


def _beside_intake(server: Program, paths: list[str], sizes: Sizes, words: str) -> Row:
    """Intake with and without ten people who look at pages, in turn."""
    alone, beside = [], []
    start = 200_000_000
    for _ in range(sizes.repeats):
        for rates, people in ((alone, 0), (beside, _PEOPLE)):
            prepared = max(int(sizes.seconds * 12_000), 100)
            spec = LoadSpec(
                ports=(server.port,), path=f"/webhooks/woocommerce/{INSTALLATION}", seconds=sizes.seconds,
                start=start, prepared=prepared, connections=sizes.connections,
            )  # fmt: skip
            start += prepared
            with prepared_load(spec) as load:
                rates.append(_with_readers(server.port, paths, people, lambda load=load: load.run().rate))  # type: ignore[misc]
    ratio = statistics.median(with_people / without for with_people, without in zip(beside, alone, strict=True))
    said = f"intake while {_PEOPLE} people read the console, {words}"
    return compared(said, f"{statistics.median(beside):,.0f}/s", f"nobody: {statistics.median(alone):,.0f}/s",
                    ratio, least=0.9)  # fmt: skip


def _with_readers(port: int, paths: list[str], people: int, measure: Callable[[], float]) -> float:
    stop = threading.Event()

    def read(person: int) -> None:
        turn = person
        while not stop.wait(_READING_SECONDS * (0.5 if turn == person else 1)):
            _get(port, paths[turn % len(paths)])
            turn += 1

    readers = [threading.Thread(target=read, args=(person,), daemon=True) for person in range(people)]
    for reader in readers:
        reader.start()
    try:
        return measure()
    finally:
        stop.set()
        for reader in readers:
            reader.join()
