"""What runs beside the road, seconds apart: replay steps, rollups, alert rules. One call is one round."""

import time
from collections.abc import Callable

from connector.errors import ConnectorError
from connector.logs import log
from connector.operations.alerts import evaluate_alerts
from connector.operations.replay import run_replay_steps
from connector.operations.rollups import run_rollup_step
from connector.outbound import Outbound
from connector.settings import Settings
from connector.storage.opening import Storage
from connector.storage.staff import remove_old_sessions

__all__ = ["BackgroundWork"]

ROUND_SECONDS = 1.0
_ALERTS_EVERY = 60.0
_SESSIONS_EVERY = 3600.0
_STEPS = 20  # at most so many of each kind in a round, so that a round stays short


class BackgroundWork:
    """Keeps its own clock of what is due. `round` never raises; the caller waits `ROUND_SECONDS` in between."""

    def __init__(
        self, storage: Storage, settings: Settings, outbound: Outbound, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._storage = storage
        self._settings = settings
        self._outbound = outbound
        self._clock = clock
        self._alerts_at = clock() + _ALERTS_EVERY
        self._sessions_at = clock()

    def blocking_round(self) -> None:
        """Replays, rollups and old sessions; belongs on a thread."""
        self._attempt("replay", lambda: run_replay_steps(self._storage, _STEPS))
        self._attempt("rollups", self._rollups)
        if self._clock() >= self._sessions_at:
            self._sessions_at = self._clock() + _SESSIONS_EVERY
            self._attempt("sessions", self._forget_sessions)

    async def alert_round(self) -> None:
        """Alert rules, when they are due."""
        if self._clock() < self._alerts_at:
            return
        self._alerts_at = self._clock() + _ALERTS_EVERY
        try:
            await evaluate_alerts(self._storage, self._settings, self._outbound)
        except Exception as error:
            log.error("alerts_failed", error=type(error).__name__, exc_info=error)

    def _rollups(self) -> None:
        for _ in range(_STEPS):
            if not run_rollup_step(self._storage):
                return

    def _forget_sessions(self) -> None:
        with self._storage.database.write() as connection:
            remove_old_sessions(connection, self._storage.now())

    def _attempt(self, name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except ConnectorError as error:
            log.warning("background_refused", work=name, error=type(error).__name__)
        except Exception as error:
            log.error("background_failed", work=name, error=type(error).__name__, exc_info=error)
