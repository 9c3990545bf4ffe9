"""The time of several machines on one PostgreSQL: the database's, not each machine's own.

Leases, waits and ages compare times that different machines wrote. So each asks the database what time it is, goes
on from there by a clock that nobody sets (it counts while the machine sleeps, too), and asks again now and then.
A machine whose own clock is wrong or is set takes no other's leases, and neither hurries nor delays anybody's work.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from connector.logs import log
from connector.storage.engine import Database

__all__ = ["DatabaseClock"]

_ASK_AGAIN_SECONDS = 5.0
_APART = timedelta(milliseconds=250)  # what a measurement may be wrong by; time need not go back for so little
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NOW = text("SELECT clock_timestamp()")
_COUNTER = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _since_start() -> float:
    return time.clock_gettime(_COUNTER)


class DatabaseClock:
    """Call it for the time; safe from every thread, and nobody ever waits for the database.

    `since_start` gives seconds that never jump. Raises what the database raises when it is made.
    """

    def __init__(self, database: Database, since_start: Callable[[], float] = _since_start) -> None:
        self._database = database
        self._since_start = since_start
        self._asking = threading.Lock()
        self._zero, _ = self._asked()  # the time when the count was zero
        self._ask_at = since_start() + _ASK_AGAIN_SECONDS

    def __call__(self) -> datetime:
        """Now, in UTC."""
        passed = self._since_start()
        if passed >= self._ask_at:
            self._ask_at = passed + _ASK_AGAIN_SECONDS
            threading.Thread(target=self.ask, name="clock", daemon=True).start()
        return self._zero + timedelta(seconds=passed)

    def milliseconds(self) -> int:
        """Now, as Unix milliseconds; for row ids."""
        return (self() - _EPOCH) // _MILLISECOND

    def ask(self) -> None:
        """Ask the database; while it is out of reach the count goes on alone."""
        if not self._asking.acquire(blocking=False):
            return
        try:
            zero, error = self._asked()
        except Exception as fault:
            log.debug("clock_not_asked", error=type(fault).__name__)
            return
        finally:
            self._asking.release()
        if abs(zero - self._zero) > _APART + error:
            log.warning("clock_of_database_changed", seconds=round((zero - self._zero).total_seconds(), 1))
            self._zero = zero

    def _asked(self) -> tuple[datetime, timedelta]:
        """The time at zero, and how wrong it may be: the answer was made at some moment of the call."""
        with self._database.read() as connection:
            began = self._since_start()
            now: datetime = connection.execute(_NOW).scalar_one()
            ended = self._since_start()
        return now.astimezone(UTC) - timedelta(seconds=(began + ended) / 2), timedelta(seconds=(ended - began) / 2)
