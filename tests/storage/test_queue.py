"""The queue against a model, over both databases: two workers, a clock that moves, every order of their steps."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, select

from connector.core.states import Lane
from connector.storage.engine import Database
from connector.storage.opening import Storage
from connector.storage.queue import Claimed, NewWork, event_queue
from connector.storage.tables import EventWork
from tests.clock import Clock

LEASE = timedelta(seconds=30)
LONGEST = timedelta(seconds=45)
INSTALLATIONS = ("a", "b", "c")
_work = EventWork.__table__


@dataclass
class Piece:
    """What the model knows of one piece of work."""

    installation_id: str
    lane: Lane
    run_at: datetime
    token: int = 0
    tries: int = 0


def queue_machine(database: Database) -> type[RuleBasedStateMachine]:
    class QueueMachine(RuleBasedStateMachine):
        """Every rule does the same to the queue and to a dict, and compares what both said."""

        claims = Bundle("claims")  # (token, ids) that some worker believes to hold

        @initialize()
        def empty(self) -> None:
            self.clock = Clock()
            self.model: dict[int, Piece] = {}
            self.last_id = 0
            self.last_token = 0
            with database.write() as connection:
                connection.execute(delete(_work))

        @rule(
            installation_id=st.sampled_from(INSTALLATIONS),
            lane=st.sampled_from(Lane),
            count=st.integers(1, 4),
            delay=st.sampled_from([0, 0, 5, 60]),
        )
        def add(self, installation_id: str, lane: Lane, count: int, delay: int) -> None:
            run_at = self.clock() + timedelta(seconds=delay)
            work = []
            for _ in range(count):
                self.last_id += 1
                work.append(NewWork(self.last_id, installation_id, run_at, lane))
                self.model[self.last_id] = Piece(installation_id, lane, run_at)
            with database.write() as connection:
                event_queue.add(connection, work)

        @rule(seconds=st.sampled_from([1, 5, 31]))
        def time_passes(self, seconds: int) -> None:
            self.clock.advance(seconds=seconds)

        @rule(seconds=st.sampled_from([10, 61, 3600]), workers=st.integers(1, 2))
        def the_clock_is_set_back(self, seconds: int, workers: int) -> None:
            """Each worker that sees it says so; the second changes nothing."""
            self.clock.advance(seconds=-seconds)
            now = self.clock()
            for _ in range(workers):
                with database.write() as connection:
                    event_queue.set_back(connection, now, LEASE, LONGEST)
            for piece in self.model.values():
                wait = timedelta(0) if not piece.tries else LEASE if piece.token else LONGEST
                piece.run_at = min(piece.run_at, now + wait)

        @rule(
            target=claims,
            pick=st.integers(0, 11),
            blind=st.sampled_from([False, False, False, True]),
            limit=st.integers(1, 5),
        )
        def claim(self, pick: int, blind: bool, limit: int) -> Any:
            """Mostly where something is due: twelve places, and a blind choice would nearly always find nothing."""
            places = [(name, lane) for name in INSTALLATIONS for lane in Lane]
            due = [place for place in places if self._due(*place)]
            installation_id, lane = (places if blind or not due else due)[pick % (len(due) or len(places))]
            self.last_token += 1
            until = self.clock() + LEASE
            with database.write() as connection:
                claimed = event_queue.claim(
                    connection,
                    installation_id,
                    lane,
                    now=self.clock(),
                    lease_until=until,
                    token=self.last_token,
                    limit=limit,
                )
            expected = sorted(self._due(installation_id, lane)[:limit])
            assert [each.id for each in claimed] == expected
            for row_id in expected:
                piece = self.model[row_id]
                piece.run_at, piece.token, piece.tries = until, self.last_token, piece.tries + 1
            assert claimed == [
                Claimed(row_id, installation_id, lane, self.model[row_id].tries) for row_id in expected
            ]
            return (self.last_token, tuple(expected)) if expected else multiple()

        def _due(self, installation_id: str, lane: Lane) -> list[int]:
            now = self.clock()
            found = [
                (piece.run_at, row_id)
                for row_id, piece in self.model.items()
                if (piece.installation_id, piece.lane) == (installation_id, lane) and piece.run_at <= now
            ]
            return [row_id for _, row_id in sorted(found)]

        def _ours(self, token: int, ids: tuple[int, ...]) -> set[int]:
            return {row_id for row_id in ids if row_id in self.model and self.model[row_id].token == token}

        @rule(claim=claims)
        def renew(self, claim: tuple[int, tuple[int, ...]]) -> None:
            token, ids = claim
            until = self.clock() + LEASE
            with database.write() as connection:
                kept = event_queue.renew(connection, ids, token, until)
            assert kept == self._ours(token, ids)
            for row_id in kept:
                self.model[row_id].run_at = until

        @rule(claim=consumes(claims))
        def complete(self, claim: tuple[int, tuple[int, ...]]) -> None:
            token, ids = claim
            with database.write() as connection:
                done = event_queue.complete(connection, ids, token)
            assert done == self._ours(token, ids)
            for row_id in done:
                del self.model[row_id]

        @rule(claim=claims, lane=st.sampled_from(Lane), delay=st.sampled_from([0, 10]))
        def postpone(self, claim: tuple[int, tuple[int, ...]], lane: Lane, delay: int) -> None:
            token, ids = claim
            run_at = self.clock() + timedelta(seconds=delay)
            with database.write() as connection:
                given = event_queue.postpone(connection, ids, token, run_at, lane)
            assert given == self._ours(token, ids)
            for row_id in given:
                piece = self.model[row_id]
                piece.run_at, piece.lane, piece.token = run_at, lane, 0

        @rule(claim=claims)
        def release(self, claim: tuple[int, tuple[int, ...]]) -> None:
            token, ids = claim
            with database.write() as connection:
                given = event_queue.release(connection, token, ids, self.clock())
            assert given == self._ours(token, ids)
            for row_id in given:
                piece = self.model[row_id]
                piece.run_at, piece.token, piece.tries = self.clock(), 0, piece.tries - 1

        @rule(claim=claims)
        def withdraw(self, claim: tuple[int, tuple[int, ...]]) -> None:
            _, ids = claim
            with database.write() as connection:
                gone = event_queue.withdraw(connection, ids, self.clock())
            known = {row_id: self.model[row_id] for row_id in ids if row_id in self.model}
            free = {row_id for row_id, piece in known.items() if not piece.token or piece.run_at <= self.clock()}
            assert gone == free
            for row_id in gone:
                del self.model[row_id]

        @rule(
            lane=st.sampled_from(Lane),
            cursor=st.sampled_from(["", *INSTALLATIONS, "z"]),
            excluded=st.frozensets(st.sampled_from(INSTALLATIONS), max_size=2),
        )
        def turns(self, lane: Lane, cursor: str, excluded: frozenset[str]) -> None:
            with database.read() as connection:
                found = event_queue.installations_due(connection, lane, self.clock(), cursor, excluded)
            due = [name for name in INSTALLATIONS if name not in excluded and self._due(name, lane)]
            assert found == [name for name in due if name > cursor] + [name for name in due if name <= cursor]

        @invariant()
        def the_tables_agree(self) -> None:
            with database.read() as connection:
                rows = {row.id: row for row in connection.execute(select(_work))}
            found = {
                row_id: Piece(row.installation_id, Lane(row.lane), row.run_at, row.lease_token, row.tries)
                for row_id, row in rows.items()
            }
            assert found == self.model

    return QueueMachine


def test_the_queue_does_what_the_model_does(storage: Storage) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        queue_machine(storage.database),
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def _add(storage: Storage, installations: list[str], run_at: datetime, first_id: int = 1) -> None:
    work = [NewWork(first_id + place, name, run_at) for place, name in enumerate(installations)]
    with storage.database.write() as connection:
        event_queue.add(connection, work)


def test_many_that_only_wait_do_not_hide_those_that_are_due(storage: Storage, clock: Clock) -> None:
    """Twelve hundred installations wait for a retry; the ones behind them in the alphabet still have their turn."""
    waiting = [f"a{number:04}" for number in range(1200)]
    _add(storage, waiting, clock() + timedelta(hours=1))
    _add(storage, ["z1", "z2"], clock(), first_id=5000)
    with storage.database.read() as connection:
        for cursor in ("", "a0600", "z2"):
            found = event_queue.installations_due(connection, Lane.FRESH, clock(), cursor, frozenset())
            assert set(found) == {"z1", "z2"}


@pytest.mark.parametrize("paused", [600, 1100])
def test_many_that_are_paused_do_not_hide_the_others(storage: Storage, clock: Clock, paused: int) -> None:
    names = [f"a{number:04}" for number in range(paused)]
    _add(storage, [*names, "z1"], clock())
    with storage.database.read() as connection:
        assert event_queue.installations_due(connection, Lane.FRESH, clock(), "", frozenset(names)) == ["z1"]


def test_two_processes_never_take_the_same_piece(
    storage: Storage, make_storage: Callable[..., Storage], clock: Clock
) -> None:
    """Two threads with connections of their own claim until nothing is left."""
    import threading

    _add(storage, ["a"] * 400, clock())
    other = make_storage()
    taken: dict[int, list[int]] = {1: [], 2: []}
    begin = threading.Barrier(2)

    def work(token: int, database: Database) -> None:
        begin.wait()
        while True:
            with database.write() as connection:
                claimed = event_queue.claim(
                    connection, "a", Lane.FRESH, now=clock(), lease_until=clock() + LEASE, token=token, limit=7
                )
            if not claimed:
                return
            taken[token] += [each.id for each in claimed]

    threads = [
        threading.Thread(target=work, args=(token, each.database)) for token, each in ((1, storage), (2, other))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken[1] + taken[2]) == list(range(1, 401))
