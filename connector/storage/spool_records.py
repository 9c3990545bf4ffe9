"""How a webhook lies in a spool file, and how a file is read that a crash cut short or a disk has damaged.

A record is `magic | length | CRC-32 of the payload | payload`; the payload is a JSON line about the webhook,
a newline, and the body byte for byte. A record that a crash cut short fails its length or its checksum and ends
the file. What is damaged in a file's middle costs the records that it touches and no other.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import IO

import orjson

from connector.storage.arrivals import Arrival

__all__ = ["RecordReader", "own_digest", "write_record"]

_HEAD = struct.Struct(">4sII")
_MAGIC = b"WHSP"


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


def own_digest(digest: bytes, row_id: int) -> bytes:
    """The key of one arrival alone, whatever its body."""
    return hashlib.sha256(digest + row_id.to_bytes(8, "big")).digest()[:16]


class RecordReader(Iterator[Arrival]):
    """The webhooks of a spool file in order. `damage` are the parts that were passed over, by their ends in bytes:
    what a disk has done, not what a crash has cut short at the end.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.damage: list[tuple[int, int]] = []

    def __next__(self) -> Arrival:
        """The next one that is whole."""
        start = self._file.tell()
        while (arrival := _read(self._file)) is None:
            self._file.seek(start)
            rest = self._file.read()
            step = self._next_record(start, rest)
            if step is None:
                if not _is_torn(rest):
                    self.damage.append((start, start + len(rest)))
                raise StopIteration
            self.damage.append((start, start + step))
            start += step
            self._file.seek(start)
        return arrival

    def _next_record(self, start: int, rest: bytes) -> int | None:
        """How far behind `start`, where `rest` and the damaged record begin, the next record begins.

        Its own length tells, for a body may hold what looks like a record. Only when the length is damaged, too, what
        is whole is looked for.
        """
        length = _length(rest)
        if length is not None and rest.startswith(_MAGIC, length):
            return length
        if length == len(rest):
            return None
        place = rest.find(_MAGIC, 1)
        while place > 0 and not self._is_whole(start + place):
            place = rest.find(_MAGIC, place + 1)
        return place if place > 0 else None

    def _is_whole(self, place: int) -> bool:
        self._file.seek(place)
        return _read(self._file) is not None


def _read(file: IO[bytes]) -> Arrival | None:
    head = file.read(_HEAD.size)
    if len(head) != _HEAD.size:
        return None
    magic, length, checksum = _HEAD.unpack(head)
    if magic != _MAGIC:
        return None
    payload = file.read(length)
    return _arrival(payload) if len(payload) == length and zlib.crc32(payload) == checksum else None


def _arrival(payload: bytes) -> Arrival | None:
    about, _, body = payload.partition(b"\n")
    try:
        values = orjson.loads(about)
        values["received_at"] = datetime.fromisoformat(values["received_at"])
        values["digest"] = bytes.fromhex(values["digest"])
        return Arrival(body=body, **values)
    except (ValueError, TypeError, KeyError):  # nothing that we wrote
        return None


def _length(rest: bytes) -> int | None:
    """Of the record in bytes, its head included; None when the head is no head."""
    if len(rest) < _HEAD.size or not rest.startswith(_MAGIC):
        return None
    return _HEAD.size + int(_HEAD.unpack_from(rest)[1])


def _is_torn(rest: bytes) -> bool:
    """Whether a write that a crash cut short leaves such an end: nobody was told that it is stored."""
    if not rest.strip(b"\0"):
        return True
    length = _length(rest)
    begun = _MAGIC.startswith(rest[: len(_MAGIC)]) if length is None else length > len(rest)
    return begun and _MAGIC not in rest[1:]
