"""So many connections that the process would run out of files: those that only wait make room.

Without a file left a server accepts nobody: some hundred silent connections would keep every store out.
"""

import resource
from collections.abc import Collection
from typing import Protocol

__all__ = ["Connected", "connections_to_hold", "make_room"]

_MOST_FILES = 65_536
_FILES_OF_OUR_OWN = 256  # database, spool, calls to TikTok and to stores
_FEWEST = 64
_AT_ONCE = 10  # one in so many makes room, so that one search serves many newcomers
_YOUNG_SECONDS = 1.0  # what a newcomer has sent may not have been read yet


class Connected(Protocol):
    """A connection as seen from here."""

    @property
    def patience(self) -> tuple[int, float] | None:
        """Who has the lowest leaves first: a rank, and monotonic seconds since when it waits. None for those who are
        being served.
        """

    def give_up_waiting(self) -> None:
        """Close it, with an answer if something of a request has come."""


def connections_to_hold() -> int:
    """Raise the limit of open files as far as the system lets us; what is left of it for connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = _MOST_FILES if soft == resource.RLIM_INFINITY else min(soft, _MOST_FILES)
    return max(files - _FILES_OF_OUR_OWN, _FEWEST)


def make_room(connections: Collection[Connected], most: int, now: float) -> None:
    """Let some of those that only wait leave when there are more than `most`; `now` in monotonic seconds."""
    over = len(connections) - most
    if over <= 0:
        return
    waiting = [(found, each) for each in connections if (found := each.patience) is not None]
    waiting.sort(key=lambda pair: pair[0])
    for (_, since), each in waiting[: max(over, most // _AT_ONCE)]:
        if since < now - _YOUNG_SECONDS:
            each.give_up_waiting()
