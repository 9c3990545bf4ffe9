"""History for the rows that ask whether the program stays quick: webhooks, events and all that belongs to them.

Rows are made one by one and written in parts, straight to the drivers; indexes are made at the end. Of the last
third the bodies and payloads are there, of what is older retention has left the rest. Takes about 1.6 KB of disk
for each webhook with its event.
"""

import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import zstandard

from connector.core.row_ids import id_at
from connector.storage.arrivals import digest_of
from connector.storage.encryption import subject_digest
from connector.storage.partitions import make_partitions
from tests.bench.places import INSTALLATION, Place
from tests.bench.workload import ORDER, PIXEL_CODE, VIEW, Template
from tests.installations import add_installation

__all__ = ["STORES", "SeededOrder", "add_stores", "seed_history", "seeded_order", "seeded_row_id"]

STORES = (INSTALLATION, *(f"store-{number}" for number in range(1, 20)))
_PART = 20_000
_DISK_PER_ROW = 2_500  # bytes, with room for indexes being made
_DAYS = 90
_END = datetime.now(UTC) - timedelta(minutes=5)
_PER_ATTEMPT = 50
_COLUMNS = {
    "webhook": (
        "id installation_id topic received_at digest headers body body_encoding source state reason order_id "
        "processed_at"
    ),
    "webhook_key": "digest webhook_id copies",
    "event": (
        "id installation_id webhook_id event_id name state reason value currency order_id event_time pixel_code "
        "payload match_keys warnings consent consent_policy country visitor_subject order_subject browser_copy "
        "attempts created_at updated_at delivered_at"
    ),
    "order_ledger": "digest installation_id order_id status modified_at event_row_id",
    "search_term": "term webhook_id",
    "consent_record": (
        "id installation_id subject status source global_privacy_control stated_at recorded_at webhook_id"
    ),
    "delivery_attempt": (
        "id installation_id pixel_code started_at duration_ms event_count is_test http_status code message "
        "request_id result reason"
    ),
    "attempt_event": "event_row_id attempt_id",
}
# Their keys come in no order: collected first, written sorted.
_SCATTERED = {"order_ledger": "digest", "search_term": "term", "attempt_event": "event_row_id, attempt_id"}
_HEADERS = '{"content-type":"application/json","user-agent":"WooCommerce/9.9.5 Hookshot (WordPress/6.9)"}'
_RARE_STATES = {3: ("rejected", "invalid:value"), 501: ("held", "browser_copy_probable"), 901: ("dead", "too_old")}


@dataclass(frozen=True, slots=True)
class SeededOrder:
    """What to look for of an order that was seeded."""

    number: int
    installation_id: str
    order_id: str
    email: str
    phone: str
    click_id: str
    event_id: str
    request_id: str


