"""What the console reads besides the road's own rows: a month of rollups, refusals, waiting work, held events."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from connector.operations.rollups import EVERYBODY
from connector.storage.tables import EventWork, RefusedWebhook
from connector.storage.tables_console import RollupHour
from tests.bench.places import Place

__all__ = ["seed_console"]

_METRICS = (
    *("arrived", "made", "matchable", "accepted", "withheld", "filtered", "rejected", "attempts"),
    *(f"key_{name}" for name in ("email", "phone", "external_id", "ttclid", "ttp", "ip", "user_agent")),
    *(f"latency_{number}" for number in range(10)),
)
_DAYS = 31
_REFUSED, _WAITING = 2_000, 5_000
_PART = 20_000


def seed_console(place: Place, stores: tuple[str, ...], rows: int) -> None:
    """Rollups of every hour, metric and store, the refused sample, and a backlog; less of it for a small history."""
    now = datetime.now(UTC)
    hours = min(_DAYS * 24, max(rows // 1000, 2))
    _write(place, RollupHour, _rollups(now, hours, stores))
    ids = place.storage.new_ids(_REFUSED + _WAITING)
    _write(place, RefusedWebhook, (_refused(row_id, now, stores[row_id % len(stores)]) for row_id in ids[:_REFUSED]))
    _write(place, EventWork, (_work(row_id, now, stores[row_id % len(stores)]) for row_id in ids[_REFUSED:]))


def _rollups(now: datetime, hours: int, stores: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours)
    for number in range(hours + 1):
        for place, installation_id in enumerate((EVERYBODY, *stores)):
            for size, metric in enumerate(_METRICS):
                count = (number * 31 + place * 7 + size) % 90 + 1
                yield {
                    "hour": first + timedelta(hours=number),
                    "installation_id": installation_id,
                    "metric": metric,
                    "count": count * (len(stores) if installation_id == EVERYBODY else 1),
                }


def _refused(row_id: int, now: datetime, store: str) -> dict[str, Any]:
    return {"id": row_id, "installation_id": store, "received_at": now, "status": 401, "reason": "bad_signature",
            "topic": "order.created", "size": 4000}  # fmt: skip


def _work(row_id: int, now: datetime, store: str) -> dict[str, Any]:
    return {"id": row_id, "installation_id": store, "lane": "retry", "run_at": now + timedelta(hours=9),
            "lease_token": 0, "tries": 1}  # fmt: skip


def _write(place: Place, table: Any, rows: Iterator[dict[str, Any]]) -> None:
    part: list[dict[str, Any]] = []
    with place.storage.database.write() as connection:
        for row in rows:
            part.append(row)
            if len(part) == _PART:
                connection.execute(insert(table.__table__), part)
                part = []
        if part:
            connection.execute(insert(table.__table__), part)
