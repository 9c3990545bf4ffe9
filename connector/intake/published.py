"""Installations by their public id, for what browsers ask: from memory, so that no shop's page waits for a query."""

import asyncio
import time

from connector.logs import log
from connector.storage.installations import InstallationRecord
from connector.storage.opening import Storage
from connector.storage.snapshot import InstallationSnapshot

__all__ = ["PublishedInstallations"]


class PublishedInstallations:
    """A snapshot, `max_age` seconds old at most. For one event loop; without the database memory serves."""

    def __init__(self, storage: Storage, max_age: float = 1.0) -> None:
        self._snapshot = InstallationSnapshot(storage, max_age=0.0)
        self._max_age = max_age
        self._looked_at = -1e9
        self._records: dict[str, InstallationRecord] | None = None
        self._by_public_id: dict[str, InstallationRecord] = {}
        self._refreshing = asyncio.Lock()

    async def get(self, public_id: str) -> InstallationRecord | None:
        """The installation with this public id, removed ones too."""
        if time.monotonic() - self._looked_at > self._max_age and (
            self._records is None or not self._refreshing.locked()
        ):
            async with self._refreshing:
                await self._refresh()
        return self._by_public_id.get(public_id)

    async def _refresh(self) -> None:
        if time.monotonic() - self._looked_at <= self._max_age:
            return
        self._looked_at = time.monotonic()
        try:
            records = await asyncio.to_thread(self._snapshot.all)
        except Exception as error:
            log.warning("installations_not_refreshed", error=type(error).__name__)
            return
        if records is not self._records:
            self._records = records
            self._by_public_id = {record.public_id: record for record in records.values()}
