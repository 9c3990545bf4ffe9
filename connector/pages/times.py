"""Times as they stand in a page: UTC; `local_times.html` finds them there and puts the reader's own in place."""

from datetime import datetime

__all__ = ["written"]


def written(at: datetime) -> str:
    """As `2026-11-22 14:05 UTC`; `at` is in UTC."""
    return at.strftime("%Y-%m-%d %H:%M UTC")
