"""What the delivery worker reads and writes. Every change is fenced by the lease and set-based.

An event's row changes only together with its work row: who has lost the lease changes neither. Changes follow
`core.states.EVENT_CHANGES`, as conditions of the statements.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, func, insert, select, update

from connector.core.states import EVENT_CHANGES, EventState, Lane
from connector.core.store_events import ConsentStatement, ConsentStatus
from connector.storage.among import PerDatabase, unindexed
from connector.storage.bulk import BulkInsert
from connector.storage.installations import change_installation
from connector.storage.notices import raise_notice, resolve_notices
from connector.storage.queue import Claimed, event_queue
from connector.storage.tables import AttemptEvent, ConsentRecord, DeliveryAttempt, Event, EventWork, Installation

__all__ = [
    "AttemptRecord",
    "PayloadChange",
    "PendingEvent",
    "Settlement",
    "blocked_installations",
    "change_payloads",
    "consent_statements",
    "load_pending",
    "lose_access",
    "record_attempts",
    "resume_access",
    "sending_pixels",
    "settle",
    "times_answered_alone",
]

_event = Event.__table__  # type: ignore[attr-defined]
_work = EventWork.__table__  # type: ignore[attr-defined]
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]
_attempt_event = AttemptEvent.__table__  # type: ignore[attr-defined]
_consent = ConsentRecord.__table__  # type: ignore[attr-defined]
_installation = Installation.__table__  # type: ignore[attr-defined]

_NEW_ATTEMPT = insert(_attempt)
_EVENTS_OF_ATTEMPT = BulkInsert(_attempt_event, ("event_row_id", "attempt_id"))
_T = TypeVar("_T")
_CHUNK = 500  # ids in one statement
_ACCESS_NOTICES = ("access_lost", "credential_unreadable")


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """A claimed event as the worker needs it; `payload` is its JSON for TikTok."""

    row_id: int
    webhook_id: int
    event_id: str
    installation_id: str
    lane: Lane
    name: str
    event_time: datetime
    pixel_code: str
    test_event_code: str | None
    payload: bytes
    reason: str
    consent: str
    consent_policy: str
    country: str | None
    visitor_subject: bytes | None
    order_subject: bytes | None
    browser_copy: bool
    attempts: int
    delivered_at: datetime | None = None  # TikTok has it already: a replay


@dataclass(frozen=True, slots=True)
class Settlement:
    """What becomes of some claimed events.

    A final `state` ends their work. `PENDING` with `run_at` and `lane` sends them back for later; `PENDING` without
    `run_at` gives them back at once, as if never taken. `counts`: whether an attempt was theirs; `DELIVERED` without
    one is what TikTok has since long, and stays delivered when it was.
    """

    row_ids: tuple[int, ...]
    state: EventState
    reason: str = ""
    run_at: datetime | None = None
    lane: Lane | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class PayloadChange:
    """A payload that consent has narrowed, with the decision's reason."""

    row_id: int
    payload: bytes
    consent: str
    match_keys: str | None = None  # None leaves them


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One call and its answer, as kept; field by field a row of `delivery_attempt`."""

    id: int
    installation_id: str
    pixel_code: str
    started_at: datetime
    duration_ms: int
    event_count: int
    is_test: bool
    http_status: int | None
    code: int | None
    message: str
    request_id: str
    result: str
    reason: str


def blocked_installations(connection: Connection) -> frozenset[str]:
    """Installations whose events may not leave now: paused, removed, being installed, or without access."""
    c = _installation.c
    return frozenset(connection.execute(select(c.id).where((c.state != "active") | (c.access != "ok"))).scalars())


_PIXELS = PerDatabase(
    lambda among: select(_installation.c.id, _installation.c.pixel_code).where(
        among(_installation.c.id, "ids"), _installation.c.state == "active", _installation.c.access == "ok"
    )
)


def sending_pixels(connection: Connection, installation_ids: Iterable[str]) -> dict[str, str]:
    """The pixel codes of these installations; of those whose events may not leave now, none."""
    rows = connection.execute(_PIXELS.on(connection), {"ids": sorted(set(installation_ids))})
    return {row.id: row.pixel_code for row in rows}


_LOADED = (
    "id webhook_id event_id installation_id name event_time pixel_code test_event_code payload reason consent "
    "consent_policy country visitor_subject order_subject browser_copy attempts delivered_at"
).split()

_PENDING = PerDatabase(
    lambda among: select(*[_event.c[name] for name in _LOADED]).where(
        among(_event.c.id, "ids"), unindexed(_event.c.state) == EventState.PENDING, _event.c.payload.is_not(None)
    )
)
_STATEMENTS = PerDatabase(
    lambda among: (
        select(
            _consent.c.installation_id, _consent.c.subject, _consent.c.status, _consent.c.stated_at,
            _consent.c.source, _consent.c.global_privacy_control,
        )
        .where(among(_consent.c.subject, "subjects"))
        .order_by(_consent.c.id)
    )
)  # fmt: skip


def load_pending(connection: Connection, claimed: Sequence[Claimed]) -> list[PendingEvent]:
    """The claimed events that are still pending and have a payload, in the order of the claim."""
    rows: dict[int, Any] = {}
    for ids in _chunks([each.id for each in claimed]):
        rows.update((row.id, row) for row in connection.execute(_PENDING.on(connection), {"ids": list(ids)}))
    return [_pending(rows[each.id], each.lane) for each in claimed if each.id in rows]


def _pending(row: Any, lane: Lane) -> PendingEvent:
    values = dict(row._mapping)
    return PendingEvent(row_id=values.pop("id"), lane=lane, **values)


def consent_statements(
    connection: Connection, subjects: Iterable[bytes]
) -> dict[str, dict[bytes, list[ConsentStatement]]]:
    """Everything on record for these subjects, oldest first, by installation and subject."""
    found: dict[str, dict[bytes, list[ConsentStatement]]] = defaultdict(lambda: defaultdict(list))
    for part in _chunks(list(set(subjects))):
        rows = connection.execute(_STATEMENTS.on(connection), {"subjects": list(part)})
        for owner, subject, status, stated_at, source, signal in rows:
            said = ConsentStatement(ConsentStatus(status), stated_at, source, signal)
            found[owner][bytes(subject)].append(said)
    return found


def settle(connection: Connection, token: int, settlements: Iterable[Settlement], now: datetime) -> set[int]:
    """Apply every settlement to the events that are still ours. Returns their ids."""
    ours: set[int] = set()
    for each in settlements:
        kept = _settle_work(connection, token, each, now)
        if each.state is not EventState.PENDING or each.run_at is not None:
            _change_events(connection, sorted(kept), each, now)
        ours |= kept
    return ours


def _settle_work(connection: Connection, token: int, each: Settlement, now: datetime) -> set[int]:
    if each.state is not EventState.PENDING:
        return event_queue.complete(connection, each.row_ids, token)
    if each.run_at is None or each.lane is None:
        return event_queue.release(connection, token, each.row_ids, now)
    return event_queue.postpone(connection, each.row_ids, token, each.run_at, each.lane)


def _change_events(connection: Connection, row_ids: Sequence[int], each: Settlement, now: datetime) -> None:
    statement = _settlement(each.state, each.counts).on(connection)
    values = {"new_reason": each.reason, "at": each.run_at, "now": now}
    for ids in _chunks(row_ids):
        connection.execute(statement, values | {"ids": list(ids)})


@cache
def _settlement(state: EventState, counts: bool) -> PerDatabase:
    before = {earlier for earlier, following in EVENT_CHANGES.items() if state in following}
    if state is EventState.PENDING:
        before = {EventState.PENDING}  # no change of state, only of time and reason
    values: dict[str, Any] = {
        "state": state,
        "reason": bindparam("new_reason"),
        "next_attempt_at": bindparam("at"),
        "updated_at": bindparam("now"),
    }
    if counts:
        values["attempts"] = _event.c.attempts + 1
    if state is EventState.DELIVERED and counts:
        values["delivered_at"] = bindparam("now")
    may = unindexed(_event.c.state).in_(sorted(before))
    return PerDatabase(lambda among: update(_event).where(among(_event.c.id, "ids"), may).values(values))


def change_payloads(connection: Connection, changes: Sequence[PayloadChange], now: datetime) -> None:
    """Write narrowed payloads of events of ours."""
    for with_keys in (False, True):
        rows = [
            {"row": each.row_id, "new_payload": each.payload, "new_consent": each.consent, "keys": each.match_keys}
            for each in changes
            if (each.match_keys is not None) == with_keys
        ]
        values: dict[str, Any] = {
            "payload": bindparam("new_payload"),
            "consent": bindparam("new_consent"),
            "updated_at": now,
        }
        if with_keys:
            values["match_keys"] = bindparam("keys")
        if rows:
            connection.execute(update(_event).where(_event.c.id == bindparam("row")).values(values), rows)


def record_attempts(connection: Connection, made: Sequence[tuple[AttemptRecord, Iterable[int]]]) -> None:
    """Keep calls and which events were in each, whoever has the lease by now: the calls were made."""
    rows = [{name: getattr(attempt, name) for name in AttemptRecord.__slots__} for attempt, _ in made]
    connection.execute(_NEW_ATTEMPT, rows)
    events = [(row_id, attempt.id) for attempt, row_ids in made for row_id in row_ids]
    _EVENTS_OF_ATTEMPT.run(connection, events)


def times_answered_alone(connection: Connection, row_id: int, reason: str) -> int:
    """How many calls with this event alone brought that answer."""
    statement = (
        select(func.count())
        .select_from(_attempt_event.join(_attempt, _attempt.c.id == _attempt_event.c.attempt_id))
        .where(_attempt_event.c.event_row_id == row_id, _attempt.c.event_count == 1, _attempt.c.reason == reason)
    )
    return int(connection.execute(statement).scalar_one())


def lose_access(
    connection: Connection, *, notice_id: int, installation_id: str, reason: str, details: str, now: datetime
) -> None:
    """Pause sending for this installation and tell its owner. Its work stays where it is."""
    change_installation(connection, installation_id, now, access="lost", access_reason=reason)
    raise_notice(
        connection,
        row_id=notice_id,
        installation_id=installation_id,
        kind="access_lost",
        details=f"{reason}: {details}" if details else reason,
        now=now,
    )


def resume_access(connection: Connection, installation_id: str, now: datetime) -> int:
    """After a new token: sending goes on, and all that waited is due now. Returns how much was brought forward.

    Work that a worker holds is left alone. Runs in the caller's write transaction.
    """
    change_installation(connection, installation_id, now, access="ok", access_reason="")
    resolve_notices(connection, installation_id, _ACCESS_NOTICES, now)
    return sum(_bring_forward(connection, installation_id, lane, now) for lane in Lane)


def _bring_forward(connection: Connection, installation_id: str, lane: Lane, now: datetime) -> int:
    c = _work.c
    waiting = select(c.id).where(
        c.lane == lane, c.installation_id == installation_id, c.run_at > now, c.lease_token == 0
    )
    brought = 0
    while ids := list(connection.execute(waiting.limit(_CHUNK)).scalars()):
        connection.execute(update(_work).where(c.id.in_(ids)).values(run_at=now))
        connection.execute(update(_event).where(_event.c.id.in_(ids)).values(next_attempt_at=now))
        brought += len(ids)
    return brought


def _chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
