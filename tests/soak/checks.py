"""What must hold whenever and wherever the process was killed."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from connector.demo.tiktok_stand_in import StandInTikTok
from connector.intake.processing import stored_body
from connector.storage.opening import Storage
from connector.storage.queue import event_queue, webhook_queue
from connector.storage.tables import Event, Webhook
from tests.soak.load import Posted

__all__ = ["faults", "settled", "summary"]

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_FINAL = {"processed", "ignored", "unreadable"}


def settled(storage: Storage) -> bool:
    """Whether nothing waits to be processed or sent."""
    with storage.database.read() as connection:
        if webhook_queue.backlog(connection) or event_queue.backlog(connection):
            return False
        waiting = select(func.count()).select_from(_event).where(_event.c.state == "pending")
        received = select(func.count()).select_from(_webhook).where(_webhook.c.state == "received")
        return not connection.execute(waiting).scalar() and not connection.execute(received).scalar()


def faults(storage: Storage, tiktok: StandInTikTok, posted: Sequence[Posted]) -> list[str]:
    """Every broken promise in words; empty when all were kept."""
    rows = _rows(storage, select(_webhook))
    stored = Counter(
        (row.installation_id, row.topic, stored_body(bytes(row.body), row.body_encoding)) for row in rows
    )
    found = [f"webhook {row.id} ended as {row.state}" for row in rows if row.state not in _FINAL]
    found += _storing_faults(stored, posted)
    expected = {one.event_id for one in posted if stored[(one.installation, one.topic, one.body)]}
    found += _event_faults(_rows(storage, select(_event)), expected)
    return found + _tiktok_faults(tiktok, expected)


def _rows(storage: Storage, statement: Any) -> list[Any]:
    with storage.database.read() as connection:
        return list(connection.execute(statement).all())


def _storing_faults(stored: Counter[tuple[str, str, bytes]], posted: Sequence[Posted]) -> list[str]:
    found = []
    for one in posted:
        times = stored[(one.installation, one.topic, one.body)]
        if one.forged and (times or one.acknowledged):
            found.append(f"a forgery was taken: {one.event_id} {one.answers}")
        if not one.forged and one.acknowledged and times != 1:
            found.append(f"answered 200 and stored {times} times: {one.event_id} {one.answers}")
        if times > 1:
            found.append(f"stored {times} times: {one.event_id}")
    known = {(one.installation, one.topic, one.body) for one in posted}
    return found + [f"nobody sent this {topic}" for (_, topic, body) in stored if (_, topic, body) not in known]


def _event_faults(events: Sequence[Any], expected: set[str]) -> list[str]:
    found = [f"event {row.event_id} ended as {row.state} {row.reason}" for row in events if row.state != "delivered"]
    ids = Counter(row.event_id for row in events)
    found += [f"event {event_id} has {count} rows" for event_id, count in ids.items() if count != 1]
    found += [f"no event {event_id}" for event_id in expected - ids.keys()]
    return found + [f"an event nobody expected: {event_id}" for event_id in ids.keys() - expected]


def _tiktok_faults(tiktok: StandInTikTok, expected: set[str]) -> list[str]:
    accepted = Counter(one.event["event_id"] for one in tiktok.accepted)
    found = [f"TikTok never got {event_id}" for event_id in expected - accepted.keys()]
    found += [f"TikTok got what nobody expected: {event_id}" for event_id in accepted.keys() - expected]
    found += [f"TikTok counts {event_id} {count} times" for event_id, count in accepted.items() if count != 1]
    by_order: dict[str, set[str]] = defaultdict(set)
    for one in tiktok.accepted:
        order_id = one.event.get("properties", {}).get("order_id")
        if order_id is not None:
            by_order[str(order_id)].add(one.event["event_id"])
    return found + [f"order {order} has {len(ids)} event ids" for order, ids in by_order.items() if len(ids) > 1]


def summary(tiktok: StandInTikTok, posted: Sequence[Posted]) -> dict[str, int]:
    """The counts of a run."""
    return {
        "requests": sum(len(one.answers) for one in posted),
        "distinct": len(posted),
        "forged": sum(one.forged for one in posted),
        "answered 200": sum(one.acknowledged for one in posted),
        "connections cut": sum(one.answers.count(0) for one in posted),
        "answered 503": sum(one.answers.count(503) for one in posted),
        "accepted by TikTok": len(tiktok.accepted),
        "copies TikTok merged": tiktok.received_count - len(tiktok.accepted),
    }
