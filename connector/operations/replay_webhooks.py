"""Replays of stored webhooks by filter: which, what today's reading would make of them, and reading them anew.

Nothing is sent twice by it: a webhook whose event is there makes no second one, and an order that has its purchase
gets no other. What is new is decided as ever, consent included, in the replay lane.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.core.mapped import Conversion
from connector.core.retries import DEAD_AFTER, MERGED_FOR
from connector.core.row_ids import id_at
from connector.core.states import Lane, WebhookState
from connector.operations.replay_rules import ReplayVerdict, changed_fields, mapped_today
from connector.operations.replay_selection import STEP, ReplayPlan, ReplaySelection, selected_installation
from connector.storage.installations import InstallationRecord
from connector.storage.journeys import stored_body
from connector.storage.opening import Storage
from connector.storage.tables import Event, Webhook, WebhookWork
from connector.tiktok.payload import event_bytes

__all__ = ["READ_ANEW", "plan_webhooks", "read_anew", "selected_webhooks"]

PASSED = 2000  # rows that one look passes over while it seeks those that fit
_READ = 300  # of the dry run are read and mapped; the others are counted

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_work = WebhookWork.__table__  # type: ignore[attr-defined]
_JUDGED = ("id", "topic", "received_at", "state", "reason", "order_id", "body_encoding")
# What a step reads anew, whatever comes of it.
READ_ANEW = frozenset(
    {
        ReplayVerdict.MAKES_EVENT,
        ReplayVerdict.MAKES_LATE,
        ReplayVerdict.MAKES_OLD,
        ReplayVerdict.KNOWN,
        ReplayVerdict.MAKES_NOTHING,
        ReplayVerdict.NOT_LOOKED_AT,
    }
)


@dataclass(frozen=True, slots=True)
class Part:
    """Those that fit among the rows that one look passed, and how far it came; `last` when it came to the end."""

    rows: Sequence[Row[Any]]
    passed: int
    last: bool


def selected_webhooks(connection: Connection, selection: ReplaySelection, after: int = 0) -> Iterator[Part]:
    """The selected webhooks by id, part by part; a filter that nothing fits passes over the store's own rows only."""
    c = _webhook.c
    while True:
        near = (
            select(*(c[name] for name in _JUDGED))
            .where(c.installation_id == selection.installation_id, c.id > after, *_range(selection))
            .order_by(c.id)
            .limit(PASSED)
            .subquery()
        )
        end = connection.execute(select(near.c.id).order_by(near.c.id.desc()).limit(1)).scalar()
        if end is None:
            yield Part((), after, True)
            return
        fitting = select(near).where(*_filters(near.c, selection)).order_by(near.c.id).limit(STEP)
        rows = connection.execute(fitting).all()
        after = rows[-1].id if len(rows) == STEP else int(end)
        yield Part(rows, after, False)


def plan_webhooks(storage: Storage, selection: ReplaySelection, limit: int) -> ReplayPlan:
    """The dry run: reads only. The first few hundred are read and mapped as a replay would; the rest is counted."""
    verdicts, changed = Counter[ReplayVerdict](), Counter[str]()
    compared = changed_events = passed = 0
    complete = True
    with storage.database.read() as connection:
        installation = selected_installation(connection, selection)
        for part in selected_webhooks(connection, selection):
            room = _READ - compared
            judged = _judged(connection, installation, part.rows, room, storage.now())
            verdicts.update(verdict for verdict, _ in judged)
            compared += min(room, len(part.rows))
            for _, fields in judged:
                changed_events += bool(fields)
                changed.update(fields)
            passed += PASSED
            if verdicts.total() >= limit or passed >= limit * 5:
                complete = part.last
                break
    return ReplayPlan(dict(verdicts), compared, changed_events, dict(changed), complete, READ_ANEW)


