"""Turns among the processes that write one SQLite file.

SQLite's own waiting is unfair: who waits sleeps up to a tenth of a second between two looks, while a receiver under
load begins its next transaction microseconds after the last. So waiting is short sleeps here, and whoever has just
had the file and sees that others wait lets them look first. They show it by a lock on a small file beside the
database, which the system takes back from a process that dies.
"""

import fcntl
import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["WriterTurns"]

# Between two looks of one that waits: longer each time, for a look costs as much as storing a webhook.
_FIRST_LOOK_SECONDS = 0.001
_LAST_LOOK_SECONDS = 0.005
_GIVEN_WAY_SECONDS = 0.006  # enough for each that waits to look


class WriterTurns:
    """One per process and database file; for one thread at a time. Where its file cannot be made nobody gives way."""

    def __init__(self, database: Path | None) -> None:
        self._path = database and database.with_name(f"{database.name}-turns")
        self._files: tuple[int, int] | None = None
        self._ended_at = 0.0

    def begin(self, connection: Any, patience_seconds: float) -> bool:
        """Begin a write transaction on the driver's connection, whose own busy time-out is 0.

        False when others had the database for as long as `patience_seconds`. Raises sqlite3.Error for all else.
        """
        self._give_way()
        if _begun(connection):
            return True
        try:
            return self._waited(connection, time.monotonic() + patience_seconds)
        finally:
            self._hide()

    def ended(self) -> None:
        """Our transaction is over, whatever came of it."""
        self._ended_at = time.monotonic()

    def close(self) -> None:
        """Close the file; it is opened again when there is need."""
        for descriptor in self._files or ():
            os.close(descriptor)
        self._files = None

    def _waited(self, connection: Any, end_at: float) -> bool:
        shown, rest = False, _FIRST_LOOK_SECONDS
        while time.monotonic() < end_at:
            shown = shown or self._show()
            time.sleep(rest)
            if _begun(connection):
                return True
            rest = min(rest + _FIRST_LOOK_SECONDS, _LAST_LOOK_SECONDS)
        return False

    def _give_way(self) -> None:
        rest = self._ended_at + _GIVEN_WAY_SECONDS - time.monotonic()
        if rest > 0 and self._others_wait():
            time.sleep(rest)

    def _show(self) -> bool:
        files = self._opened()
        return files is None or _locked(files[0], fcntl.LOCK_SH)

    def _hide(self) -> None:
        if self._files is not None:
            _unlock(self._files[0])

    def _others_wait(self) -> bool:
        files = self._opened()
        if files is None or not _locked(files[1], fcntl.LOCK_EX):
            return files is not None
        _unlock(files[1])
        return False

    def _opened(self) -> tuple[int, int] | None:
        """Opened twice, for a lock belongs to what was opened: once to show that we wait, once to see who does."""
        if self._files is None and self._path is not None:
            try:
                self._files = _open(self._path), _open(self._path)
            except OSError:
                self._path = None
        return self._files


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: nobody gives way there
        return True
    return True


def _unlock(descriptor: int) -> None:
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _begun(connection: Any) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # the low byte is the kind
            raise
        return False
    return True
