"""The live tail of the console: how late a row is seen at 500 webhooks and as many results a second."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import insert

from connector.core.row_ids import time_of
from connector.storage.tables import Event, Webhook
from tests.bench.console_reader import TOKEN, sign_in
from tests.bench.places import INSTALLATION, Place, Program, new_place, program
from tests.bench.report import Row, at_most
from tests.bench.sizes import Sizes

__all__ = ["measure_tail"]

_RATE = 500  # webhooks a second, and events
_TICK = 0.02
_SECONDS = 10.0
_OPENING = 1.5  # the first look only notes what was there before
_PATIENCE = 3.0  # after the last row


def measure_tail(sizes: Sizes) -> Iterator[Row]:
    """One viewer over real server-sent events while another process writes."""
    seconds = _SECONDS if sizes.seconds >= 1 else 1.0
    for kind in sizes.databases:
        with new_place(kind) as place:
            sign_in(place)
            command = ["-m", "connector", "serve", "--no-delivery", "--port", "{port}"]
            with program(command, place.environment()) as server:
                yield from _rows(place, server, seconds)


def _rows(place: Place, server: Program, seconds: float) -> Iterator[Row]:
    viewer = _Viewer(server.port)
    time.sleep(_OPENING)
    before, cpu = _resident_megabytes(server), server.cpu_seconds()
    written = _write(place, seconds)
    viewer.wait_for(written, _PATIENCE)
    growth, cpu = _resident_megabytes(server) - before, server.cpu_seconds() - cpu
    words = f"{_RATE} webhooks and {_RATE} events a second for {seconds:g} s, {place.kind}"
    lags = sorted(viewer.lags) or [float("inf")]
    yield at_most(f"live tail, from row to viewer, p95, {words}", lags[int(len(lags) * 0.95)], "ms", 1000)
    yield at_most(f"live tail, memory it takes on, {words}", growth, "MB", 30)
    yield at_most(f"live tail, processor, {words}", cpu / seconds * 100, "% of a core", 25)
    lost = written - len(viewer.lags) - viewer.dropped
    said = f"{len(viewer.lags):,} shown, {viewer.dropped:,} announced as passed over, {lost:,} silent"
    yield Row(f"live tail, rows, {words}", said, budget="none silent", passed=lost == 0)
    viewer.close()


@dataclass
class _Viewer:
    """Reads the stream on a thread of its own, as a browser would."""

    port: int
    lags: list[float] = field(default_factory=list)
    dropped: int = 0

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self._connection.request("GET", "/console/tail/stream", headers={"Cookie": f"staff_session={TOKEN}"})
        self._socket = self._connection.sock
        self._answer = self._connection.getresponse()
        if self._answer.status != 200:
            raise RuntimeError(f"the tail answers {self._answer.status}")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for line in self._answer:
                if line.startswith(b"data: "):
                    self._take(orjson.loads(line[6:]))
        except (OSError, ValueError, AttributeError):
            return  # closed by us

    def _take(self, message: dict[str, Any]) -> None:
        now = time.time() * 1000
        self.dropped += message["dropped"]
        self.lags += [now - time_of(int(entry["id"])) for entry in message["entries"]]

    def wait_for(self, rows: int, seconds: float) -> None:
        """Until so many were shown or announced."""
        end = time.monotonic() + seconds
        while len(self.lags) + self.dropped < rows and time.monotonic() < end:
            time.sleep(0.05)

    def close(self) -> None:
        """Leave."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._connection.close()


def _write(place: Place, seconds: float) -> int:
    """Webhooks and events in small commits at an even pace. Returns how many rows."""
    start, count = time.monotonic(), 0
    while (passed := time.monotonic() - start) < seconds:
        due = int(min(passed + _TICK, seconds) * _RATE) - count
        if due > 0:
            _write_rows(place, due)
            count += due
        time.sleep(max(0.0, _TICK - (time.monotonic() - start - passed)))
    return count * 2


def _write_rows(place: Place, count: int) -> None:
    now, ids = place.storage.now(), place.storage.new_ids(count * 2)
    webhooks = [
        {"id": row_id, "installation_id": INSTALLATION, "topic": "order.updated", "received_at": now,
         "digest": row_id.to_bytes(16, "big"), "headers": "{}", "body": b"{}", "body_encoding": "raw",
         "source": "store", "state": "processed", "reason": "", "processed_at": now}
        for row_id in ids[:count]
    ]  # fmt: skip
    events = [
        {"id": row_id, "installation_id": INSTALLATION, "webhook_id": ids[0], "event_id": f"tail-{row_id}",
         "name": "CompletePayment", "state": "pending", "event_time": now, "created_at": now, "updated_at": now}
        for row_id in ids[count:]
    ]  # fmt: skip
    with place.storage.database.write() as connection:
        connection.execute(insert(Webhook.__table__), webhooks)  # type: ignore[attr-defined]
        connection.execute(insert(Event.__table__), events)  # type: ignore[attr-defined]


def _resident_megabytes(server: Program) -> float:
    for line in Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not tell what memory a process has")
