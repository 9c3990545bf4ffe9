"""Takes due work: which lanes and installations have their turn, and what of it may leave right now.

Consent and age are judged at the last moment before a call. What may not leave is settled at once.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from connector import failpoints
from connector.core.states import EventState, Lane
from connector.core.store_events import ConsentStatement
from connector.delivery.batches import EventBatch, group
from connector.delivery.judging import Judged, judge, subjects_of
from connector.delivery.leases import Leases
from connector.delivery.places import Places
from connector.errors import CredentialUnreadable
from connector.logs import log
from connector.storage.deliveries import (
    PendingEvent,
    Settlement,
    blocked_installations,
    change_payloads,
    consent_statements,
    load_pending,
    lose_access,
    sending_pixels,
    settle,
)
from connector.storage.installations import live_credentials, open_credentials
from connector.storage.notices import raise_notice
from connector.storage.opening import Storage
from connector.storage.queue import Claimed, ClockWatch, event_queue

__all__ = ["Claim", "Claiming", "Unreadable"]

# Whose turn it is, one claim each, round and round. A lane without work passes its turn on, so live orders have half
# of all turns at least, and no backlog is ever left out.
_TURNS = (Lane.FRESH, Lane.RETRY, Lane.FRESH, Lane.REPLAY, Lane.FRESH, Lane.RECONCILE)
_ERASED = "erased"
_MOST_EVENTS = 500  # of one look
_BLOCKED_FOR = timedelta(seconds=1)  # how long the list of paused installations is believed


@dataclass(frozen=True, slots=True, repr=False)
class Claim:
    """Events of one installation that are ours to send now. Its text form hides the token of TikTok."""

    token: int
    installation_id: str
    lane: Lane
    pixel_code: str
    access_token: str
    batches: tuple[EventBatch, ...]
    full: bool  # there may be more

    @property
    def event_count(self) -> int:
        """Of all its batches."""
        return sum(len(each.events) for each in self.batches)

    def __repr__(self) -> str:
        return f"Claim({self.token}, {self.installation_id}, {self.event_count} events)"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An installation whose credentials do not open; its work was given back."""

    installation_id: str


@dataclass(frozen=True, slots=True)
class _Taken:
    """What one claim took of the queue."""

    token: int
    installation_id: str
    lane: Lane
    pixel_code: str
    work: list[Claimed]
    full: bool


@dataclass(frozen=True, slots=True, repr=False)
class _Known:
    """What all claims of one look need: tokens by installation, events by row id, consent by both."""

    tokens: dict[str, str]
    events: dict[int, PendingEvent]
    statements: dict[str, dict[bytes, list[ConsentStatement]]]


