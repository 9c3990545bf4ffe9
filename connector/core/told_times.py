"""Times that others tell: their clocks may be wrong."""

from datetime import datetime, timedelta

__all__ = ["believable"]

_AHEAD = timedelta(days=1)  # clocks run ahead by minutes, wrong time zones by hours; beyond that nothing is known


def believable(told: datetime | None, heard_at: datetime) -> datetime | None:
    """The time that was told, None when it lies more than a day after it was heard."""
    return None if told is None or told > heard_at + _AHEAD else told
