"""The machine below: disk, its fsync, the spool on it, and the SQLite library."""

import os
import shutil
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from connector.operations.doctor.check import Check, fine, warning, wrong
from connector.storage.spool import damaged_files, spool_files

__all__ = ["disk_space", "fsync_time", "spool", "sqlite_library"]

_LEAST_FREE = 512 * 1024 * 1024
_SCARCE_SHARE = 0.05
_SLOW_FSYNC_MS = 50.0
_FSYNCS = 7
_SPOOL_LATE_SECONDS = 300
# sqlite.org, release history: the WAL-reset fault of 3.7.0 to 3.51.2.
_MENDED = (3, 51, 3)


def disk_space(folder: Path, name: str = "disk_space") -> Check:
    """Free space where the database or the spool grows."""
    usage = shutil.disk_usage(folder)
    text = f"{usage.free // 1024**2:,} MB free in {folder}"
    if usage.free < _LEAST_FREE:
        return wrong(name, text, "make room: below 512 MB webhooks may soon not be stored")
    if usage.free < usage.total * _SCARCE_SHARE:
        return warning(name, text, "less than 5 % is free: plan for more")
    return fine(name, text)


def fsync_time(folder: Path) -> Check:
    """How long the disk takes to keep a write: each group of webhooks waits for one."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_FSYNCS):
            file.write(b"x" * 4096)
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - start) * 1000)
    median = statistics.median(times)
    text = f"{median:.1f} ms (median of {_FSYNCS})"
    if median > _SLOW_FSYNC_MS:
        return warning("fsync_time", text, "this disk is slow to keep a write: use a local SSD")
    return fine("fsync_time", text)


def spool(folder: Path) -> Check:
    """What waits in the spool folder, and what nothing will ever take out of it."""
    waiting = {path: written for path in spool_files(folder) if (written := _written_at(path))}
    damaged = damaged_files(folder)
    late = [path for path, at in waiting.items() if time.time() - at > _SPOOL_LATE_SECONDS]
    unreadable = [path for path in waiting if not os.access(path, os.R_OK)]
    unreadable += [path for path in late if path.stat().st_uid != folder.stat().st_uid]
    text = f"{len(waiting)} files wait, {len(damaged)} are damaged, in {folder}"
    if unreadable:
        return wrong("spool", f"{unreadable[0]} may not be read", "give it to the user under which the service runs")
    if late:
        remedy = "start `connector serve` with this CONNECTOR_DATA_DIR; it takes in what waits there"
        return wrong("spool", f"{text}, some for more than five minutes", remedy)
    if damaged:
        remedy = "run `connector reconcile` for the time of these files, which fetches their orders, then delete them"
        return wrong("spool", text, remedy)
    return fine("spool", text if waiting else "nothing waits in the spool")


def _written_at(path: Path) -> float | None:
    """Unix seconds; None when it is empty, or drained this moment."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime if found.st_size else None


def sqlite_library(version: str = sqlite3.sqlite_version) -> Check:
    """Its version, and the one known fault that concerns a write-ahead log used by several processes."""
    numbers = tuple(int(part) for part in version.split("."))
    if numbers >= _MENDED:
        return fine("sqlite_version", version)
    return warning(
        "sqlite_version",
        f"{version}: has the WAL-reset fault mended in 3.51.3, rare, with several processes on one file",
        "run a single process (`connector serve`) on SQLite, or use PostgreSQL, until Python has a newer SQLite",
    )