def read_anew(
    connection: Connection, installation_id: str, rows: Sequence[Row[Any]], now: datetime
) -> list[Row[Any]]:
    """Back into the queue, in the replay lane, those whose body is kept and that do not wait. Returns them."""
    kept = [row for row in rows if row.body_encoding != "expired"]
    waiting = _waiting(connection, [row.id for row in kept])
    going = [row for row in kept if row.id not in waiting]
    if going:
        dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
        work = [
            {"id": row.id, "installation_id": installation_id, "lane": Lane.REPLAY, "run_at": now, "lease_token": 0,
             "tries": 0}
            for row in going
        ]  # fmt: skip
        connection.execute(dialect.insert(_work).on_conflict_do_nothing(), work)
        here = update(_webhook).where(_webhook.c.id.in_([row.id for row in going]))
        connection.execute(here.values(state=WebhookState.RECEIVED, reason=""))
    return going


def _range(selection: ReplaySelection) -> list[Any]:
    c = _webhook.c
    found: list[Any] = []
    if selection.webhook_id is not None:
        found.append(c.id == selection.webhook_id)
    if selection.since is not None:
        found.append(c.id >= id_at(int(selection.since.timestamp() * 1000)))
    if selection.until is not None:
        found.append(c.id < id_at(int(selection.until.timestamp() * 1000)))
    if selection.order_id:
        found.append(c.order_id == selection.order_id)
    return found


def _filters(columns: Any, selection: ReplaySelection) -> list[Any]:
    asked = {"state": selection.state, "topic": selection.topic, "reason": selection.reason}
    return [columns[name] == value for name, value in asked.items() if value]


def _waiting(connection: Connection, ids: Sequence[int]) -> set[int]:
    return set(connection.execute(select(_work.c.id).where(_work.c.id.in_(ids))).scalars())


_Judged = list[tuple[ReplayVerdict, tuple[str, ...]]]


def _judged(
    connection: Connection, installation: InstallationRecord, rows: Sequence[Row[Any]], room: int, now: datetime
) -> _Judged:
    """A verdict for each, with the fields that today's mapping changes of the event that is there."""
    waiting = _waiting(connection, [row.id for row in rows])
    found: _Judged = []
    read: list[Row[Any]] = []
    for number, row in enumerate(rows):
        if row.id in waiting:
            found.append((ReplayVerdict.WAITS, ()))
        elif row.body_encoding == "expired":
            found.append((ReplayVerdict.NOT_KEPT, ()))
        elif number >= room:
            found.append((ReplayVerdict.NOT_LOOKED_AT, ()))
        else:
            read.append(row)
    return found + _read_today(connection, installation, read, now)


def _read_today(
    connection: Connection, installation: InstallationRecord, rows: Sequence[Row[Any]], now: datetime
) -> _Judged:
    c = _webhook.c
    bodies = connection.execute(select(c.id, c.body, c.body_encoding).where(c.id.in_([row.id for row in rows])))
    body_of = {row.id: stored_body(row.body, row.body_encoding) or b"" for row in bodies}
    mapped = [mapped_today(installation, row.topic, row.received_at, body_of.get(row.id, b"")) for row in rows]
    known = _events_there(connection, installation.id, [one.event.event_id for one in mapped if one is not None])
    return [_verdict(one, known, now) for one in mapped]


def _events_there(connection: Connection, installation_id: str, event_ids: Sequence[str]) -> dict[str, bytes | None]:
    c = _event.c
    mine = (c.installation_id == installation_id, c.event_id.in_(event_ids))
    rows = connection.execute(select(c.event_id, c.payload).where(*mine))
    return {row.event_id: row.payload for row in rows}


def _verdict(
    mapped: Conversion | None, known: dict[str, bytes | None], now: datetime
) -> tuple[ReplayVerdict, tuple[str, ...]]:
    if mapped is None:
        return ReplayVerdict.MAKES_NOTHING, ()
    event = mapped.event
    if event.event_id in known:
        sent = known[event.event_id]
        return ReplayVerdict.KNOWN, changed_fields(sent, event_bytes(event)) if sent else ()
    age = now - event.event_time
    if age >= DEAD_AFTER:
        return ReplayVerdict.MAKES_OLD, ()
    return (ReplayVerdict.MAKES_EVENT if age < MERGED_FOR else ReplayVerdict.MAKES_LATE), ()
