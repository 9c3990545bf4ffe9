"""Writing webhooks that arrived: many in one transaction, in the fewest statements either database needs.

This is the hottest write of the program, so it speaks to the drivers directly. All values are parameters.
"""

import hashlib
import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.pool import PoolProxiedConnection

from connector import failpoints
from connector.storage.engine import Database
from connector.storage.patient import PatientConnection, connect_patiently

__all__ = ["Arrival", "ArrivalWriter", "DatabaseBusy", "digest_of", "values_at_fault"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# One statement for many rows: each call into SQLite gives up the interpreter's lock and has to win it back from
# the busy event loop, so the number of calls is what counts (measured: 0.2 of verifying only with a call per
# row, `make bench`). The sizes are few, so that the driver keeps them all prepared.
_ROWS_PER_STATEMENT = (64, 16, 4, 1)
_SQLITE_KEY = "INSERT OR IGNORE INTO webhook_key (digest, webhook_id, copies) VALUES {rows}"
_SQLITE_COPY = "UPDATE webhook_key SET copies = copies + 1, last_copy_at = ? WHERE digest = ?"
_SQLITE_WEBHOOK = (
    "INSERT INTO webhook (id, installation_id, topic, received_at, digest, headers, body, source,"
    " body_encoding, state, reason) VALUES {rows}"
)
_SQLITE_WORK = "INSERT INTO webhook_work (id, installation_id, lane, run_at, lease_token, tries) VALUES {rows}"
_SQLITE_ROWS = {
    _SQLITE_KEY: "(?, ?, 0)",
    _SQLITE_WEBHOOK: "(?, ?, ?, ?, ?, ?, ?, ?, 'raw', 'received', '')",
    _SQLITE_WORK: "(?, ?, ?, ?, 0, 0)",
}
_DIGEST = text("SELECT digest FROM webhook WHERE id = :id")
_POSTGRES_DIGEST = "SELECT digest FROM webhook WHERE id = %s"
# What a driver says when the values are at fault. A missing partition is an IntegrityError too, but can be mended.
_VALUES_AT_FAULT = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    psycopg.errors.UniqueViolation,
    psycopg.DataError,
    UnicodeError,
    OverflowError,
)
# Arrays go in binary: as text each byte of a body would be escaped twice, in Python.
_POSTGRES_KEY = (
    "INSERT INTO webhook_key (digest, webhook_id, copies)"
    " SELECT d, w, 0 FROM unnest(%b::bytea[], %b::bigint[]) AS t(d, w)"
    " ON CONFLICT (digest) DO NOTHING RETURNING digest"
)
_POSTGRES_COPY = "UPDATE webhook_key SET copies = copies + 1, last_copy_at = %s WHERE digest = %s"
_POSTGRES_WEBHOOK = (
    "INSERT INTO webhook (id, installation_id, topic, received_at, digest, headers, body, body_encoding,"
    " source, state, reason) SELECT i, n, t, a, d, h, b, 'raw', s, 'received', ''"
    " FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::timestamptz[], %b::bytea[], %b::text[],"
    " %b::bytea[], %b::text[]) AS t(i, n, t, a, d, h, b, s)"
)
_POSTGRES_WORK = (
    "INSERT INTO webhook_work (id, installation_id, lane, run_at, lease_token, tries)"
    " SELECT i, n, l, a, 0, 0 FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::timestamptz[])"
    " AS t(i, n, l, a)"
)


@dataclass(slots=True)
class Arrival:
    """One authentic webhook on its way into the database. `headers` is JSON of the few that are kept."""

    id: int
    installation_id: str
    topic: str
    received_at: datetime
    digest: bytes
    headers: str
    body: bytes
    deduplicate: bool = True
    source: str = "store"
    lane: str = "fresh"


def values_at_fault(error: Exception) -> bool:
    """Whether the same write would fail for ever; otherwise it may succeed when the database is back."""
    return isinstance(error, _VALUES_AT_FAULT)


class DatabaseBusy(Exception):
    """Another writer kept the database for too long."""


