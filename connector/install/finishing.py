"""Installs whose browser has gone: once the half minute has passed without a second return, they are finished here.

The waiting page does it by itself while it is open, so this comes a little later. Of all processes one at a time
runs it (the lease of the periodic tasks), and a second return burns the attempt until then, as ever.
"""

from datetime import datetime, timedelta

from connector.errors import ConnectorError
from connector.install.approving import Stage, advance
from connector.install.attempts import Attempt, read_again, waiting_attempts
from connector.install.services import Services
from connector.install.setting_up import set_up_store
from connector.logs import log
from connector.storage.installations import find_installation

__all__ = ["InstallFinisher"]

_PAGE_FIRST = timedelta(seconds=10)  # an open page looks each five seconds
_FIRST_WAIT = timedelta(seconds=20)
_LONGEST_WAIT = timedelta(minutes=5)


class InstallFinisher:
    """Call `round` every few seconds. A store that does not answer is asked again later and later."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._tried: dict[bytes, tuple[datetime, timedelta]] = {}  # when to try again, and the wait after that

    def round(self) -> int:
        """Finish what is ripe. Returns how many were activated."""
        now = self._services.now()
        ripe_since = now - timedelta(seconds=self._services.settling_seconds) - _PAGE_FIRST
        waiting = waiting_attempts(self._services, ripe_since)
        self._tried = {
            one.state_hash: self._tried[one.state_hash] for one in waiting if one.state_hash in self._tried
        }
        due = [one for one in waiting if self._tried.get(one.state_hash, (now, _FIRST_WAIT))[0] <= now]
        return sum(self._finish(one, now) for one in due)

    def _finish(self, attempt: Attempt, now: datetime) -> bool:
        wait = self._tried.get(attempt.state_hash, (now, _FIRST_WAIT))[1]
        self._tried[attempt.state_hash] = (now + wait, min(wait * 2, _LONGEST_WAIT))
        try:
            return self._try(attempt)
        except (ConnectorError, LookupError) as error:
            log.warning("install_not_finished", error=type(error).__name__)
            return False

    def _try(self, attempt: Attempt) -> bool:
        if advance(self._services, attempt).stage not in (Stage.ACTIVE, Stage.RENEWED):
            return False
        installation_id = read_again(self._services, attempt).installation_id
        with self._services.storage.database.read() as connection:
            installation = find_installation(connection, installation_id)
        if installation is not None:
            set_up_store(self._services, installation)
        log.info("install_finished", installation_id=installation_id)
        return True
