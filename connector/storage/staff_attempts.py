"""How often somebody has tried to sign in, counted for all processes together.

An account or an address is a bucket: a keyed hash of it cut to 16 bits. So the table is bounded, nobody can read
from it who tried, and nobody without the key can aim at another's bucket.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, case, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from connector.storage.encryption import subject_digest
from connector.storage.opening import Storage
from connector.storage.tables_console import SignInCount

__all__ = ["AttemptLimit", "may_try", "remove_old_attempts"]

BUCKETS = 1 << 16
_rows = SignInCount.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class AttemptLimit:
    """At most so many attempts in a window that begins with the first one."""

    kind: str
    most: int
    window: timedelta


def may_try(storage: Storage, attempts: Sequence[tuple[AttemptLimit, str]]) -> bool:
    """Count one more attempt of each of these subjects; False when one of them has used up its own.

    A refused attempt writes nothing: a flood of them must not take the disk from intake.
    """
    now = storage.now()
    asked = [(limit, _bucket(storage.hash_key, limit.kind, subject)) for limit, subject in attempts]
    with storage.database.read() as connection:
        if any(_used(connection, bucket, now - limit.window) >= limit.most for limit, bucket in asked):
            return False
    with storage.database.write() as connection:
        # All are counted, in one order: two processes then never wait for one another.
        counts = [_add(connection, bucket, now, limit) <= limit.most for limit, bucket in sorted(asked, key=_place)]
    return all(counts)


def remove_old_attempts(connection: Connection, before: datetime) -> int:
    """Forget windows that began before then."""
    return connection.execute(delete(_rows).where(_rows.c.since < before)).rowcount


def _place(one: tuple[AttemptLimit, int]) -> int:
    return one[1]


def _bucket(key: bytes, kind: str, subject: str) -> int:
    return int.from_bytes(subject_digest(key, "sign-in", kind, subject)[:2], "big")


def _used(connection: Connection, bucket: int, begin: datetime) -> int:
    c = _rows.c
    found = connection.execute(select(c["count"]).where(c.bucket == bucket, c.since > begin)).scalar()
    return int(found or 0)


def _add(connection: Connection, bucket: int, now: datetime, limit: AttemptLimit) -> int:
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    c, over = _rows.c, _rows.c.since <= now - limit.window
    statement = dialect.insert(_rows).values(bucket=bucket, since=now, count=1)
    added = statement.on_conflict_do_update(
        index_elements=[c.bucket],
        set_={"count": case((over, 1), else_=c["count"] + 1), "since": case((over, now), else_=c.since)},
    )
    return int(connection.execute(added.returning(c["count"])).scalar_one())
