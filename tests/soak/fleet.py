"""Processes of the real command line against one database and a stand-in TikTok, to be killed and started again."""

import os
import random
import signal
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from connector.demo.stage import free_port
from connector.demo.tiktok_stand_in import StandInTikTok
from connector.settings import Settings, load_settings
from connector.storage.opening import Storage, open_storage
from tests.databases import new_postgres_database
from tests.installations import PIXEL, TOKEN, add_installation
from tests.processes.child import Child, Nursery

__all__ = ["SECRET", "Fleet", "Process"]

SECRET = "soak-secret-of-the-store"
KEYS = "k" * 40
_READY_SECONDS = 40.0


@dataclass
class Process:
    """One process of the fleet, running or not."""

    name: str
    arguments: tuple[str, ...]
    port: int = 0
    plan: str = ""
    running: Child | None = None
    ready_at: float = 0.0

    @property
    def receives(self) -> bool:
        return bool(self.port)

    @property
    def dead(self) -> bool:
        return self.running is None or self.running.ended.is_set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Fleet:
    """A context. SQLite: one `serve`, or a receiver and a worker. PostgreSQL: two receivers and two workers."""

    kind: str
    folder: Path
    split: bool = False
    installations: tuple[str, ...] = ("installation1", "installation2")
    processes: list[Process] = field(default_factory=list)

    def __enter__(self) -> "Fleet":
        self._nursery = Nursery().__enter__()
        self.tiktok = StandInTikTok(tokens={TOKEN: {PIXEL}})
        self.tiktok.start()
        self.settings = self._settings()
        self.storage: Storage = open_storage(self.settings)
        for each in self.installations:
            add_installation(self.storage, each, secret=SECRET)
        self.processes = self._planned()
        for process in self.processes:
            self.start(process)
        self.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            self.kill(process)
        self._nursery.__exit__()
        self.storage.close()
        self.tiktok.stop()

    def _settings(self) -> Settings:
        values: dict[str, object] = {
            "data_dir": self.folder,
            "secret_keys": KEYS,
            "tiktok_api_url": self.tiktok.url,
            "delivery_interval": 0.05,
            "retry_base": 0.05,
            "lease_seconds": 1.5,
            "commit_patience": 0.3,
            "allow_private_addresses": True,
        }
        if self.kind == "postgresql":
            values["database_url"] = new_postgres_database()
        return load_settings(values)

    def _planned(self) -> list[Process]:
        if self.kind == "sqlite" and not self.split:
            return [Process("serve", ("serve",), free_port())]
        count = 2 if self.kind == "postgresql" else 1
        receivers = [Process(f"receiver{n}", ("serve", "--no-delivery"), free_port()) for n in range(count)]
        return receivers + [Process(f"worker{n}", ("deliver",)) for n in range(count)]

    def start(self, process: Process, plan: str = "") -> None:
        """Start it, to be killed as the plan says."""
        process.plan, process.ready_at = plan, 0.0
        port = ("--port", str(process.port)) if process.port else ()
        log = self.folder / f"{process.name}.log"
        process.running = self._nursery.begin((*process.arguments, *port), self._environment(plan), log)

    def _environment(self, plan: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}
        s = self.settings
        return kept | {
            "CONNECTOR_DATA_DIR": str(self.folder),
            "CONNECTOR_DATABASE_URL": s.resolved_database_url,
            "CONNECTOR_SECRET_KEYS": KEYS,
            "CONNECTOR_TIKTOK_API_URL": self.tiktok.url,
            "CONNECTOR_DELIVERY_INTERVAL": str(s.delivery_interval),
            "CONNECTOR_RETRY_BASE": str(s.retry_base),
            "CONNECTOR_LEASE_SECONDS": str(s.lease_seconds),
            "CONNECTOR_COMMIT_PATIENCE": str(s.commit_patience),
            "CONNECTOR_LOG_LEVEL": "warning",
            "CONNECTOR_FAILPOINTS": plan,
        }

    def is_ready(self, process: Process) -> bool:
        """Receivers answer; a worker has had its time to start. Raises RuntimeError when it cannot start."""
        assert process.running is not None
        if process.dead and process.running.exit_code != -signal.SIGKILL:
            log = (self.folder / f"{process.name}.log").read_text()[-3000:]
            raise RuntimeError(f"{process.name} ended by itself: {process.running.exit_code}\n{log}")
        if not process.receives or process.ready_at:
            return True
        try:
            with urllib.request.urlopen(f"{process.url}/healthz", timeout=1):
                process.ready_at = time.monotonic()
                return True
        except OSError:
            return False

    def wait_ready(self) -> None:
        """Until every receiver answers. Raises TimeoutError."""
        end = time.monotonic() + _READY_SECONDS
        while not all(self.is_ready(process) for process in self.processes):
            if time.monotonic() > end:
                raise TimeoutError("a process did not become ready")
            time.sleep(0.02)

    def kill(self, process: Process) -> None:
        """As the kernel does it when memory is short."""
        if process.running is not None:
            process.running.kill()

    def receiver_urls(self) -> list[str]:
        """Where webhooks go."""
        return [process.url for process in self.processes if process.receives]

    def any_process(self, chance: random.Random) -> Process:
        """One of them."""
        return chance.choice(self.processes)
