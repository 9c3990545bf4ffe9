"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Call it for the time."""

    def __init__(self, start: datetime | None = None) -> None:
        self.time = start or datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **span: float) -> None:
        """Move on by a timedelta's arguments."""
        self.time += timedelta(**span)

    def timestamp(self) -> float:
        """Unix seconds."""
        return self.time.timestamp()