class Claiming:
    """Claims of one worker. Every method is called in a thread, one at a time."""

    def __init__(self, storage: Storage, leases: Leases, batch_size: int, longest_wait: timedelta) -> None:
        self._storage = storage
        self._longest_wait = longest_wait
        self._leases = leases
        self._batch_size = batch_size
        self._turn = 0
        self._cursors = dict.fromkeys(Lane, "")
        self._blocked: frozenset[str] = frozenset()
        self._blocked_at: datetime | None = None
        self._clock = ClockWatch()

    def forget_blocked(self) -> None:
        """Look anew for paused installations the next time."""
        self._blocked_at = None

    def take(self, room: int, waiting: frozenset[str], places: Places) -> list[Claim | Unreadable]:
        """Up to `room` claims, none of the installations in `waiting`, and for each a place; `places` knows those
        that are being sent.
        """
        now = self._storage.now()
        if (by := self._clock.set_back_by(now)) is not None:
            log.warning("clock_set_back", seconds=int(by.total_seconds()))
            with self._storage.database.write() as connection:
                event_queue.set_back(connection, now, self._leases.length, self._longest_wait)
        choices = self._choices(room, now, waiting, places)
        if not choices:
            return []
        taken = self._claim(choices, now)
        failpoints.reach("after_claim")
        return self._prepare(taken, now)

    def _choices(self, room: int, now: datetime, waiting: frozenset[str], places: Places) -> list[tuple[Lane, str]]:
        with self._storage.database.read() as connection:
            excluded = self._not_now(connection, now) | waiting
            due = {lane: self._due(connection, lane, now, excluded, places) for lane in Lane}
        choices: list[tuple[Lane, str]] = []
        passed = 0
        while len(choices) < room and passed < len(_TURNS):
            lane = _TURNS[self._turn % len(_TURNS)]
            self._turn += 1
            while due[lane] and not places.may_take(lane, due[lane][0]):
                due[lane].popleft()
            if not due[lane]:
                passed += 1
                continue
            passed = 0
            installation_id = due[lane][0]
            due[lane].rotate(-1)  # comes again when the others had their turn
            places.take(lane, installation_id)
            choices.append((lane, installation_id))
        return choices

    def _due(
        self, connection: Connection, lane: Lane, now: datetime, excluded: frozenset[str], places: Places
    ) -> deque[str]:
        if not places.has_room(lane):
            return deque()
        cursor, passed_over = self._cursors[lane], excluded | places.full(lane)
        return deque(event_queue.installations_due(connection, lane, now, cursor, passed_over))

    def _not_now(self, connection: Connection, now: datetime) -> frozenset[str]:
        if self._blocked_at is None or now - self._blocked_at >= _BLOCKED_FOR or now < self._blocked_at:
            self._blocked = blocked_installations(connection)
            self._blocked_at = now
        return self._blocked

    def _claim(self, choices: Sequence[tuple[Lane, str]], now: datetime) -> list[_Taken]:
        """All in one transaction: where each store has one event, a commit for each would be most of the work."""
        until = self._leases.until(now)
        taken: list[_Taken] = []
        empty: set[tuple[Lane, str]] = set()
        with self._storage.database.write() as connection:
            pixels = sending_pixels(connection, {name for _, name in choices})
            for lane, name in choices:
                if sum(len(each.work) for each in taken) >= _MOST_EVENTS:
                    taken[-1] = replace(taken[-1], full=True)
                    break  # a transaction stays short
                self._cursors[lane] = name
                if name not in pixels:
                    self.forget_blocked()
                    continue
                if (lane, name) in empty:
                    continue
                token = self._storage.new_id()
                work = event_queue.claim(
                    connection, name, lane, now=now, lease_until=until, token=token, limit=self._batch_size
                )
                full = len(work) == self._batch_size
                if not full:
                    empty.add((lane, name))
                if work:
                    taken.append(_Taken(token, name, lane, pixels[name], work, full))
        for each in taken:
            self._leases.hold(each.token, [one.id for one in each.work], until)
        return taken

    def _prepare(self, taken: Sequence[_Taken], now: datetime) -> list[Claim | Unreadable]:
        prepared: list[Claim | Unreadable] = []
        try:
            known = self._known(taken, now)
        except Exception:
            for each in taken:
                self._leases.drop(each.token)  # runs out by itself; nobody must keep it alive
            raise
        for each in taken:
            try:
                claim = self._prepare_one(each, known, now)
            except Exception:
                log.exception("claim_failed", installation_id=each.installation_id)
                self._leases.drop(each.token)
                continue  # the others are sent all the same
            if claim is not None:
                prepared.append(claim)
        return prepared

    def _known(self, taken: Sequence[_Taken], now: datetime) -> _Known:
        with self._storage.database.read() as connection:
            names = sorted({each.installation_id for each in taken})
            tokens = live_credentials(connection, self._storage.keys, "access_token", now, names)
            events = load_pending(connection, [one for each in taken for one in each.work])
            subjects = {subject for event in events for subject in subjects_of(event)}
            statements = consent_statements(connection, subjects)
        return _Known(
            {name: found[0][0] for name, found in tokens.items()}, {one.row_id: one for one in events}, statements
        )

    def _prepare_one(self, taken: _Taken, known: _Known, now: datetime) -> Claim | Unreadable | None:
        access_token = known.tokens.get(taken.installation_id)
        if access_token is None:
            return self._without_token(taken, now)
        events = [known.events[one.id] for one in taken.work if one.id in known.events]
        judged = judge(events, known.statements.get(taken.installation_id, {}), now)
        over = {one.id for one in taken.work} - known.events.keys()
        if over:  # decided elsewhere meanwhile, or erased: without a payload there is nothing to send
            gone = Settlement(tuple(sorted(over)), EventState.WITHDRAWN, _ERASED, counts=False)
            judged.settlements.append(gone)
        self._settle_judged(taken.token, judged, now)
        batches = tuple(group(judged.sendable, self._batch_size))
        return Claim(
            taken.token, taken.installation_id, taken.lane, taken.pixel_code, access_token, batches, taken.full
        )

    def _without_token(self, taken: _Taken, now: datetime) -> Unreadable | None:
        """None was ever given, or none opens."""
        try:
            with self._storage.database.read() as connection:
                open_credentials(connection, self._storage.keys, taken.installation_id, "access_token", now)
        except CredentialUnreadable:
            self._credential_unreadable(taken.token, taken.installation_id, now)
            return Unreadable(taken.installation_id)
        self._token_missing(taken.token, taken.installation_id, now)
        return None

    def _settle_judged(self, token: int, judged: Judged, now: datetime) -> None:
        if not (judged.settlements or judged.changes):
            return
        with self._storage.database.write() as connection:
            settle(connection, token, judged.settlements, now)
            change_payloads(connection, judged.changes, now)
        for settlement in judged.settlements:
            self._leases.forget(token, settlement.row_ids)

    def _token_missing(self, token: int, installation_id: str, now: datetime) -> None:
        with self._storage.database.write() as connection:
            self._release(connection, token, now)
            lose_access(
                connection,
                notice_id=self._storage.new_id(),
                installation_id=installation_id,
                reason="token_missing",
                details="",
                now=now,
            )
        self.forget_blocked()
        log.warning("access_lost", installation_id=installation_id, reason="no_access_given")

    def _credential_unreadable(self, token: int, installation_id: str, now: datetime) -> None:
        with self._storage.database.write() as connection:
            self._release(connection, token, now)
            raise_notice(
                connection,
                row_id=self._storage.new_id(),
                installation_id=installation_id,
                kind="credential_unreadable",
                details="the stored access token does not open with the keys of CONNECTOR_SECRET_KEYS",
                now=now,
            )
        log.error("credential_unreadable", installation_id=installation_id)

    def _release(self, connection: Connection, token: int, now: datetime) -> None:
        held = tuple(sorted(self._leases.held(token)))
        settle(connection, token, [Settlement(held, EventState.PENDING, counts=False)], now)
        self._leases.forget(token, held)
