"""An fsynced file that takes webhooks while the database is out of reach, and gives them back in order.

Its records: `spool_records`. Each process appends to files of its own, named by their time, and holds a lock on the
open one; files whose owner is gone are drained by whoever comes next.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from connector.logs import log
from connector.storage.arrivals import Arrival
from connector.storage.spool_records import RecordReader, own_digest, write_record

__all__ = ["Spool", "SpoolFile", "damaged_files", "spool_files"]

_SUFFIX = ".spool"
_NEW = ".new"  # has no lock yet
_DAMAGED = ".damaged"
_LARGEST_FILE = 64 * 1024 * 1024
_PROBE = 16 * 1024


def spool_files(folder: Path) -> list[Path]:
    """Files to be drained, the oldest first."""
    return sorted(folder.glob(f"*{_SUFFIX}"))


def damaged_files(folder: Path) -> list[Path]:
    """What was set aside there: nothing drains it."""
    return sorted(folder.glob(f"*{_DAMAGED}"))


def _as_drained(arrival: Arrival) -> Arrival:
    """A store's webhook says that it came this way; what a browser or a comparison told stays theirs.

    Draining can be cut short and begin again: a body that is never deduplicated gets a key of its own.
    """
    if arrival.source == "store":
        arrival.source = "spool"
    if not arrival.deduplicate:
        arrival.digest = own_digest(arrival.digest, arrival.id)
        arrival.deduplicate = True
    return arrival


class SpoolFile:
    """One file that is being drained: its webhooks in order, read as they are asked for."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self._file = file
        self._records = RecordReader(file)

    def next(self, most: int, most_bytes: int) -> list[Arrival]:
        """The next webhooks; none at the end."""
        taken: list[Arrival] = []
        size = 0
        while len(taken) < most and size < most_bytes:
            arrival = next(self._records, None)
            if arrival is None:
                break
            taken.append(_as_drained(arrival))
            size += len(arrival.body)
        return taken

    def damaged(self) -> bytes:
        """What was passed over, piece by piece: records that a disk has damaged. Ask at the end."""
        pieces = []
        for start, end in self._records.damage:
            self._file.seek(start)
            pieces.append(self._file.read(end - start))
        return b"".join(pieces)

    def close(self) -> None:
        """Let go of it; undrained it stays."""
        self._file.close()


class Spool:
    """The spool folder of one data directory, from one process. Not for several threads at once.

    `sync` waits for the disk; tests give one that fails.
    """

    def __init__(self, folder: Path, *, sync: Callable[[int], None] = os.fsync) -> None:
        self.folder = folder
        self._sync = sync
        self._file: IO[bytes] | None = None
        self._path: Path | None = None
        self._unreadable: set[str] = set()

    def append(self, arrivals: Sequence[Arrival]) -> None:
        """Write them and wait for the disk. Raises OSError when that fails, in the open file and in a new one.

        After a failed fsync the system may drop what it could not write and call the next fsync of the same file a
        success, so a file that failed is never written to again.
        """
        records = b"".join(map(write_record, arrivals))
        if self._file is not None and self._file.tell() < _LARGEST_FILE:
            try:
                self._write(self._file, records)
                return
            except OSError as error:
                log.warning("spool_file_given_up", error=type(error).__name__)
        self._close()
        self._write(self._open(), records)

    def _write(self, file: IO[bytes], records: bytes) -> None:
        start = file.tell()
        try:
            _write_all(file, records)
            self._sync(file.fileno())
        except OSError:
            with suppress(OSError):  # a torn tail is recognised as well; this only saves its place
                file.truncate(start)
            self._close()
            raise

    def _open(self) -> IO[bytes]:
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._sync_folder(self.folder.parent)
        # Under its final name only when it is locked: an unlocked file is anybody's to drain and remove.
        path = self.folder / f"{self._next_number():020d}-{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        new = path.with_suffix(_NEW)
        file = os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            new.rename(path)
            self._sync_folder(self.folder)
        except OSError:
            file.close()
            for each in (new, path):
                each.unlink(missing_ok=True)
            raise
        self._file, self._path = file, path
        return file

    def _next_number(self) -> int:
        """The time, or just after the newest file's when the clock was set back: names are the order of draining."""
        newest = spool_files(self.folder)[-1:]
        digits = newest[0].name.partition("-")[0] if newest else ""
        return max(time.time_ns(), int(digits) + 1 if digits.isdigit() else 0)

    def takes(self) -> bool:
        """Whether the spool would take a webhook now: a block is written, waited for and removed."""
        self._close()
        try:
            file = self._open()
            self._write(file, bytes(_PROBE))  # no record: a crash leaves what draining throws away
            file.truncate(0)
        except OSError:
            return False
        finally:
            self._close()
        return True

    def _sync_folder(self, path: Path) -> None:
        folder = os.open(path, os.O_RDONLY)
        try:
            self._sync(folder)
        finally:
            os.close(folder)

    def waiting(self) -> bool:
        """Whether anything of this folder waits to be drained."""
        return any(_size(path) for path in spool_files(self.folder))

    def oldest(self) -> "SpoolFile | None":
        """The oldest file that is nobody's or our own; give it to `finished`, or close it and ask again later."""
        self._close()
        for path in spool_files(self.folder):
            file = self._opened(path)
            if file is None:
                continue
            if _locked(file) and path.exists():
                return SpoolFile(path, file)
            file.close()
        return None

    def _opened(self, path: Path) -> IO[bytes] | None:
        """None when another process has drained it this moment, or it may not be read: the others are not held up."""
        try:
            return path.open("rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            if path.name not in self._unreadable:
                self._unreadable.add(path.name)
                log.error("spool_file_unreadable", file=path.name, error=type(error).__name__)
            return None

    def finished(self, drained: SpoolFile) -> None:
        """All of that file is in the database. What is damaged in it is kept aside."""
        damaged = drained.damaged()
        if damaged:
            self._keep_aside(drained.path, damaged)
        else:
            drained.path.unlink(missing_ok=True)
        drained.close()

    def _keep_aside(self, path: Path, damaged: bytes) -> None:
        """Only what is damaged: the rest is other people's data, which the database keeps and erases."""
        kept = path.with_suffix(_DAMAGED)
        log.error("spool_file_damaged", file=kept.name, bytes=len(damaged))
        try:
            self._write_new(kept, damaged)
            path.unlink(missing_ok=True)
        except OSError:  # a full disk: what is there needs no room
            path.rename(kept)

    def set_aside(self, arrival: Arrival) -> None:
        """Keep one webhook that no database takes, where nothing drains it again. Raises OSError."""
        path = self.folder / f"{arrival.id:020d}-{secrets.token_hex(4)}{_DAMAGED}"
        self._write_new(path, write_record(arrival))
        log.error("webhook_set_aside", webhook_id=arrival.id, file=path.name)

    def _write_new(self, path: Path, data: bytes) -> None:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0) as file:
            _write_all(file, data)
            self._sync(file.fileno())

    def _close(self) -> None:
        file, path = self._file, self._path
        self._file = self._path = None
        if file is None or path is None:
            return
        if _size(path) == 0:
            path.unlink(missing_ok=True)
        with suppress(OSError):
            file.close()

    def close(self) -> None:
        """Let go of our file; an empty one is removed."""
        self._close()


def _write_all(file: IO[bytes], data: bytes) -> None:
    """A full disk can take a part and say so only by the number: go on until it says no."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False  # its writer lives
    return True
