"""The console gives way: while webhooks press, its pages are spaced out, so that intake never waits for a reader.

Nothing else holds on a machine whose cores are all busy: neither threads of its own nor a smaller page. Pages take
turns then; each reserves as much time as keeps the console's work at a small share, and waits six seconds at most.
While few webhooks arrive nothing is ever delayed.
"""

import asyncio
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["GivingWay", "SpacedOut"]

_PRESSED = 1000.0  # webhooks a second in this process; it takes several thousand
_BUSY = 0.35  # of one processor, for all but the console: a slow machine is pressed by fewer webhooks,
_SOME = 50.0  # though by some
_LOOKED = 0.25  # seconds between two looks at how many have arrived
_STALE = 5.0
_SHARE = 0.04  # of one processor, for the console's own work
_DATABASE = 2.0  # a page costs the database about as much again
_MOST_WAIT = 6.0
_FIRST_GUESS = 0.01  # seconds of processor time that a page costs
_WEIGHT = 0.1  # of the newest page in the average
_FREE = ("/assets/", "/static/")


class GivingWay:
    """One per process. `arrived` counts webhooks since the start; `clock` gives seconds that never go back, `worked`
    the seconds of processor that the process has used.
    """

    def __init__(
        self,
        arrived: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        worked: Callable[[], float] = time.process_time,
    ) -> None:
        self._arrived, self._clock, self._worked = arrived, clock, worked
        self._looked_at, self._seen, self._others = clock(), arrived(), worked()
        self._pressed = False
        self._own = 0.0
        self._next_at = 0.0
        self._average = _FIRST_GUESS
        self._spent = 0.0

    @property
    def pressed(self) -> bool:
        """Whether so many webhooks arrive that the console should wait."""
        now = self._clock()
        passed = now - self._looked_at
        if passed >= _LOOKED:
            arrived, others = self._arrived(), self._worked() - self._own
            rate, busy = (arrived - self._seen) / passed, (others - self._others) / passed
            self._pressed = passed < _STALE and (rate >= _PRESSED or (rate >= _SOME and busy >= _BUSY))
            self._looked_at, self._seen, self._others = now, arrived, others
        return self._pressed

    def spent(self, seconds: float) -> None:
        """Processor time that a part of a page took."""
        self._spent += seconds
        self._own += seconds

    def reserve(self) -> float:
        """Seconds to wait before the next page; its time is taken from then on."""
        now = self._clock()
        if not self.pressed:
            self._next_at = now
            return 0.0
        start = min(max(now, self._next_at), now + _MOST_WAIT)
        self._next_at = start + self._average * _DATABASE / _SHARE
        return start - now

    def done(self) -> None:
        """A page is written: what was spent since the last one is what a page costs."""
        self._average += _WEIGHT * (min(self._spent, 1.0) - self._average)
        self._spent = 0.0


class SpacedOut:
    """ASGI middleware: every request but those for files waits its turn."""

    def __init__(self, app: ASGIApp, way: GivingWay) -> None:
        self._app = app
        self._way = way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or any(part in scope["path"] for part in _FREE):
            await self._app(scope, receive, send)
            return
        if wait := self._way.reserve():
            await asyncio.sleep(wait)
        try:
            await self._app(scope, receive, send)
        finally:
            self._way.done()
