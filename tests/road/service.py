"""The program as an operator runs it: commands and servers as processes, driven only through the outside contract."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import httpx

from connector.demo.samples import load, moved_to, signed, with_order_id
from connector.demo.stage import free_port
from connector.demo.tiktok_stand_in import StandInTikTok
from tests.databases import new_postgres_database
from tests.processes.child import Child, shared_nursery

__all__ = ["PIXEL", "SECRET", "TOKEN", "Process", "Service"]

TOKEN, PIXEL, SECRET = "token-of-the-tests", "CTESTS00000000000001", "whsec-of-the-tests"
Process: TypeAlias = Child | subprocess.Popen[bytes]
_ROOT = Path(__file__).resolve().parents[2]


class Service:
    """One data directory, its commands, its server processes and a stand-in TikTok."""

    def __init__(self, folder: Path, kind: str = "sqlite", **environment: str) -> None:
        self.tiktok = StandInTikTok(tokens={TOKEN: {PIXEL}})
        self.tiktok.start()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}
        self.environment = kept | {
            "PYTHONPATH": str(_ROOT),
            "CONNECTOR_DATA_DIR": str(folder / "data"),
            "CONNECTOR_PORT": str(self.port),
            "CONNECTOR_TIKTOK_API_URL": self.tiktok.url,
            "CONNECTOR_RETRY_BASE": "0.1",
            "CONNECTOR_DELIVERY_INTERVAL": "0.05",
            "CONNECTOR_ALLOW_PRIVATE_ADDRESSES": "1",
        }
        if kind == "postgresql":
            self.environment["CONNECTOR_DATABASE_URL"] = new_postgres_database()
            self.environment["CONNECTOR_SECRET_KEYS"] = "k" * 40
        self.environment |= environment
        self.processes: list[Process] = []

    def command(self, *words: str, stdin: str = "", code: int = 0) -> str:
        """Run a command to its end; its standard output."""
        done = shared_nursery().run(words, self.environment, self.folder, stdin)
        assert done.code == code, (words, done)
        return done.stdout

    def json(self, *words: str, stdin: str = "") -> Any:
        """Run a command with `--json`; its document."""
        return json.loads(self.command(*words, "--json", stdin=stdin))

    def add(self, *options: str) -> str:
        """Add an installation; its id."""
        added = self.json(
            "installations", "add", "--platform", "woocommerce", "--url", "https://shop.example",
            "--pixel-code", PIXEL, "--access-token-stdin", "--webhook-secret-stdin", *options,
            stdin=f"{TOKEN}\n{SECRET}\n",
        )  # fmt: skip
        assert "webhook_secret" not in added
        return str(added["installation_id"])

    def start(self, *words: str) -> Child:
        """Start `connector serve` (or what is given) and wait until it is ready."""
        process = shared_nursery().begin(
            words or ("serve",), self.environment, self.folder / "log.txt", folder=self.folder
        )
        self.processes.append(process)
        if not words or words[0] == "serve":
            self.wait(lambda: self._status("/readyz") == 200, process)
        return process

    def stop(self, process: Process, number: int = signal.SIGTERM) -> int:
        """End a process of ours."""
        process.send_signal(number)
        return process.wait(30)

    def close(self) -> None:
        """End everything that was started here."""
        for process in self.processes:
            if process.poll() is None:
                self.stop(process, signal.SIGKILL)
        self.tiktok.stop()

    def _status(self, path: str) -> int:
        try:
            return httpx.get(self.url + path, timeout=5).status_code
        except httpx.HTTPError:
            return 0

    def wait(self, condition: Callable[[], Any], process: Process | None = None) -> None:
        """Until it is so, 30 s at most."""
        end = time.monotonic() + 30
        while not condition():
            dead = process is not None and process.poll() is not None
            if dead or time.monotonic() > end:
                raise AssertionError((self.folder / "log.txt").read_text()[-3000:])
            time.sleep(0.05)

    def post(
        self,
        installation_id: str,
        name: str = "order_created_classic_guest",
        *,
        order_id: int | None = None,
        secret: str = SECRET,
        at: datetime | None = None,
    ) -> int:
        """Send a sample as if it happened now; the HTTP status."""
        sample = moved_to(load(name), at or datetime.now(UTC))
        if order_id is not None:
            sample = with_order_id(sample, order_id, f"wc_order_{order_id}")
        headers, body = signed(sample, secret)
        url = f"{self.url}/webhooks/woocommerce/{installation_id}"
        return httpx.post(url, headers=headers, content=body, timeout=30).status_code

    def events(self, installation_id: str) -> list[dict[str, Any]]:
        """As `connector events list --json` tells them."""
        found: list[dict[str, Any]] = self.json("events", "list", "--installation", installation_id)
        return found

    def states(self, installation_id: str) -> list[str]:
        """States of all events, oldest first."""
        return [event["state"] for event in self.events(installation_id)]

    def accepted(self) -> list[tuple[str, str]]:
        """What TikTok has: (event, order id), merged by event id."""
        return sorted(
            (one.event["event"], one.event.get("properties", {}).get("order_id", "")) for one in self.tiktok.accepted
        )
