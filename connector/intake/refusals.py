"""Refused requests: all counted, a bounded sample kept. Written behind the senders' backs, never before an answer."""

import threading
from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from connector.errors import WebhookRefused
from connector.logs import log
from connector.storage.opening import Storage
from connector.storage.tables import RefusalCount, RefusedWebhook

__all__ = ["Refusals"]

_FLUSH_SECONDS = 2.0
_SAMPLED_PER_FLUSH = 20
_ROWS_KEPT = 10_000

_refused = RefusedWebhook.__table__  # type: ignore[attr-defined]
_counts = RefusalCount.__table__  # type: ignore[attr-defined]


class Refusals:
    """Collects on the event loop, writes from its own thread every two seconds."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self._counted: Counter[tuple[datetime, str, str]] = Counter()
        self._sample: list[dict[str, Any]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)
        self.totals: Counter[str] = Counter()

    def start(self) -> None:
        """Begin writing."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, then stop."""
        self._stop.set()
        self._thread.join()

    def count(self, refused: WebhookRefused, installation_id: str, topic: str, *, sample: bool = True) -> None:
        """Note one refusal, and keep it as a sample when there is room. Cheap, and bounded however many come."""
        now = self._storage.now()
        with self._lock:
            self.totals[refused.reason] += 1
            known = installation_id if refused.status not in (404, 405) else ""
            self._counted[(now.replace(minute=0, second=0, microsecond=0), known, refused.reason)] += 1
            if sample and len(self._sample) < _SAMPLED_PER_FLUSH:
                self._sample.append(
                    {
                        "received_at": now,
                        "installation_id": installation_id,
                        "status": refused.status,
                        "reason": refused.reason,
                        "topic": "".join(sign if sign.isprintable() else "?" for sign in topic)[:100],
                    }
                )

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stop.wait(_FLUSH_SECONDS)
            try:
                self.flush()
            except Exception as error:
                log.warning("refusals_not_written", error=type(error).__name__)

    def flush(self) -> None:
        """Write counts and sample in one short transaction."""
        with self._lock:
            counted, sample = self._counted, self._sample
            self._counted, self._sample = Counter(), []
        if not counted:
            return
        with self._storage.database.write() as connection:
            for key, count in counted.items():
                _add_count(connection, key, count)
            if sample:
                rows = [{"id": self._storage.new_id(), "size": 0, **row} for row in sample]
                connection.execute(insert(_refused), rows)
                _forget_oldest(connection)


def _add_count(connection: Connection, key: tuple[datetime, str, str], count: int) -> None:
    hour, installation_id, reason = key
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    values = {"hour": hour, "installation_id": installation_id, "reason": reason, "count": count}
    statement = dialect.insert(_counts).values(values)
    more = {"count": _counts.c["count"] + statement.excluded["count"]}
    connection.execute(statement.on_conflict_do_update(index_elements=list(_counts.primary_key.columns), set_=more))


def _forget_oldest(connection: Connection) -> None:
    rows = int(connection.execute(select(func.count()).select_from(_refused)).scalar_one())
    if rows > _ROWS_KEPT:
        oldest = select(_refused.c.id).order_by(_refused.c.id).limit(rows - _ROWS_KEPT)
        connection.execute(delete(_refused).where(_refused.c.id.in_(oldest.scalar_subquery())))
