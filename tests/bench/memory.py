"""A long backlog: the memory of both programs, the time of a claim, how fast it is worked off."""

import secrets
import sqlite3
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from connector.core.row_ids import id_at
from connector.core.states import Lane
from connector.delivery.batches import DEFAULT_BATCH_EVENTS
from connector.storage.queue import event_queue
from connector.tiktok.payload import event_bytes
from tests.bench.mapping import mapped_event
from tests.bench.places import INSTALLATION, Place, new_place
from tests.bench.report import Row, at_most, fact
from tests.bench.road import open_road
from tests.bench.sizes import Sizes
from tests.bench.workload import PIXEL_CODE

__all__ = ["measure_memory", "seed_backlog"]

_PART = 10_000
_EVENT = (
    "id installation_id webhook_id event_id name state reason value currency event_time pixel_code payload "
    "match_keys warnings consent consent_policy browser_copy attempts next_attempt_at created_at updated_at"
).split()
_WORK = "id installation_id lane run_at lease_token tries".split()


def measure_memory(sizes: Sizes) -> Iterator[Row]:
    """Pending events of one store, seeded; then claims alone, then both programs at work on them."""
    for kind in sizes.databases:
        with new_place(kind) as place:
            seed_backlog(place, sizes.backlog)
            claims = _claim_seconds(place, sizes.claims)
            words = f"{kind}, {sizes.backlog:,} events waiting"
            claim = statistics.median(claims) * 1000
            yield at_most(f"claim of {DEFAULT_BATCH_EVENTS} events, {words}", claim, "ms", 5)
            yield from _drained(place, sizes, words)
            yield fact(f"disk, {words}", place.size_bytes() / 1e9, "GB")


def _drained(place: Place, sizes: Sizes, words: str) -> Iterator[Row]:
    with open_road(place) as road:
        before = road.tiktok.counted()
        started = time.time()
        while time.time() - started < sizes.draining_seconds and before.accepted < sizes.backlog:
            time.sleep(min(0.5, sizes.draining_seconds))
            before = road.tiktok.counted()
        seconds = max(before.last_at - started, 1e-9)
        yield fact(f"backlog drain rate, {words}", before.accepted / seconds, "events/s")
        yield at_most(f"memory of serve at its peak, {words}", road.receivers[0].peak_megabytes(), "MB", 200)
        yield at_most(f"memory of deliver at its peak, {words}", road.workers[0].peak_megabytes(), "MB", 200)


def _claim_seconds(place: Place, count: int) -> list[float]:
    """One look for whose turn it is and one claim, given back afterwards."""
    spans = []
    for _ in range(count):
        now, token = place.storage.now(), secrets.randbelow(1 << 62) + 1
        started = time.perf_counter()
        with place.storage.database.write() as connection:
            due = event_queue.installations_due(connection, Lane.FRESH, now, "", frozenset())
            claimed = event_queue.claim(
                connection, due[0], Lane.FRESH, now=now, lease_until=now + timedelta(seconds=30), token=token,
                limit=DEFAULT_BATCH_EVENTS,
            )  # fmt: skip
        spans.append(time.perf_counter() - started)
        with place.storage.database.write() as connection:
            event_queue.release(connection, token, [one.id for one in claimed], now)
    return spans


def seed_backlog(place: Place, count: int, stores: Sequence[str] = (INSTALLATION,)) -> None:
    """Pending events that are due, with their work, of these stores in turn, straight to the driver in parts."""
    event = mapped_event(0)
    payload, event_id = event_bytes(event), event.event_id.encode()
    now = datetime.now(UTC) - timedelta(minutes=1)
    first = id_at(int(now.timestamp() * 1000) - count // 1000)
    when: Any = int(now.timestamp() * 1_000_000) if place.kind == "sqlite" else now

    def part(start: int) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        events, work = [], []
        for number in range(start, min(start + _PART, count)):
            row_id, own_id = first + number, b"%064x" % number
            own_payload = payload.replace(event_id, own_id)
            store = stores[number % len(stores)]
            names = (row_id, store, row_id, own_id.decode(), event.name, "pending", "", "35.58", "EUR", when)
            events.append(
                (*names, PIXEL_CODE, own_payload, "email", "", "granted", "opt_out", False, 0, when, when, when)
            )
            work.append((row_id, store, "fresh", when, 0, 0))
        return events, work

    write = _write_sqlite if place.kind == "sqlite" else _write_postgres
    write(place, (part(start) for start in range(0, count, _PART)))


_Parts = Iterator[tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]]


def _write_sqlite(place: Place, parts: _Parts) -> None:
    with closing(sqlite3.connect(place.storage.database.sqlite_path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        for pair in parts:
            connection.execute("BEGIN")
            for (table, names), rows in zip((("event", _EVENT), ("event_work", _WORK)), pair, strict=True):
                marks = ", ".join("?" * len(names))
                connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)
            connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _write_postgres(place: Place, parts: _Parts) -> None:
    url = place.settings.resolved_database_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as connection:
        for pair in parts:
            for (table, names), rows in zip((("event", _EVENT), ("event_work", _WORK)), pair, strict=True):
                copying = f"COPY {table} ({', '.join(names)}) FROM STDIN"
                with connection.cursor() as cursor, cursor.copy(copying) as copy:  # type: ignore[call-overload]
                    for row in rows:
                        copy.write_row(row)
        connection.execute("VACUUM ANALYZE")