def seeded_order(number: int) -> SeededOrder:
    """The order that stands nearest to that place of the history."""
    number -= number % 2
    return SeededOrder(
        number,
        STORES[number // 2 % len(STORES)],
        str(number),
        f"person{number}@example.com",
        f"+4915{100_000_000 + number}",
        f"E.C.P.click-{number}",
        _hex(f"e{number}", 64),
        f"request{number // _PER_ATTEMPT}",
    )


def seeded_row_id(number: int, total: int) -> int:
    """The id of the webhook, and of its event, at that place of a history of `total` that ended a while ago."""
    at = _END - timedelta(days=_DAYS) * ((total - number) / total)
    return id_at(int(at.timestamp() * 1000)) + number % 4096


def add_stores(place: Place) -> None:
    """The installations of the history; the first is the place's own."""
    for name in STORES[1:]:
        add_installation(place.storage, name, pixel_code=PIXEL_CODE)


def seed_history(place: Place, first: int, last: int, total: int) -> None:
    """Write rows `first` to `last` of a history of `total`, spread over 90 days. Raises OSError on a full disk."""
    free = shutil.disk_usage(place.folder if place.kind == "sqlite" else tempfile.gettempdir()).free
    if free < (last - first) * _DISK_PER_ROW:
        raise OSError(
            f"{(last - first) * _DISK_PER_ROW / 1e9:.0f} GB are needed for the history, {free / 1e9:.0f} free"
        )
    start = datetime.now(UTC) - timedelta(days=_DAYS)
    make_partitions(place.storage.database, start, _DAYS // 7 + 4)
    parts = _parts(_History(place, total), first, last)
    (_write_sqlite if place.kind == "sqlite" else _write_postgres)(place, parts)


class _History:
    """Makes the rows of one place of the history. Half are orders, half are product views."""

    def __init__(self, place: Place, total: int) -> None:
        self._place = place
        self._total = total
        self._sqlite = place.kind == "sqlite"
        self._key = place.storage.hash_key
        compress = zstandard.ZstdCompressor(level=1).compress
        self._bodies = [[compress(Template(name).body(n).body) for n in range(32)] for name in (ORDER, VIEW)]
        self._topics = [Template(name).topic for name in (ORDER, VIEW)]
        self._payload = b'{"event":"CompletePayment","context":{"user":{"email":"%b"}},"p":"%b"}' % (
            b"8" * 64,
            b"x" * 700,
        )

    def rows(self, number: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Table and row, for every row that this webhook left behind."""
        is_order = number % 2 == 0
        order = seeded_order(number)
        at = _END - timedelta(days=_DAYS) * ((self._total - number) / self._total)
        row_id = seeded_row_id(number, self._total)
        when, store = self._time(at), order.installation_id
        order_id = order.order_id if is_order else None
        place = b'{"id":%d,' % number if is_order else b'{"time":"%b"' % at.isoformat()[:19].encode()
        topic = self._topics[not is_order]
        digest = digest_of(store, topic, place + b"%d" % number)
        kept = number > self._total * 2 // 3
        body = self._bodies[not is_order][number % 32] if kept else b""
        encoding = "zstd" if kept else "expired"
        unreadable = number % 5000 == 7
        state, reason = ("unreadable", "not_json") if unreadable else ("processed", "")
        yield "webhook", (
            row_id, store, topic, when, digest, _HEADERS, body, encoding, "store", state, reason, order_id, when,
        )  # fmt: skip
        yield "webhook_key", (digest, row_id, 0)
        yield from self._event_rows(number, order, row_id, when, is_order, kept)
        if is_order:
            yield from self._order_rows(number, order, row_id, when)
        if number % _PER_ATTEMPT == 0:
            yield "delivery_attempt", (
                row_id, store, PIXEL_CODE, when, 120, _PER_ATTEMPT, False, 200, 0, "OK", order.request_id,
                "accepted", "",
            )  # fmt: skip

    def _event_rows(
        self, number: int, order: SeededOrder, row_id: int, when: Any, is_order: bool, kept: bool
    ) -> Iterator[tuple[str, tuple[Any, ...]]]:
        state, reason = _RARE_STATES.get(number % 1000, ("withheld", "") if number % 20 == 9 else ("delivered", ""))
        name, event_id = ("CompletePayment", order.event_id) if is_order else ("ViewContent", _hex(f"e{number}", 32))
        payload = self._payload if kept else None
        subjects = (_digest(f"v{number}"), _digest(f"o{number}") if is_order else None)
        done = when if state == "delivered" else None
        yield "event", (
            row_id, order.installation_id, row_id, event_id, name, state, reason, "35.58", "EUR",
            order.order_id if is_order else None, when, PIXEL_CODE, payload, "email,ip", "", "consent_granted",
            "opt_out", "DE", *subjects, False, 1, when, when, done,
        )  # fmt: skip
        first = number - number % _PER_ATTEMPT
        yield "attempt_event", (row_id, seeded_row_id(first, self._total))

    def _order_rows(
        self, number: int, order: SeededOrder, row_id: int, when: Any
    ) -> Iterator[tuple[str, tuple[Any, ...]]]:
        store = order.installation_id
        yield "order_ledger", (_digest(f"l{number}"), store, order.order_id, "processing", when, row_id)
        for kind, text in (
            ("email", order.email),
            ("order_number", order.order_id),
            ("phone", order.phone),
            ("click_id", order.click_id),
        ):
            yield "search_term", (subject_digest(self._key, "search", store, kind, text), row_id)
        yield "consent_record", (
            row_id, store, _digest(f"o{number}"), "granted", "wp_consent_api", False, when, when, row_id,
        )  # fmt: skip

    def _time(self, at: datetime) -> Any:
        return int(at.timestamp() * 1_000_000) if self._sqlite else at


def _hex(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]


_Part = dict[str, list[tuple[Any, ...]]]


def _parts(history: _History, first: int, last: int) -> Iterator[_Part]:
    for start in range(first, last, _PART):
        part: _Part = {table: [] for table in _COLUMNS}
        for number in range(start, min(start + _PART, last)):
            for table, row in history.rows(number):
                part[table].append(row)
        yield part


def _write_sqlite(place: Place, parts: Iterator[_Part]) -> None:
    scratch = Path(tempfile.mkdtemp(prefix="connector-bench-", dir=place.folder))
    with closing(sqlite3.connect(place.storage.database.sqlite_path, isolation_level=None)) as connection:
        for pragma in ("synchronous=OFF", "cache_size=-1000000", "temp_store=FILE"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("ATTACH ? AS scratch", (str(scratch / "scratch.sqlite3"),))
        connection.execute("PRAGMA scratch.journal_mode=OFF")
        indexes = _drop_sqlite_indexes(connection)
        for table in _SCATTERED:
            connection.execute(f"CREATE TABLE scratch.{table} ({', '.join(_COLUMNS[table].split())})")
        for part in parts:
            _write_sqlite_part(connection, part)
        for table, key in _SCATTERED.items():
            names = ", ".join(_COLUMNS[table].split())
            connection.execute(
                f"INSERT INTO main.{table} ({names}) SELECT {names} FROM scratch.{table} ORDER BY {key}"
            )
        for statement in indexes:
            connection.execute(statement)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.rmtree(scratch)


def _drop_sqlite_indexes(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name, sql FROM main.sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        f" AND tbl_name IN ({', '.join('?' * len(_COLUMNS))})",
        tuple(_COLUMNS),
    ).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX main.{name}")
    return [statement for _, statement in found]


def _write_sqlite_part(connection: sqlite3.Connection, part: _Part) -> None:
    connection.execute("BEGIN")
    for table, rows in part.items():
        names = _COLUMNS[table].split()
        schema = "scratch" if table in _SCATTERED else "main"
        connection.executemany(
            f"INSERT INTO {schema}.{table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", rows
        )
    connection.execute("COMMIT")


def _write_postgres(place: Place, parts: Iterator[_Part]) -> None:
    url = place.settings.resolved_database_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '512MB'")
        indexes = _drop_postgres_indexes(connection)
        for part in parts:
            with connection.transaction():
                for table, rows in part.items():
                    _copy(connection, table, rows)
        for statement in indexes:
            connection.execute(statement)  # type: ignore[call-overload]
        connection.execute("VACUUM ANALYZE")


def _drop_postgres_indexes(connection: "psycopg.Connection[Any]") -> list[str]:
    """Drop what is only an index, give the statements that make it again; of partitioned tables the parents'."""
    rows = connection.execute(
        "SELECT c.relname, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_class t ON t.oid = i.indrelid"
        " WHERE t.relname = ANY(%s) AND NOT i.indisprimary AND NOT EXISTS"
        " (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)",
        (list(_COLUMNS),),
    ).fetchall()
    statements = []
    for name, statement in rows:
        connection.execute(f"DROP INDEX {name}")  # type: ignore[call-overload]
        statements.append(statement.replace(" ON ONLY ", " ON "))
    unique = "ALTER TABLE event ADD CONSTRAINT event_once UNIQUE (event_id, installation_id)"
    connection.execute("ALTER TABLE event DROP CONSTRAINT event_once")
    return [unique, *statements]


def _copy(connection: "psycopg.Connection[Any]", table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    names = ", ".join(_COLUMNS[table].split())
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:  # type: ignore[call-overload]
        for row in rows:
            copy.write_row(row)
