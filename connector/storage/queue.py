"""One queue, two databases: leases with a fencing token, lanes, and fair turns among installations.

A piece of work is due when `run_at` has passed. Taking it moves `run_at` to the lease's end and writes the
taker's token, so an expired lease is due again by itself. Completing, postponing and renewing name the token:
a worker whose lease has passed on changes nothing and is told so. No transaction outlives these functions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, select, text, update
from sqlmodel import SQLModel

from connector.core.states import Lane
from connector.storage.among import PerDatabase
from connector.storage.bulk import BulkInsert
from connector.storage.tables import EventWork, WebhookWork

__all__ = ["Claimed", "ClockWatch", "NewWork", "WorkQueue", "event_queue", "webhook_queue"]

# How many installations one statement passes over: a bound on its time, not on what is found.
_HOPS = 500
_SET_BACK = timedelta(minutes=1)  # smaller steps are waited for
_COLUMNS = ("id", "installation_id", "lane", "run_at", "lease_token", "tries")


@dataclass(frozen=True, slots=True)
class Claimed:
    """One piece of work that is ours until the lease ends. `tries` counts the times it was taken."""

    id: int
    installation_id: str
    lane: Lane
    tries: int


@dataclass(frozen=True, slots=True)
class NewWork:
    """A piece of work to add; `id` is the webhook's or the event's."""

    id: int
    installation_id: str
    run_at: datetime
    lane: Lane = Lane.FRESH


class ClockWatch:
    """Notices that the clock was set back, by comparing each look with the one before. One per worker."""

    def __init__(self) -> None:
        self._seen: datetime | None = None

    def set_back_by(self, now: datetime) -> timedelta | None:
        """By how much since the last look; None when it went on as clocks do, or nearly."""
        seen, self._seen = self._seen, now
        return seen - now if seen is not None and now < seen - _SET_BACK else None


class WorkQueue:
    """The queue over one work table."""

    def __init__(self, table: type[SQLModel]) -> None:
        self.rows = table.__table__  # type: ignore[attr-defined]
        self._new = BulkInsert(self.rows, _COLUMNS)
        name = self.rows.name
        # A loose index scan: one hop per installation, however many rows each has.
        self._turn = text(
            f"WITH RECURSIVE turn(i) AS ("  # noqa: S608 - the name is a table of ours
            f" SELECT (SELECT installation_id FROM {name} WHERE lane = :lane AND installation_id > :cursor"
            f"  ORDER BY installation_id LIMIT 1)"
            f" UNION ALL SELECT (SELECT installation_id FROM {name}"
            f"  WHERE lane = :lane AND installation_id > turn.i ORDER BY installation_id LIMIT 1)"
            f" FROM turn WHERE turn.i IS NOT NULL)"
            f" SELECT i, (SELECT count(*) FROM (SELECT 1 FROM {name}"
            f"  WHERE lane = :lane AND installation_id = turn.i AND run_at <= :now LIMIT 1) AS due)"
            f" FROM turn WHERE i IS NOT NULL LIMIT {_HOPS}"
        ).bindparams(bindparam("now", type_=self.rows.c.run_at.type))
        self._make_hot_statements()

    def _make_hot_statements(self) -> None:
        """Built once: building them anew cost more than the database takes to answer (measured, `make bench`)."""
        c = self.rows.c
        same = (c.lane == bindparam("of_lane"), c.installation_id == bindparam("of"), c.run_at <= bindparam("now"))
        due = select(c.id).where(*same).order_by(c.run_at, c.id).limit(bindparam("most"))
        due = due.with_for_update(skip_locked=True)
        lease = {"run_at": bindparam("until"), "lease_token": bindparam("token"), "tries": c.tries + 1}
        self._take = PerDatabase(
            lambda among: update(self.rows).where(among(c.id, due)).values(lease).returning(c.id, c.tries)
        )
        ours = c.lease_token == bindparam("token")
        self._complete = PerDatabase(lambda among: delete(self.rows).where(among(c.id, "ids"), ours).returning(c.id))

    def add(self, connection: Connection, work: Iterable[NewWork]) -> None:
        """Add work that is not there yet."""
        self._new.run(connection, [(w.id, w.installation_id, w.lane, w.run_at, 0, 0) for w in work])

    def installations_due(
        self, connection: Connection, lane: Lane, now: datetime, cursor: str, excluded: frozenset[str]
    ) -> list[str]:
        """Installations with due work in this lane, in their order after `cursor`, then from the start.

        Looks on until it has found some: hundreds that only wait do not hide the ones behind them. Not always all;
        the caller's next look goes on from the last one it took.
        """
        found, whole = self._after(connection, lane, now, "", excluded)
        if whole or not cursor:
            found.sort()  # the database may sort as people do, and turns need one order
            return [name for name in found if name > cursor] + [name for name in found if name <= cursor]
        later, _ = self._after(connection, lane, now, cursor, excluded)
        seen = set(later)
        return later + [name for name in found if name not in seen]

    def _after(
        self, connection: Connection, lane: Lane, now: datetime, cursor: str, excluded: frozenset[str]
    ) -> tuple[list[str], bool]:
        """Some that are due, and whether they are all there are: nearly always, and then one look was enough."""
        while True:
            rows = connection.execute(self._turn, {"lane": lane, "cursor": cursor, "now": now}).all()
            found = [name for name, due in rows if due and name not in excluded]
            if found or len(rows) < _HOPS:
                return found, len(rows) < _HOPS
            cursor = rows[-1][0]

    def claim(
        self,
        connection: Connection,
        installation_id: str,
        lane: Lane,
        *,
        now: datetime,
        lease_until: datetime,
        token: int,
        limit: int,
    ) -> list[Claimed]:
        """Take up to `limit` pieces of one installation, those that have been due longest. Returns them in the order
        of their ids. Runs in a write transaction.
        """
        values = {"of_lane": lane, "of": installation_id, "now": now, "most": limit}
        values |= {"until": lease_until, "token": token}
        taken = connection.execute(self._take.on(connection), values).all()
        return [Claimed(row_id, installation_id, lane, tries) for row_id, tries in sorted(taken)]

    def renew(self, connection: Connection, ids: Sequence[int], token: int, lease_until: datetime) -> set[int]:
        """Keep the lease longer. Returns the ids that were still ours."""
        return self._update(connection, ids, {"run_at": lease_until}, token)

    def postpone(
        self, connection: Connection, ids: Sequence[int], token: int, run_at: datetime, lane: Lane
    ) -> set[int]:
        """Give work back for later. Returns the ids that were still ours."""
        return self._update(connection, ids, {"run_at": run_at, "lease_token": 0, "lane": lane}, token)

    def complete(self, connection: Connection, ids: Sequence[int], token: int) -> set[int]:
        """Remove finished work. Returns the ids that were still ours; for the others change nothing else."""
        removed: set[int] = set()
        for part in _parts(ids):
            removed.update(
                connection.execute(self._complete.on(connection), {"ids": list(part), "token": token}).scalars()
            )
        return removed

    def withdraw(self, connection: Connection, ids: Sequence[int], now: datetime) -> set[int]:
        """Remove work that nobody has at this moment. Returns the removed ids; the others are being sent."""
        c = self.rows.c
        return self._removed(connection, ids, (c.lease_token == 0) | (c.run_at <= now))

    def release(self, connection: Connection, token: int, ids: Sequence[int], now: datetime) -> set[int]:
        """Give work back at once, as if never taken; at shutdown."""
        return self._update(connection, ids, {"run_at": now, "lease_token": 0, "tries": self.rows.c.tries - 1}, token)

    def set_back(self, connection: Connection, now: datetime, lease: timedelta, longest: timedelta) -> None:
        """The clock was set back: nothing waits until a time of before. What nobody has tried yet is due, a lease
        ends within its length, a wait within the longest there is. Again, by another worker, it changes nothing.

        Runs in a write transaction; passes over all that waits.
        """
        c = self.rows.c
        latest = case(
            (c.tries == 0, bindparam("now", type_=c.run_at.type)),
            (c.lease_token != 0, bindparam("lease_end", type_=c.run_at.type)),
            else_=bindparam("latest", type_=c.run_at.type),
        )
        values = {"now": now, "lease_end": now + lease, "latest": now + longest}
        connection.execute(update(self.rows).where(c.run_at > latest).values(run_at=latest), values)

    def backlog(self, connection: Connection) -> int:
        """How many pieces wait, due or not."""
        return int(connection.execute(select(func.count()).select_from(self.rows)).scalar_one())

    def _update(
        self, connection: Connection, ids: Sequence[int], values: dict[str, Any], token: int | None = None
    ) -> set[int]:
        changed: set[int] = set()
        for part in _parts(ids):
            statement = update(self.rows).where(self.rows.c.id.in_(part)).values(values)
            if token is not None:
                statement = statement.where(self.rows.c.lease_token == token)
            changed.update(connection.execute(statement.returning(self.rows.c.id)).scalars())
        return changed

    def _removed(self, connection: Connection, ids: Sequence[int], condition: Any) -> set[int]:
        removed: set[int] = set()
        for part in _parts(ids):
            statement = delete(self.rows).where(self.rows.c.id.in_(part), condition)
            removed.update(connection.execute(statement.returning(self.rows.c.id)).scalars())
        return removed


def _parts(ids: Sequence[int], size: int = 500) -> Iterable[Sequence[int]]:
    """Databases limit how many values one statement may name."""
    return (ids[start : start + size] for start in range(0, len(ids), size))


webhook_queue = WorkQueue(WebhookWork)
event_queue = WorkQueue(EventWork)
