"""What this worker holds: claims with their tokens, kept alive while calls are in flight, given back at the end."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from connector.core.states import EventState
from connector.storage.deliveries import Settlement, settle
from connector.storage.opening import Storage
from connector.storage.queue import event_queue

__all__ = ["Leases"]


@dataclass(frozen=True, slots=True)
class _Lease:
    row_ids: frozenset[int]
    until: datetime
    ran_out: bool = False  # at some moment since the claim


class Leases:
    """Token to row ids. The methods that reach the database are called in a thread, one claim per token.

    A lease is replaced, never changed in place, so that the event loop and a thread may look at it together.
    """

    def __init__(self, storage: Storage, seconds: float) -> None:
        self._storage = storage
        self.length = timedelta(seconds=seconds)
        self._held: dict[int, _Lease] = {}
        self._lock = threading.Lock()

    def until(self, now: datetime) -> datetime:
        """The end of a lease that begins now."""
        return now + self.length

    def hold(self, token: int, row_ids: Iterable[int], until: datetime) -> None:
        """Remember what was claimed under a token, and until when."""
        self._held[token] = _Lease(frozenset(row_ids), until)

    def forget(self, token: int, row_ids: Iterable[int]) -> None:
        """These are settled, or another worker's."""
        with self._lock:
            lease = self._held.get(token)
            left = lease.row_ids - frozenset(row_ids) if lease else None
            if lease and left:
                self._held[token] = replace(lease, row_ids=left)
            else:
                self._held.pop(token, None)

    def drop(self, token: int) -> None:
        """Keep a claim alive no longer; its lease runs out by itself."""
        self._held.pop(token, None)

    def held(self, token: int) -> frozenset[int]:
        """What is still ours, as far as we know."""
        lease = self._held.get(token)
        return lease.row_ids if lease else frozenset()

    def has_run_out(self, token: int) -> bool:
        """Whether this process stood still for longer than the lease: what was judged with the claim, consent and
        age, may hold no more, whether or not another worker came meanwhile.
        """
        lease = self._held.get(token)
        return lease is not None and (lease.ran_out or self._storage.now() >= lease.until)

    def renew(self, token: int) -> None:
        """Lengthen the lease of one claim; what another worker has taken meanwhile is forgotten."""
        row_ids, ran_out = self.held(token), self.has_run_out(token)
        if not row_ids:
            return
        until = self.until(self._storage.now())
        with self._storage.database.write() as connection:
            kept = event_queue.renew(connection, sorted(row_ids), token, until)
        with self._lock:
            lease = self._held.get(token)
            if lease:  # settled meanwhile, perhaps in part
                self._held[token] = replace(lease, until=until, ran_out=ran_out)
        self.forget(token, row_ids - kept)

    def give_back(self, token: int) -> None:
        """Give one claim back at once, as if never taken."""
        held = self.held(token)
        with self._storage.database.write() as connection:
            self._give_back(connection, token, held)
        self.forget(token, held)

    def renew_all(self) -> None:
        """Lengthen every lease."""
        for token in list(self._held):
            self.renew(token)

    def release_all(self) -> None:
        """Give everything back at once, as if never taken."""
        with self._storage.database.write() as connection:
            for token, lease in list(self._held.items()):
                self._give_back(connection, token, lease.row_ids)
        self._held.clear()

    def _give_back(self, connection: Connection, token: int, row_ids: frozenset[int]) -> None:
        back = Settlement(tuple(sorted(row_ids)), EventState.PENDING, counts=False)
        settle(connection, token, [back], self._storage.now())
