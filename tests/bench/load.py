"""The load generator: a process of its own on one core, with every request's bytes made before the first is sent.

`python -m tests.bench.load SPEC` makes the requests, says `ready`, waits for a line, sends, prints what came back
as JSON. Closed: each connection sends its next request when the last was answered. Paced: at a steady rate.
"""

import asyncio
import contextlib
import gc
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import cast

from tests.bench import processes
from tests.bench.processes import Begun
from tests.bench.workload import ORDER, Template, requests

__all__ = ["LoadResult", "LoadSpec", "prepared_load"]

_MOST_BYTES = 600_000_000  # of prepared requests
_MOST_SECONDS = 600.0  # that answers are waited for


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """What to send. `count` ends it, or `seconds`, whichever is reached first; requests repeat when they run out
    unless there are enough. `rate` (per second) makes it paced; 0 is closed.
    """

    ports: tuple[int, ...]
    path: str
    connections: int = 64
    seconds: float = 3600.0
    count: int = 0
    start: int = 0
    prepared: int = 0
    close: bool = False
    rate: float = 0.0
    cpu: int | None = None
    samples: tuple[str, ...] = (ORDER,)
    forged: bool = False


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What came back. Times in seconds; `sent_at` (Unix time by event id) only of a paced load."""

    answered: int
    refused: int
    seconds: float
    p50: float
    p99: float
    cpu_seconds: float
    first_at: float
    sent_at: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.answered / self.seconds


class PreparedLoad:
    """A load generator that waits for its start."""

    def __init__(self, process: Begun) -> None:
        self._process = process

    def start(self) -> None:
        """Send."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def result(self) -> LoadResult:
        """Wait for the end."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator ended without a result")
        return LoadResult(**json.loads(line))

    def run(self) -> LoadResult:
        """Send, and wait for the end."""
        self.start()
        return self.result()


@contextlib.contextmanager
def prepared_load(spec: LoadSpec) -> Iterator[PreparedLoad]:
    """Start a generator and wait until its requests are made."""
    command = ["-m", "tests.bench.load", json.dumps(asdict(spec))]
    with processes.begin(command, dict(os.environ), True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("the load generator did not start")
            yield PreparedLoad(process)
        finally:
            process.kill()


class _Run:
    """One run of a generator: the requests, what was answered, how long each took."""

    def __init__(self, spec: LoadSpec) -> None:
        self.spec = spec
        self.requests: list[bytes] = []
        self.event_ids: list[str] = []
        self._prepare()
        self.latencies: list[float] = []
        self.refused = 0
        self.numbers = itertools.count()
        self.end_at = 0.0
        self.open = 0
        self.done: asyncio.Future[None] | None = None

    def _prepare(self) -> None:
        spec = self.spec
        templates = [Template(name) for name in spec.samples]
        builders = [requests(template, spec.path, close=spec.close, forged=spec.forged) for template in templates]
        size = 0
        for number in range(spec.start, spec.start + (spec.prepared or spec.count)):
            which = number % len(templates)
            made = templates[which].body(number)
            self.requests.append(builders[which](made.body))
            size += len(made.body)
            if spec.rate:
                self.event_ids.append(made.event_id)
            if size > _MOST_BYTES:
                break

    def next(self) -> bytes | None:
        """The next request's bytes; None when it is enough."""
        number = next(self.numbers)
        if (self.spec.count and number >= self.spec.count) or time.perf_counter() >= self.end_at:
            return None
        return self.requests[number % len(self.requests)]

    def closed(self) -> None:
        """A connection has ended its work."""
        self.open -= 1
        if not self.open and self.done is not None and not self.done.done():
            self.done.set_result(None)


class _Client(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._answer = b""
        self._sent_at = 0.0
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._send()

    def _send(self) -> None:
        request = self._run.next()
        if request is None:
            self._transport.close()
            self._run.closed()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer = data = self._answer + data
        head = data.find(b"\r\n\r\n")
        if head < 0:
            return
        length = data.find(b"content-length: ")
        if len(data) < head + 4 + int(data[length + 16 : data.find(b"\r", length)]):
            return
        run = self._run
        run.latencies.append(time.perf_counter() - self._sent_at)
        run.refused += not data.startswith(b"HTTP/1.1 200")
        self._answer = b""
        if not run.spec.close:
            self._send()
            return
        self._transport.close()
        asyncio.ensure_future(_connect(run, next(_PORTS)))  # noqa: RUF006 - the loop lives for this


_PORTS: Iterator[int] = iter(())


async def _connect(run: _Run, port: int) -> None:
    if time.perf_counter() >= run.end_at:
        run.closed()
        return
    await asyncio.get_running_loop().create_connection(lambda: _Client(run), "127.0.0.1", port)


async def _closed(run: _Run) -> None:
    run.done = asyncio.get_running_loop().create_future()
    run.open = run.spec.connections
    for _ in range(run.spec.connections):
        await _connect(run, next(_PORTS))
    await asyncio.wait_for(run.done, _MOST_SECONDS)


class _Paced(asyncio.Protocol):
    """One request on one connection, as WooCommerce sends it."""

    def __init__(self, run: _Run, request: bytes, ended: "asyncio.Future[None]") -> None:
        self._run, self._request, self._ended = run, request, ended
        self._answer = b""
        self._sent_at = time.perf_counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer += data

    def connection_lost(self, error: Exception | None) -> None:
        self._run.latencies.append(time.perf_counter() - self._sent_at)
        self._run.refused += not self._answer.startswith(b"HTTP/1.1 200")
        self._ended.set_result(None)


async def _paced(run: _Run) -> dict[str, float]:
    loop, sent_at, ended = asyncio.get_running_loop(), dict[str, float](), list[asyncio.Future[None]]()
    started = time.perf_counter()
    for number, request in enumerate(run.requests):
        await asyncio.sleep(max(started + number / run.spec.rate - time.perf_counter(), 0))
        ended.append(loop.create_future())
        sent_at[run.event_ids[number]] = time.time()
        protocol = _Paced(run, request, ended[-1])
        await loop.create_connection(lambda p=protocol: p, "127.0.0.1", next(_PORTS))  # type: ignore[misc]
    await asyncio.gather(*ended)
    return sent_at


async def _go(run: _Run) -> LoadResult:
    global _PORTS
    _PORTS = itertools.cycle(run.spec.ports)
    first_at, cpu, started = time.time(), time.process_time(), time.perf_counter()
    run.end_at = started + run.spec.seconds
    sent_at = await _paced(run) if run.spec.rate else (await _closed(run)) or {}
    seconds = time.perf_counter() - started
    ranks = statistics.quantiles(run.latencies, n=100, method="inclusive")
    return LoadResult(
        answered=len(run.latencies) - run.refused,
        refused=run.refused,
        seconds=seconds,
        p50=ranks[49],
        p99=ranks[98],
        cpu_seconds=time.process_time() - cpu,
        first_at=first_at,
        sent_at=sent_at,
    )


def main() -> None:
    """Prepare, wait, send, tell."""
    import uvloop

    fields = json.loads(sys.argv[1])
    spec = LoadSpec(**fields | {"ports": tuple(fields["ports"]), "samples": tuple(fields["samples"])})
    if spec.cpu is not None:
        os.sched_setaffinity(0, {spec.cpu})
    run = _Run(spec)
    gc.collect()
    gc.disable()
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asdict(uvloop.run(_go(run)))), flush=True)


if __name__ == "__main__":
    main()
