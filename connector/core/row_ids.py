"""Row ids that sort by time, made without asking the database, so that a webhook has its id before its commit.

63 bits: 41 of milliseconds since 2024, 10 of the process' random tag, 12 of a counter. Two processes that
drew the same tag can collide within a millisecond; the insert then fails and is repeated under a new tag.
"""

from collections.abc import Callable

__all__ = ["RowIds", "id_at", "time_of"]

_START_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z
_COUNTER_BITS = 12
_TAG_BITS = 10
_SHIFT = _COUNTER_BITS + _TAG_BITS
_LAST_MS = (1 << (63 - _SHIFT)) - 1


def id_at(unix_ms: int) -> int:
    """The smallest id of that millisecond, for range queries by time; of times that no id can have, the nearest."""
    return min(max(unix_ms - _START_MS, 0), _LAST_MS) << _SHIFT


def time_of(row_id: int) -> int:
    """Unix milliseconds at which the id was made."""
    return (row_id >> _SHIFT) + _START_MS


class RowIds:
    """Makes ids; one per process and thread. `clock_ms` gives Unix milliseconds, `draw` an int below its argument."""

    def __init__(self, clock_ms: Callable[[], int], draw: Callable[[int], int]) -> None:
        self._clock_ms = clock_ms
        self._draw = draw
        self._last_ms = 0
        self._counter = 0
        self.new_tag()

    def new_tag(self) -> None:
        """Take another tag; called after a collision."""
        self._tag = self._draw(1 << _TAG_BITS) << _COUNTER_BITS

    def next(self) -> int:
        """Strictly greater than all ids of this maker, also when the clock steps back."""
        now = self._clock_ms()
        if now > self._last_ms:
            self._last_ms, self._counter = now, 0
        else:
            self._counter += 1
            if self._counter >> _COUNTER_BITS:
                self._last_ms, self._counter = self._last_ms + 1, 0
        return (self._last_ms - _START_MS) << _SHIFT | self._tag | self._counter