class ArrivalWriter:
    """Writes groups of arrivals over a connection of its own. For one thread.

    `patience_seconds` is how long it waits for another writer, in this process or in another, before it raises:
    a sender waits at the other end.
    """

    def __init__(self, database: Database, patience_seconds: float = 2.5) -> None:
        self._database = database
        self._patience = patience_seconds
        self._holder: PoolProxiedConnection | None = None  # SQLite
        self._server: PatientConnection | None = None  # PostgreSQL

    def write(self, arrivals: Sequence[Arrival]) -> list[int | None]:
        """Commit them all, each with its dedup key and its work. Gives per arrival None, or 0 when it repeats
        one that is known. Raises whatever the database raises; then nothing is written.
        """
        try:
            if not self._database.is_sqlite:
                return _write_routed(self._connected(), arrivals)
            holder = self._holder = self._holder or self._opened()
            return self._write_alone(holder.driver_connection, arrivals)
        except Exception:
            self._forget()
            raise

    def stored_digest(self, row_id: int) -> bytes | None:
        """The digest of the webhook with that id; a commit can succeed and its news be lost."""
        if self._database.is_sqlite:
            with self._database.read() as connection:
                found = connection.execute(_DIGEST, {"id": row_id}).scalar()
        else:
            row = self._connected().execute(_POSTGRES_DIGEST, (row_id,)).fetchone()
            found = row and row[0]
        return None if found is None else bytes(found)

    def _connected(self) -> PatientConnection:
        self._server = self._server or connect_patiently(self._database, self._patience)
        return self._server

    def _opened(self) -> PoolProxiedConnection:
        holder = self._database.engine.raw_connection()
        connection: Any = holder.driver_connection
        connection.execute("PRAGMA busy_timeout=0")  # the waiting is ours
        return holder

    def _write_alone(self, connection: Any, arrivals: Sequence[Arrival]) -> list[int | None]:
        lock = self._database.write_lock
        if not lock.acquire(timeout=self._patience):
            raise DatabaseBusy
        try:
            if not self._database.turns.begin(connection, self._patience):
                raise DatabaseBusy
            return _write_sqlite(connection, arrivals)
        finally:
            self._database.turns.ended()
            lock.release()

    def _forget(self) -> None:
        """A connection that failed may be broken: the next group gets a new one."""
        holder, server, self._holder, self._server = self._holder, self._server, None, None
        if holder is not None:
            holder.invalidate()
        if server is not None:
            server.close()

    def close(self) -> None:
        """Give the connection back."""
        self._forget()  # its time-outs are not those of the pool


def _write_sqlite(connection: Any, arrivals: Sequence[Arrival]) -> list[int | None]:
    try:
        repeats = _sqlite_rows(connection, arrivals)
        failpoints.reach("after_insert")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return repeats


def _write_routed(connection: Any, arrivals: Sequence[Arrival]) -> list[int | None]:
    """A partition of this week that was attached while the rows waited makes their way wrong: they go once more."""
    try:
        return _write_postgres(connection, arrivals)
    except psycopg.errors.CheckViolation:
        return _write_postgres(connection, arrivals)


def _write_postgres(connection: Any, arrivals: Sequence[Arrival]) -> list[int | None]:
    with connection.transaction():
        repeats = _postgres_rows(connection, arrivals)
        failpoints.reach("after_insert")
    return repeats


