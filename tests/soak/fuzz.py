"""Broken requests by the thousand over raw sockets: no 5xx, no row that nobody signed, no growth of memory."""

import os
import random
import re
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select

from connector.demo import samples
from connector.storage.tables import Webhook
from tests.soak.fleet import SECRET, Fleet

__all__ = ["Server", "broken_request", "fuzz", "send"]

_SENDERS = 8
_PATIENCE = 0.05
_webhook = Webhook.__table__  # type: ignore[attr-defined]
_BODY = samples.load("order_created_classic_guest").body
_HEAD = (
    b"POST /webhooks/woocommerce/installation1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"X-WC-Webhook-Topic: order.created\r\nX-WC-Webhook-Signature: %s\r\nContent-Length: %d\r\n\r\n"
)
_STATUS = re.compile(rb"^HTTP/1\.1 ([2-5][0-9][0-9]) ", re.MULTILINE)
_PIECES = (
    b"\r\n", b"\r\n\r\n", b"\0", b"\xff\xfe", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b" ", b":", b"%",
    b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\n", b"/../", b"%00", b"HTTP/0.9", b"HTTP/1.0", b"{", b"[" * 50,
    b"9" * 30, b"Connection: close\r\n", b"X-WC-Webhook-Signature: AAAA\r\n", b"ffffffffffffffff\r\n",
    b"\r\n0\r\n\r\n",
)  # fmt: skip


def broken_request(chance: random.Random) -> bytes:
    """A webhook under a wrong signature, then cut, flipped, doubled and mixed."""
    body = _BODY[: chance.choice((0, 10, 500, len(_BODY)))]
    signature = samples.sign(body, f"guess {chance.random()}").encode()
    data = bytearray(_HEAD % (signature, len(body)) + body)
    for _ in range(chance.choice((0, 1, 1, 2, 5, 20))):
        chance.choice(_CHANGES)(data, chance)
    return bytes(data)


def _flip(data: bytearray, chance: random.Random) -> None:
    if data:
        data[chance.randrange(min(len(data), chance.choice((60, 400, 10_000))))] = chance.randrange(256)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data) + 1) :]


def _drop(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data) + 1)
    del data[start : start + chance.choice((1, 2, 10, 100))]


def _insert(data: bytearray, chance: random.Random) -> None:
    place = chance.randrange(min(len(data), chance.choice((60, 400, 10_000))) + 1)
    data[place:place] = chance.choice(_PIECES)


def _noise(data: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(data) + 1)
    data[place:place] = chance.randbytes(chance.choice((1, 4, 64)))


def _double(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data) + 1)
    data += data[start : start + 2000]


_Change = Callable[[bytearray, random.Random], None]
_CHANGES: tuple[_Change, ...] = (_flip, _flip, _cut, _drop, _insert, _insert, _noise, _double)


def send(port: int, data: bytes, patience: float = _PATIENCE) -> list[int]:
    """Every status that came back before the sender closed its side and lost its patience."""
    received = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(patience)
            while part := connection.recv(65536):
                received += part
    except OSError:
        pass
    return [int(status) for status in _STATUS.findall(received)]


class Server:
    """The fleet's one server with what a fuzzer looks at."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.port = fleet.processes[0].port

    def rows(self) -> int:
        """Stored webhooks."""
        with self._fleet.storage.database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(_webhook)).scalar_one())

    def memory(self) -> int:
        """Resident bytes."""
        running = self._fleet.processes[0].running
        assert running is not None
        pages = int(Path(f"/proc/{running.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def alive(self) -> bool:
        """Still the process that was started."""
        return not self._fleet.processes[0].dead

    def takes(self, number: int) -> bool:
        """Whether a signed webhook is answered 200."""
        body = b'{"id":%d,"status":"pending"}' % number
        return send(self.port, _HEAD % (samples.sign(body, SECRET).encode(), len(body)) + body, 10.0) == [200]


@contextmanager
def fuzzed_server() -> Iterator[Server]:
    """One `connector serve` on a new SQLite file."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, Fleet("sqlite", Path(folder)) as fleet:
        yield Server(fleet)


def fuzz(requests: int, *, tell: Callable[[str], None], seed: int = 1) -> int:
    """The long form. 0 when every promise was kept."""
    statuses: Counter[int] = Counter()
    began = time.monotonic()
    with fuzzed_server() as server, ThreadPoolExecutor(_SENDERS) as threads:
        _volley(server, threads, min(requests // 10, 20_000), seed, statuses)  # until pools and caches are filled
        before = server.memory()
        for part in range(10):
            _volley(server, threads, requests // 10, seed + 1 + part, statuses)
            grown = (server.memory() - before) / 1e6
            answers = ", ".join(f"{count:,} answered {status}" for status, count in sorted(statuses.items()))
            tell(f"{(part + 1) * (requests // 10):,} requests, {grown:+.1f} MB: {answers}")
        kept = server.alive() and server.rows() == 0 and server.takes(1) and server.rows() == 1
    good = kept and not any(status >= 500 for status in statuses) and grown < 30
    tell(f"{'good' if good else 'BROKEN'}: {time.monotonic() - began:.0f} s")
    return 0 if good else 1


def _volley(server: Server, threads: ThreadPoolExecutor, requests: int, seed: int, statuses: "Counter[int]") -> None:
    chances = [random.Random(seed * 1000 + number) for number in range(_SENDERS)]

    def some(chance: random.Random) -> Counter[int]:
        return Counter(
            status for _ in range(requests // _SENDERS) for status in send(server.port, broken_request(chance))
        )

    for counted in threads.map(some, chances):
        statuses.update(counted)
