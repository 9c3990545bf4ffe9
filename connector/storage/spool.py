"""An fsynced file that takes webhooks while the database is out of reach, and gives them back in order.

A record is `magic | length | CRC-32 of the payload | payload`; the payload is a JSON line about the webhook,
a newline, and the body byte for byte. A record that a crash cut short fails its length or its checksum and ends
the file. Each process appends to a file of its own and holds a lock on it; files whose owner is gone are drained
by whoever comes next.
"""

import fcntl
import hashlib
import os
import secrets
import struct
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO

import orjson

from connector.storage.arrivals import Arrival

__all__ = ["Spool", "read_records", "write_record"]

_HEAD = struct.Struct(">4sII")
_MAGIC = b"WHSP"
_SUFFIX = ".spool"


def write_record(arrival: Arrival) -> bytes:
    """One webhook as a record."""
    about = {
        "id": arrival.id,
        "installation_id": arrival.installation_id,
        "topic": arrival.topic,
        "received_at": arrival.received_at.isoformat(),
        "digest": arrival.digest.hex(),
        "headers": arrival.headers,
        "deduplicate": arrival.deduplicate,
        "source": arrival.source,
        "lane": arrival.lane,
    }
    payload = orjson.dumps(about) + b"\n" + arrival.body
    return _HEAD.pack(_MAGIC, len(payload), zlib.crc32(payload)) + payload


def read_records(file: IO[bytes]) -> Iterator[Arrival]:
    """Webhooks of a spool file in order, up to its end or to the first damaged record."""
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        magic, length, checksum = _HEAD.unpack(head)
        payload = file.read(length) if magic == _MAGIC else b""
        if len(payload) != length or zlib.crc32(payload) != checksum:
            return
        about, _, body = payload.partition(b"\n")
        values = orjson.loads(about)
        values["received_at"] = datetime.fromisoformat(values["received_at"])
        values["digest"] = bytes.fromhex(values["digest"])
        yield Arrival(body=body, **values)


def _once(arrival: Arrival) -> Arrival:
    """Draining can be cut short and begin again: a body that is never deduplicated gets a key of its own."""
    if not arrival.deduplicate:
        arrival.digest = hashlib.sha256(arrival.digest + arrival.id.to_bytes(8, "big")).digest()[:16]
        arrival.deduplicate = True
    return arrival


class Spool:
    """The spool folder of one data directory, from one process. Not for several threads at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: IO[bytes] | None = None
        self._path: Path | None = None

    def append(self, arrivals: Sequence[Arrival]) -> None:
        """Write them and wait for the disk. Raises OSError when that fails; a half-written tail is cut off."""
        file = self._file or self._open()
        start = file.tell()
        try:
            file.write(b"".join(map(write_record, arrivals)))
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            file.seek(start)
            file.truncate()
            raise

    def _open(self) -> IO[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        file = path.open("xb", buffering=0)
        fcntl.flock(file, fcntl.LOCK_EX)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._file, self._path = file, path
        return file

    def waiting(self) -> bool:
        """Whether any file of this folder waits to be drained."""
        return any(self._files())

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime)

    def take(self) -> Iterator[tuple[Path, list[Arrival]]]:
        """Files that are nobody's or our own, oldest first, each with its webhooks. `finished` removes one."""
        self._close()
        for path in self._files():
            with path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # its writer lives
                yield path, [_once(arrival) for arrival in read_records(file)]

    def finished(self, path: Path) -> None:
        """All of that file is in the database."""
        path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._path = None

    def close(self) -> None:
        """Let go of our file; an empty one is removed."""
        path = self._path
        self._close()
        if path is not None and path.exists() and path.stat().st_size == 0:
            path.unlink()