def _sqlite_rows(connection: Any, arrivals: Sequence[Arrival]) -> list[int | None]:
    first: dict[bytes, Arrival] = {}
    for arrival in arrivals:
        if arrival.deduplicate:
            first.setdefault(arrival.digest, arrival)
    written = _insert_rows(connection, _SQLITE_KEY, [(a.digest, a.id) for a in first.values()])
    known = _known_digests(connection, first) if written < len(first) else frozenset()
    new = [a for a in arrivals if not a.deduplicate or (first[a.digest] is a and a.digest not in known)]
    times = [(a.received_at - _EPOCH) // _MICROSECOND for a in new]
    _insert_rows(
        connection,
        _SQLITE_WEBHOOK,
        [
            (a.id, a.installation_id, a.topic, at, a.digest, a.headers, a.body, a.source)
            for a, at in zip(new, times, strict=True)
        ],
    )
    rows = [(a.id, a.installation_id, a.lane, at) for a, at in zip(new, times, strict=True)]
    _insert_rows(connection, _SQLITE_WORK, rows)
    return _note_copies(connection, arrivals, {a.id for a in new}, _SQLITE_COPY, _micros)


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _known_digests(connection: Any, first: dict[bytes, Arrival]) -> frozenset[bytes]:
    """Digests that were there before this transaction."""
    return frozenset(
        digest
        for digest, arrival in first.items()
        if connection.execute("SELECT webhook_id FROM webhook_key WHERE digest = ?", (digest,)).fetchone()
        != (arrival.id,)
    )


def _insert_rows(connection: Any, statement: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert rows in as few calls as possible. Returns how many were written."""
    written = start = 0
    for size in _ROWS_PER_STATEMENT:
        text = _statement(statement, size)
        while len(rows) - start >= size:
            values = [value for row in rows[start : start + size] for value in row]
            written += connection.execute(text, values).rowcount
            start += size
    return written


@cache
def _statement(statement: str, size: int) -> str:
    return statement.format(rows=", ".join([_SQLITE_ROWS[statement]] * size))


def _note_copies(
    connection: Any,
    arrivals: Sequence[Arrival],
    new: set[int],
    statement: str,
    time_value: Callable[[datetime], Any],
) -> list[int | None]:
    """Count those that are not new. In the order of digests: two receivers never wait for each other in a ring."""
    for copy in sorted((a for a in arrivals if a.id not in new), key=lambda arrival: arrival.digest):
        connection.execute(statement, (time_value(copy.received_at), copy.digest))
    return [None if a.id in new else 0 for a in arrivals]


def _postgres_rows(connection: Any, arrivals: Sequence[Arrival]) -> list[int | None]:
    # Sorted by digest, so that two receivers that wait for each other's keys always wait in the same order.
    first: dict[bytes, Arrival] = {}
    for arrival in arrivals:
        if arrival.deduplicate:
            first.setdefault(arrival.digest, arrival)
    ordered = sorted(first.values(), key=lambda arrival: arrival.digest)
    rows = connection.execute(_POSTGRES_KEY, ([a.digest for a in ordered], [a.id for a in ordered]))
    won = {bytes(row[0]) for row in rows}
    new = [a for a in arrivals if not a.deduplicate or (a.digest in won and first[a.digest] is a)]
    if new:
        _postgres_insert(connection, new)
    return _note_copies(connection, arrivals, {a.id for a in new}, _POSTGRES_COPY, lambda at: at)


def _postgres_insert(connection: Any, new: Sequence[Arrival]) -> None:
    ids, names = [a.id for a in new], [a.installation_id for a in new]
    times = [a.received_at for a in new]
    connection.execute(
        _POSTGRES_WEBHOOK,
        (
            ids,
            names,
            [a.topic for a in new],
            times,
            [a.digest for a in new],
            [a.headers for a in new],
            [a.body for a in new],
            [a.source for a in new],
        ),
    )
    connection.execute(_POSTGRES_WORK, (ids, names, [a.lane for a in new], times))


def digest_of(installation_id: str, topic: str, body: bytes) -> bytes:
    """What makes a webhook the same one come twice: installation, topic and body, 24 bytes.

    Two of installation and eight of the body's own id or time stand before 14 of SHA-256, so that keys of one
    store's neighbouring webhooks are neighbours: an insert then touches a page that is in memory, however long
    the history (a plain digest lands on any page of the whole index).
    """
    start = f"{installation_id}\x1f{topic}\x1f".encode("utf-8", "replace")
    owner = hashlib.sha256(installation_id.encode()).digest()[:2]
    return owner + _place(body) + hashlib.sha256(start + body).digest()[:14]


_ID_OR_TIME = re.compile(rb'"id":([1-9][0-9]{0,17})[,}]|"time":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8})')
_NO_DIGITS = bytes(sign for sign in range(256) if not 0x30 <= sign <= 0x39)


def _place(body: bytes) -> bytes:
    found = _ID_OR_TIME.search(body, 0, 256)
    if found is None:
        return bytes(8)
    digits = found[1] or found[2].translate(None, _NO_DIGITS)
    return (int(digits) & 0x7FFFFFFFFFFFFFFF).to_bytes(8, "big")
