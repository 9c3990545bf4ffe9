"""Throw-away databases and the processes of the program over them, as an operator would start them."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import create_engine, text

from connector.demo.samples import PUBLIC_ID
from connector.settings import Settings
from connector.storage.opening import Storage, open_storage
from tests.bench import processes
from tests.bench.processes import Begun
from tests.bench.workload import PIXEL_CODE
from tests.databases import settings_for
from tests.installations import add_installation

__all__ = ["INSTALLATION", "Place", "Program", "new_place", "program"]

INSTALLATION = "bench"
_START_SECONDS = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Place:
    """A new database with one installation, `INSTALLATION`, whose token the stand-in TikTok knows."""

    kind: str
    folder: Path
    settings: Settings
    storage: Storage

    def environment(self, tiktok_url: str = "http://127.0.0.1:9") -> dict[str, str]:
        """The environment under which the program works here. Nothing else of the program's is passed on."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}
        return mine | {
            "CONNECTOR_DATA_DIR": str(self.folder),
            "CONNECTOR_DATABASE_URL": self.settings.resolved_database_url,
            "CONNECTOR_SECRET_KEYS": ",".join(self.settings.given_keys),
            "CONNECTOR_TIKTOK_API_URL": tiktok_url,
            "CONNECTOR_ALLOW_PRIVATE_ADDRESSES": "1",
            "CONNECTOR_LOG_LEVEL": "warning",
        }

    def size_bytes(self) -> int:
        """What the database takes on the disk."""
        if self.kind == "sqlite":
            return sum(path.stat().st_size for path in self.folder.glob("connector.sqlite3*"))
        with self.storage.database.read() as connection:
            return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


@contextlib.contextmanager
def new_place(kind: str) -> Iterator[Place]:
    """A database of that kind; it is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="connector-bench-"))
    try:
        settings = settings_for(kind, folder, delivery_interval=0.5, retry_base=5.0)
        storage = open_storage(settings)
        try:
            add_installation(storage, INSTALLATION, public_id=PUBLIC_ID, pixel_code=PIXEL_CODE)
            yield Place(kind, folder, settings, storage)
        finally:
            storage.close()
            if kind == "postgresql":
                _drop(settings.resolved_database_url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _drop(url: str) -> None:
    base, _, query = url.partition("?")
    server, _, name = base.rpartition("/")
    address = f"{server}/postgres?{query}".replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    engine.dispose()


@dataclass
class Program:
    """A running process. `ready` says what it printed first."""

    process: Begun
    port: int = 0
    _marks: dict[str, float] = field(default_factory=dict)

    def cpu_seconds(self) -> float:
        """Processor time since its start, all threads and child processes."""
        return sum(self.cpu_seconds_each())

    def cpu_seconds_each(self) -> list[float]:
        """The same by process: its own first, then its children's."""
        return [_cpu_seconds(pid) for pid in (self.process.pid, *_children(self.process.pid))]

    def peak_megabytes(self) -> float:
        """The most memory it ever had resident."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the kernel does not tell the peak of memory")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _children(pid: int) -> list[int]:
    return [int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]


@contextlib.contextmanager
def program(
    arguments: Sequence[str], environment: dict[str, str], *, listens: bool = True, pipes: bool = False
) -> Iterator[Program]:
    """Run `python ARGUMENTS`; `{port}` in them becomes a free port. Waits until it answers, ends it afterwards."""
    port = _free_port() if listens else 0
    command = [argument.replace("{port}", str(port)) for argument in arguments]
    with processes.begin(command, environment, pipes) as process:
        try:
            if listens:
                _wait(process, port)
            yield Program(process, port)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: Begun, port: int) -> None:
    end_at = time.monotonic() + _START_SECONDS
    while time.monotonic() < end_at:
        if process.poll() is not None:
            raise RuntimeError(f"a process ended at its start with {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("a process did not listen in time")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
