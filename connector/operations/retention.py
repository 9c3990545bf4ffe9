"""Retention: three clocks, for bodies, for what is known about them, and for evidence.

| clock | what goes |
|---|---|
| bodies | bodies of webhooks (they stay listed), payloads of events that are over, finished comparisons with stores |
| metadata | webhooks, events, calls to TikTok, search terms, refusals, counts |
| audit | consent records; the audit log itself is never shortened, since its chain would break |

Whatever these say, an event that still waits after seven days is given up: TikTok takes none that old. A webhook that
nobody could read, since its store has no pixel yet, is kept whole until the second clock.

Dedup keys are kept ten days. The ledger of orders is kept for ever: no order is ever sold twice. Each step is a
transaction of a few hundred rows, so that arrivals never wait for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from connector.core.retries import DEAD_AFTER
from connector.core.row_ids import id_at
from connector.storage import expiring
from connector.storage.engine import Database
from connector.storage.opening import Storage
from connector.storage.partitions import drop_old_partitions, make_partitions

__all__ = ["Clocks", "Retained", "apply_retention"]

KEYS_KEPT = timedelta(days=10)  # a store sends the same webhook again within eight
_PAUSE_SECONDS = 0.01
# Per kind and round; the next round goes on. 1,500 webhooks a second are 10,800 steps an hour for most kinds, and
# four times that for their search terms.
_MOST_STEPS = 50_000


@dataclass(frozen=True, slots=True)
class Clocks:
    """How many days each kind is kept."""

    bodies_days: int
    metadata_days: int
    audit_days: int


@dataclass(slots=True)
class Retained:
    """What one round did: rows by kind, partitions made and dropped."""

    rows: dict[str, int] = field(default_factory=dict)
    partitions_made: list[str] = field(default_factory=list)
    partitions_dropped: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        done = [f"{kind} {count}" for kind, count in self.rows.items() if count]
        return ", ".join([*done, *(f"dropped {name}" for name in self.partitions_dropped)])


def apply_retention(
    storage: Storage,
    clocks: Clocks,
    *,
    go_on: Callable[[], bool] = lambda: True,
    sleep: Callable[[float], None] = lambda _seconds: None,
    most_steps: int = _MOST_STEPS,
) -> Retained:
    """One round over everything that is past its clock, in small steps, until done, stopped or at the limit."""
    done, database, now = Retained(), storage.database, storage.now()
    done.partitions_made = make_partitions(database, now)
    for kind, step in _steps(database, clocks, now):
        for _ in range(most_steps):
            if not go_on():
                return done
            taken = step()
            if not taken:
                break
            done.rows[kind] = done.rows.get(kind, 0) + taken
            sleep(_PAUSE_SECONDS)
        if kind == "terms":
            # Whole weeks go at once before anything walks through their rows.
            done.partitions_dropped = drop_old_partitions(database, now - timedelta(days=clocks.metadata_days))
    expiring.forget_processes(database, now)
    return done


def _steps(database: Database, clocks: Clocks, now: datetime) -> list[tuple[str, Callable[[], int]]]:
    bodies, metadata, audit = (
        _id_before(now, timedelta(days=days))
        for days in (clocks.bodies_days, clocks.metadata_days, clocks.audit_days)
    )
    by_id = (
        ("bodies", expiring.expire_bodies, bodies),
        ("payloads", expiring.expire_payloads, bodies),
        ("too_old", partial(expiring.end_too_old, now=now), _id_before(now, DEAD_AFTER)),
        ("unread", expiring.close_unread, metadata),
        ("runs", expiring.remove_runs, bodies),
        ("keys", expiring.forget_keys, _id_before(now, KEYS_KEPT)),
        ("replay_items", expiring.remove_replay_items, _id_before(now, KEYS_KEPT)),  # nothing so old is sent any more
        ("terms", expiring.remove_terms, metadata),
        ("webhooks", expiring.remove_webhooks, metadata),
        ("events", expiring.remove_events, metadata),
        ("attempts", expiring.remove_attempts, metadata),
        ("refusals", expiring.remove_refusals, metadata),
        ("replays", expiring.remove_replays, metadata),
        ("consents", expiring.remove_consents, audit),
    )
    steps = [(kind, _bound(step, database, below)) for kind, step, below in by_id]
    before = now - timedelta(days=clocks.metadata_days)
    return [*steps, ("counts", lambda: expiring.remove_counts(database, before))]


def _bound(step: Callable[[Database, int], int], database: Database, below: int) -> Callable[[], int]:
    return lambda: step(database, below)


def _id_before(now: datetime, span: timedelta) -> int:
    return id_at(int((now - span).timestamp() * 1000))
