"""Rates per source address for what was refused. A signed webhook is never asked for its rate."""

import ipaddress

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

__all__ = ["RefusedSources"]

REFUSALS_PER_MINUTE = 60
_MOST_SOURCES = 20_000
_ONE_CUSTOMER = 64  # bits of an IPv6 address that one customer of a provider usually has


class RefusedSources:
    """Counts refusals per address, in memory. Over the rate a source still hears its status, and costs no more:
    no look into the database, no row, no reading on.
    """

    def __init__(self, per_minute: int = REFUSALS_PER_MINUTE) -> None:
        self._rate = RateLimitItemPerMinute(per_minute)
        self._counts = MemoryStorage()
        self._limiter = FixedWindowRateLimiter(self._counts)

    def is_over(self, address: str) -> bool:
        """Whether this source had its share of refusals."""
        return not self._limiter.test(self._rate, _source(address))

    def count(self, address: str) -> bool:
        """Note one refusal. False when the source is over its rate, or when there are too many sources to tell."""
        if len(self._counts.storage) >= _MOST_SOURCES:
            return False
        return self._limiter.hit(self._rate, _source(address))


def _source(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, _ONE_CUSTOMER), strict=False).network_address)
