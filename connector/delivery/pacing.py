"""Who may send now: throttled and failing calls make this process wait, all of it or one installation.

The breaker opens when several calls in a row, whosever they were, brought no answer from TikTok. From then on one
call per retry base is let through, until one is answered.
"""

from datetime import datetime, timedelta

__all__ = ["BREAKER_FAILURES", "Pacing"]

BREAKER_FAILURES = 5
_SET_BACK = timedelta(minutes=1)  # smaller steps are waited for


class Pacing:
    """State of one process; used from its event loop only. All waits are multiples of `retry_base` seconds."""

    def __init__(self, retry_base: float) -> None:
        self._probe_every = timedelta(seconds=retry_base)
        self._failures = 0
        self._next_probe: datetime | None = None
        self._all_until: datetime | None = None
        self._until: dict[str, datetime] = {}
        self._seen: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether the breaker holds calls back."""
        return self._failures >= BREAKER_FAILURES

    def room(self, wanted: int, now: datetime) -> int:
        """How many of `wanted` calls may begin now."""
        self._forget_other_times(now)
        if self._all_until is not None and now < self._all_until:
            return 0
        if not self.is_open:
            return wanted
        if self._next_probe is not None and now < self._next_probe:
            return 0
        return min(wanted, 1)

    def _forget_other_times(self, now: datetime) -> None:
        """The clock was set back: what waits until a time of before would wait for hours."""
        if self._seen is not None and now < self._seen - _SET_BACK:
            self._all_until = self._next_probe = None
            self._until.clear()
        self._seen = now

    def began(self, now: datetime) -> None:
        """A call begins; while the breaker is open it is the probe of this interval."""
        if self.is_open:
            self._next_probe = now + self._probe_every

    def waiting(self, now: datetime) -> frozenset[str]:
        """Installations that wait."""
        self._until = {name: until for name, until in self._until.items() if now < until}
        return frozenset(self._until)

    def pause_all(self, until: datetime) -> None:
        """Nobody sends until then."""
        self._all_until = max(until, self._all_until or until)

    def pause(self, installation_id: str, until: datetime) -> None:
        """This installation does not send until then."""
        self._until[installation_id] = max(until, self._until.get(installation_id, until))

    def failed(self, now: datetime) -> None:
        """A call brought nothing that TikTok itself said."""
        self._failures += 1
        if self.is_open:
            self._next_probe = now + self._probe_every

    def answered(self) -> None:
        """TikTok answered, whatever it said."""
        self._failures = 0
        self._next_probe = None
