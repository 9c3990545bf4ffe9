"""Installations in memory, reloaded when any of them changed: one cheap question per second instead of many."""

import threading
import time
from datetime import datetime

from connector.storage.installations import InstallationRecord, all_installations, last_change
from connector.storage.opening import Storage

__all__ = ["InstallationSnapshot"]


class InstallationSnapshot:
    """Every installation by its id, at most `max_age` seconds old. Safe from several threads."""

    def __init__(self, storage: Storage, max_age: float = 1.0) -> None:
        self._storage = storage
        self._max_age = max_age
        self._lock = threading.Lock()
        self._looked_at = -1e9
        self._change: tuple[int, datetime | None] | None = None
        self._records: dict[str, InstallationRecord] = {}

    def all(self) -> dict[str, InstallationRecord]:
        """By id. Raises what the database raises."""
        with self._lock:
            if time.monotonic() - self._looked_at > self._max_age:
                self._refresh()
            return self._records

    def get(self, installation_id: str) -> InstallationRecord | None:
        """One of them; asks the database once more before saying that there is none."""
        found = self.all().get(installation_id)
        if found is None:
            with self._lock:
                self._refresh()
                found = self._records.get(installation_id)
        return found

    def _refresh(self) -> None:
        with self._storage.database.read() as connection:
            change = last_change(connection)
            if change != self._change:
                self._records = {record.id: record for record in all_installations(connection)}
                self._change = change
        self._looked_at = time.monotonic()
