"""What this worker holds: claims with their tokens, kept alive while calls are in flight, given back at the end."""

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta

from connector.core.states import EventState
from connector.storage.deliveries import Settlement, settle
from connector.storage.opening import Storage
from connector.storage.queue import event_queue

__all__ = ["Leases"]


class Leases:
    """Token to row ids. The methods that reach the database are called in a thread, one claim per token.

    A set is replaced, never changed in place, so that the event loop and a thread may look at it together.
    """

    def __init__(self, storage: Storage, seconds: float) -> None:
        self._storage = storage
        self.length = timedelta(seconds=seconds)
        self._held: dict[int, frozenset[int]] = {}
        self._lock = threading.Lock()

    def until(self, now: datetime) -> datetime:
        """The end of a lease that begins now."""
        return now + self.length

    def hold(self, token: int, row_ids: Iterable[int]) -> None:
        """Remember what was claimed under a token."""
        self._held[token] = frozenset(row_ids)

    def forget(self, token: int, row_ids: Iterable[int]) -> None:
        """These are settled, or another worker's."""
        with self._lock:
            left = self._held.get(token, frozenset()) - frozenset(row_ids)
            if left:
                self._held[token] = left
            else:
                self._held.pop(token, None)

    def drop(self, token: int) -> None:
        """Keep a claim alive no longer; its lease runs out by itself."""
        self._held.pop(token, None)

    def held(self, token: int) -> frozenset[int]:
        """What is still ours, as far as we know."""
        return self._held.get(token, frozenset())

    def renew(self, token: int) -> None:
        """Lengthen the lease of one claim; what another worker has taken meanwhile is forgotten."""
        row_ids = self.held(token)
        if not row_ids:
            return
        with self._storage.database.write() as connection:
            kept = event_queue.renew(connection, sorted(row_ids), token, self.until(self._storage.now()))
        self.forget(token, row_ids - kept)

    def renew_all(self) -> None:
        """Lengthen every lease."""
        for token in list(self._held):
            self.renew(token)

    def release_all(self) -> None:
        """Give everything back at once, as if never taken."""
        now = self._storage.now()
        with self._storage.database.write() as connection:
            for token, row_ids in list(self._held.items()):
                settle(connection, token, [Settlement(tuple(sorted(row_ids)), EventState.PENDING, counts=False)], now)
        self._held.clear()
