"""Bringing spooled webhooks into the database: oldest first, in parts, so that nobody waits for a long spool."""

import time
from pathlib import Path

from connector.logs import log
from connector.storage.arrivals import Arrival, ArrivalWriter, values_at_fault
from connector.storage.opening import Storage
from connector.storage.spool import Spool, SpoolFile
from connector.storage.spool_records import own_digest

__all__ = ["SpoolDrain", "drain_now"]

_MOST = 512
_MOST_BYTES = 16 * 1024 * 1024
_LOOK_AGAIN_SECONDS = 0.2


class SpoolDrain:
    """Drains one spool folder through one writer. For the thread that owns both."""

    def __init__(self, storage: Storage, spool: Spool, writer: ArrivalWriter) -> None:
        self._storage = storage
        self._spool = spool
        self._writer = writer
        self._file: SpoolFile | None = None

    def part(self) -> int | None:
        """Bring some webhooks into the database. Returns how many, None when nothing is left to drain.

        Raises what the database raises; then call `stop` and begin again later.
        """
        self._file = self._file or self._spool.oldest()
        if self._file is None:
            return None
        arrivals = self._file.next(_MOST, _MOST_BYTES)
        if arrivals:
            self._write(arrivals)
            log.info("spool_drained", webhooks=len(arrivals))
        else:
            drained, self._file = self._file, None
            self._spool.finished(drained)
        return len(arrivals)

    def stop(self) -> None:
        """Let go of the file in hand."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, arrivals: list[Arrival]) -> None:
        try:
            self._writer.write(arrivals)
            return
        except Exception as error:
            if not values_at_fault(error):
                raise
        for arrival in arrivals:
            self._write_one(arrival)

    def _write_one(self, arrival: Arrival) -> None:
        try:
            self._writer.write([arrival])
            return
        except Exception as error:
            if not values_at_fault(error):
                raise
        stored = self._writer.stored_digest(arrival.id)
        if stored is not None and arrival.digest in (stored, own_digest(stored, arrival.id)):
            return  # its commit had succeeded, only nobody heard of it
        arrival.id = self._storage.new_id()
        try:
            self._writer.write([arrival])
        except Exception as error:
            if not values_at_fault(error):
                raise
            self._spool.set_aside(arrival)


def drain_now(storage: Storage, folder: Path, patience_seconds: float) -> bool:
    """Take in what waits in this spool folder, for a command. Returns whether nothing is left.

    The file of a running process is locked; it drains it by itself, within the patience or later. Raises what the
    database raises.
    """
    spool, writer = Spool(folder), ArrivalWriter(storage.database)
    drain = SpoolDrain(storage, spool, writer)
    end_at = time.monotonic() + patience_seconds
    try:
        while spool.waiting() and time.monotonic() < end_at:
            if drain.part() is None:
                time.sleep(_LOOK_AGAIN_SECONDS)
    finally:
        drain.stop()
        writer.close()
        spool.close()
    return not spool.waiting()
