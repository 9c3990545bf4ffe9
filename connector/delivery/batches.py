"""Groups claimed events into calls: one installation, one pixel, all test or all live, never too many."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from connector.storage.deliveries import PendingEvent
from connector.tiktok.payload import MAX_BATCH_EVENTS

__all__ = ["DEFAULT_BATCH_EVENTS", "EventBatch", "group"]

DEFAULT_BATCH_EVENTS = 250

# After such answers one event may be what TikTok stumbles over, so each further try is in smaller company.
_SUSPICIOUS = frozenset(
    "server_error server_timeout unknown_code timeout closed protocol too_large gateway_error garbage_answer".split()
)


@dataclass(frozen=True, slots=True)
class EventBatch:
    """The events of one call, one or more."""

    installation_id: str
    pixel_code: str
    test_event_code: str | None
    events: tuple[PendingEvent, ...]

    @property
    def row_ids(self) -> tuple[int, ...]:
        """The events' row ids, in the order of the call."""
        return tuple(event.row_id for event in self.events)

    def only(self, events: Sequence[PendingEvent]) -> "EventBatch":
        """The same call with some of its events."""
        return replace(self, events=tuple(events))

    def halves(self) -> tuple["EventBatch", ...]:
        """Two calls instead of one; needs two events or more."""
        middle = len(self.events) // 2
        return self.only(self.events[:middle]), self.only(self.events[middle:])

    def singles(self) -> tuple["EventBatch", ...]:
        """One call for each event."""
        return tuple(self.only((event,)) for event in self.events)


def group(events: Iterable[PendingEvent], size: int = DEFAULT_BATCH_EVENTS) -> list[EventBatch]:
    """Batches of at most `size` events (1 to 1,000), in the order in which their first events came."""
    if not 1 <= size <= MAX_BATCH_EVENTS:
        raise ValueError(f"a batch has 1 to {MAX_BATCH_EVENTS} events, not {size}")
    groups: dict[tuple[str, str, str | None, int], list[PendingEvent]] = {}
    for event in events:
        most = _company(event, size)
        key = (event.installation_id, event.pixel_code, event.test_event_code or None, most)
        groups.setdefault(key, []).append(event)
    return [
        EventBatch(installation_id, pixel_code, test_event_code, tuple(members[start : start + most]))
        for (installation_id, pixel_code, test_event_code, most), members in groups.items()
        for start in range(0, len(members), most)
    ]


def _company(event: PendingEvent, size: int) -> int:
    """With how many events in all it may go."""
    return max(size >> event.attempts, 1) if event.reason in _SUSPICIOUS else size
