"""Takes due work: which lanes and installations have their turn, and what of it may leave right now.

Consent and age are judged at the last moment before a call. What may not leave is settled at once.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from connector import failpoints
from connector.core.states import EventState, Lane
from connector.delivery.batches import EventBatch, group
from connector.delivery.judging import Judged, judge, subjects_of
from connector.delivery.leases import Leases
from connector.errors import CredentialUnreadable
from connector.logs import log
from connector.storage.deliveries import (
    Settlement,
    blocked_installations,
    change_payloads,
    consent_statements,
    load_pending,
    lose_access,
    sending_pixel,
    settle,
)
from connector.storage.installations import open_credentials
from connector.storage.notices import raise_notice
from connector.storage.opening import Storage
from connector.storage.queue import Claimed, ClockWatch, event_queue

__all__ = ["Claim", "Claiming", "Unreadable"]

# Whose turn it is, one claim each, round and round. A lane without work passes its turn on, so live orders have half
# of all turns at least, and no backlog is ever left out.
_TURNS = (Lane.FRESH, Lane.RETRY, Lane.FRESH, Lane.REPLAY, Lane.FRESH, Lane.RECONCILE)
_ERASED = "erased"
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
    full: bool  # as many as were asked for: there may be more

    def __repr__(self) -> str:
        return f"Claim({self.token}, {self.installation_id}, {sum(len(each.events) for each in self.batches)} events)"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An installation whose credentials do not open; its work was given back."""

    installation_id: str


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

    def take(
        self, room: int, waiting: frozenset[str], most_each: int, busy: Mapping[str, int]
    ) -> list[Claim | Unreadable]:
        """Up to `room` claims, none of the installations in `waiting`.

        Of one installation at most `most_each`, together with the claims that are being sent (`busy`).
        """
        now = self._storage.now()
        if (by := self._clock.set_back_by(now)) is not None:
            log.warning("clock_set_back", seconds=int(by.total_seconds()))
            with self._storage.database.write() as connection:
                event_queue.set_back(connection, now, self._leases.length, self._longest_wait)
        taken: list[Claim | Unreadable] = []
        empty: set[tuple[Lane, str]] = set()
        for lane, installation_id in self._choices(room, now, waiting, Counter(busy), most_each):
            if (lane, installation_id) in empty:
                continue
            try:
                claim = self._claim(lane, installation_id, now)
            except Exception:
                if not taken:
                    raise
                log.exception("claim_failed", installation_id=installation_id)
                break  # what was taken before is sent all the same
            if claim is not None:
                taken.append(claim)
            if not isinstance(claim, Claim) or not claim.full:
                empty.add((lane, installation_id))
        return taken

    def _choices(
        self, room: int, now: datetime, waiting: frozenset[str], taken: "Counter[str]", most_each: int
    ) -> list[tuple[Lane, str]]:
        full = frozenset(name for name, count in taken.items() if count >= most_each)
        with self._storage.database.read() as connection:
            excluded = self._not_now(connection, now) | waiting | full
            due = {
                lane: event_queue.installations_due(connection, lane, now, self._cursors[lane], excluded)
                for lane in Lane
            }
        choices: list[tuple[Lane, str]] = []
        passed = 0
        while len(choices) < room and passed < len(_TURNS):
            lane = _TURNS[self._turn % len(_TURNS)]
            self._turn += 1
            due[lane] = [name for name in due[lane] if taken[name] < most_each]
            if not due[lane]:
                passed += 1
                continue
            passed = 0
            installation_id = due[lane].pop(0)
            due[lane].append(installation_id)  # comes again when the others had their turn
            self._cursors[lane] = installation_id
            taken[installation_id] += 1
            choices.append((lane, installation_id))
        return choices

    def _not_now(self, connection: Connection, now: datetime) -> frozenset[str]:
        if self._blocked_at is None or now - self._blocked_at >= _BLOCKED_FOR or now < self._blocked_at:
            self._blocked = blocked_installations(connection)
            self._blocked_at = now
        return self._blocked

    def _claim(self, lane: Lane, installation_id: str, now: datetime) -> Claim | Unreadable | None:
        token = self._storage.new_id()
        until = self._leases.until(now)
        with self._storage.database.write() as connection:
            pixel_code = sending_pixel(connection, installation_id)
            if pixel_code is None:
                self.forget_blocked()
                return None
            claimed = event_queue.claim(
                connection, installation_id, lane, now=now, lease_until=until, token=token, limit=self._batch_size
            )
        if not claimed:
            return None
        self._leases.hold(token, [each.id for each in claimed])
        failpoints.reach("after_claim")
        try:
            return self._prepare(token, claimed, pixel_code, now)
        except CredentialUnreadable:
            self._credential_unreadable(token, installation_id, now)
            return Unreadable(installation_id)
        except Exception:
            self._leases.drop(token)  # runs out by itself; nobody must keep it alive
            raise

    def _prepare(self, token: int, claimed: Sequence[Claimed], pixel_code: str, now: datetime) -> Claim | None:
        installation_id, lane = claimed[0].installation_id, claimed[0].lane
        with self._storage.database.read() as connection:
            secrets = open_credentials(connection, self._storage.keys, installation_id, "access_token", now)
            events = load_pending(connection, claimed)
            subjects = {each for event in events for each in subjects_of(event)}
            statements = consent_statements(connection, installation_id, subjects)
        if not secrets:
            self._token_missing(token, installation_id, now)
            return None
        judged = judge(events, statements, now)
        over = {each.id for each in claimed} - {event.row_id for event in events}
        if over:  # decided elsewhere meanwhile, or erased: without a payload there is nothing to send
            gone = Settlement(tuple(sorted(over)), EventState.WITHDRAWN, _ERASED, counts=False)
            judged.settlements.append(gone)
        self._settle_judged(token, judged, now)
        full = len(claimed) == self._batch_size
        batches = tuple(group(judged.sendable, self._batch_size))
        return Claim(token, installation_id, lane, pixel_code, secrets[0], batches, full)

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
