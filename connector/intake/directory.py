"""What the intake must know of each installation, in memory: its platform, live secrets and whether it is removed.

Refreshed each second from a background thread, so that no webhook waits for a query and that authentic
webhooks are still told from forged ones while the database is out of reach.
"""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connector.logs import log
from connector.storage.installations import InstallationRecord, changed_installations, live_credentials
from connector.storage.opening import Storage

__all__ = ["Entry", "InstallationDirectory"]

_REFRESH_SECONDS = 1.0
_MISSES_PER_SECOND = 50
_CLOCKS_DIFFER = timedelta(seconds=30)  # of the machines that change installations
_NEVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One installation as the intake sees it; `secrets` newest first, each with its expiry."""

    id: str
    public_id: str
    platform: str
    removed: bool
    secrets: tuple[tuple[str, datetime | None], ...]
    lasting: tuple[str, ...] | None = None  # all of them, when none will expire

    def live_secrets(self, now: datetime) -> tuple[str, ...]:
        """Secrets that have not expired."""
        if self.lasting is not None:
            return self.lasting
        return tuple(text for text, expires in self.secrets if expires is None or expires > now)


class InstallationDirectory:
    """A snapshot of all installations."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._entries: dict[str, Entry] = {}
        self._seen = _NEVER
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_fresh, name="installations", daemon=True)
        self._refreshing = threading.Lock()
        self._missed_at: list[float] = []

    def start(self) -> None:
        """Load once, then keep fresh."""
        self.refresh()
        self._thread.start()

    def stop(self) -> None:
        """Stop refreshing."""
        self._stop.set()
        self._thread.join()

    def get(self, installation_id: str) -> Entry | None:
        """From memory, at once."""
        return self._entries.get(installation_id)

    def may_look_again(self) -> bool:
        """Whether an unknown id is worth a query now: a new installation is, a flood of guesses is not."""
        now = time.monotonic()
        self._missed_at = [at for at in self._missed_at if now - at < 1.0]
        if len(self._missed_at) >= _MISSES_PER_SECOND:
            return False
        self._missed_at.append(now)
        return True

    def refresh(self) -> None:
        """Read what changed since the last look: few rows, however many installations there are."""
        storage = self._storage
        with self._refreshing, storage.database.read() as connection:
            changed = changed_installations(connection, self._seen - _CLOCKS_DIFFER)
            ids = [found.id for found in changed]
            secrets = live_credentials(connection, storage.keys, "webhook_secret", storage.now(), ids)
            entries = {found.id: _entry(found, tuple(secrets.get(found.id, ()))) for found in changed}
            self._entries = {**self._entries, **entries}
            self._seen = max((found.updated_at for found in changed), default=self._seen)

    def _keep_fresh(self) -> None:
        while not self._stop.wait(_REFRESH_SECONDS):
            try:
                self.refresh()
            except Exception as error:
                log.warning("installations_not_refreshed", error=type(error).__name__)


def _entry(found: InstallationRecord, secrets: tuple[tuple[str, datetime | None], ...]) -> Entry:
    lasting = all(expires is None for _, expires in secrets)
    texts = tuple(text for text, _ in secrets) if lasting else None
    return Entry(found.id, found.public_id, found.platform, found.state == "removed", secrets, texts)
