"""Whom a worker calls for, so many calls at a time: no backlog takes every place, no replay a purchase's."""

from collections import Counter
from collections.abc import Iterable

from connector.core.states import Lane

__all__ = ["Places"]

# Replays and comparisons: together they never have more than half of all places, so that however long their calls
# last, an order that comes meanwhile leaves at once.
_BEHIND = frozenset({Lane.REPLAY, Lane.RECONCILE})
# Of one installation at once, so that TikTok need not throttle it; and places that it never takes, so that however
# long its calls last, another's order leaves at once.
_MOST_OF_ONE = 6
_FREE = 2


class Places:
    """The places of one worker and who has them. `total` is how many calls it makes at a time."""

    def __init__(self, total: int, taken: Iterable[tuple[Lane, str]] = ()) -> None:
        self._most_each = max(min(total - _FREE, _MOST_OF_ONE), 1)
        self._most_behind = max(total // 2, 1)
        self._of = Counter[str]()
        self._live_of = Counter[str]()
        self._behind = 0
        for lane, installation_id in taken:
            self.take(lane, installation_id)

    def take(self, lane: Lane, installation_id: str) -> None:
        """One place is this installation's now."""
        self._of[installation_id] += 1
        if lane in _BEHIND:
            self._behind += 1
        else:
            self._live_of[installation_id] += 1

    def has_room(self, lane: Lane) -> bool:
        """Whether anybody's work of this lane may have a place."""
        return lane not in _BEHIND or self._behind < self._most_behind

    def may_take(self, lane: Lane, installation_id: str) -> bool:
        """Whether this installation may have one more. Its first live call waits for no other of its calls."""
        if lane not in _BEHIND and not self._live_of[installation_id]:
            return True
        return self.has_room(lane) and self._of[installation_id] < self._most_each

    def full(self, lane: Lane) -> frozenset[str]:
        """Installations that may have no more for this lane."""
        return frozenset(name for name in self._of if not self.may_take(lane, name))
