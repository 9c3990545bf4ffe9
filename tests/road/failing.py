"""The running program while something under it fails, and what must hold afterwards."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from connector.demo.samples import load, moved_to, signed, with_order_id
from connector.settings import load_settings
from connector.storage.opening import Storage, open_storage
from connector.storage.tables import Event, Webhook
from tests.installations import add_installation
from tests.road.service import PIXEL, SECRET, TOKEN, Service

__all__ = ["Failing", "full_disk", "locked_by_another_process", "small_disk"]

SHOP = "installation1"
KEYS = "k" * 40
# Root may write everywhere; without these two powers the modes of files count for root too.
_AS_ANYBODY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
_webhook = Webhook.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]

_LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


class Failing(Service):
    """A service whose database can fail: what each sender heard is compared with what is stored in the end."""

    def __init__(self, folder: Path, database_url: str, **environment: str) -> None:
        values = {"CONNECTOR_DATABASE_URL": database_url, "CONNECTOR_SECRET_KEYS": KEYS}
        values |= {"CONNECTOR_COMMIT_PATIENCE": "0.4", "CONNECTOR_LEASE_SECONDS": "2"}
        super().__init__(folder, **values | environment)
        self.database_url = database_url
        self.heard: dict[int, int] = {}
        with self.opened() as storage:
            add_installation(storage, SHOP, secret=SECRET, token=TOKEN, pixel_code=PIXEL)

    @contextmanager
    def opened(self) -> Iterator[Storage]:
        """The database, from outside of the server."""
        values = {"data_dir": self.folder, "secret_keys": KEYS, "database_url": self.database_url}
        storage = open_storage(load_settings(values))
        yield storage
        storage.close()

    def start_as_anybody(self) -> None:
        """A server for which the modes of files count, even when the tests run as root."""
        process = self._as_anybody()
        self.processes.append(process)
        self.wait(self.is_ready, process)

    def started_in_vain_as_anybody(self) -> int:
        """The exit code of such a server."""
        return self._as_anybody().wait(20)

    def _as_anybody(self) -> "subprocess.Popen[bytes]":
        words = [sys.executable, "-m", "connector", "serve"]
        before = _AS_ANYBODY if os.geteuid() == 0 else ()
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen([*before, *words], env=self.environment, cwd=self.folder, stderr=log)

    def log(self) -> str:
        """What the servers said."""
        return (self.folder / "log.txt").read_text()

    def sell(self, count: int) -> list[int]:
        """Post so many new orders, one after another; what each heard."""
        first = len(self.heard) + 1
        statuses = [self._sell_one(number) for number in range(first, first + count)]
        self.heard.update(enumerate(statuses, first))
        return statuses

    def _sell_one(self, number: int) -> int:
        sample = with_order_id(
            moved_to(load("order_updated_set_paid"), datetime.now(UTC)), number, f"wc_order_{number}"
        )
        headers, body = signed(sample, SECRET)
        answer = httpx.post(f"{self.url}/webhooks/woocommerce/{SHOP}", headers=headers, content=body, timeout=20)
        assert answer.status_code != 503 or int(answer.headers["retry-after"]) > 0
        return answer.status_code

    def checks(self) -> dict[str, bool]:
        """What `readyz` tells."""
        found: dict[str, bool] = httpx.get(f"{self.url}/readyz", timeout=10).json()["checks"]
        return found

    def is_ready(self) -> bool:
        return self._status("/readyz") == 200

    def spooled(self) -> int:
        """Bytes in the spool."""
        return sum(path.stat().st_size for path in (self.folder / "data" / "spool").glob("*.spool"))

    def assert_nothing_lost(self) -> None:
        """Every order that was answered 200 is stored once, in the order of its arrival, and TikTok has it once."""
        sold = [number for number, status in self.heard.items() if status == 200]
        wanted = sorted(("CompletePayment", str(number)) for number in sold)
        self.wait(lambda: len(self.tiktok.accepted) >= len(wanted))
        self.wait(lambda: not self.spooled() and self.is_ready())
        assert self.accepted() == wanted
        with self.opened() as storage, storage.database.read() as connection:
            rows = connection.execute(select(_webhook.c.order_id, _webhook.c.state).order_by(_webhook.c.id)).all()
            assert [(row.order_id, row.state) for row in rows] == [(str(number), "processed") for number in sold]


@contextmanager
def locked_by_another_process(database: Path) -> Iterator[None]:
    """Another process keeps a write transaction open."""
    words = [sys.executable, "-c", _LOCKER, str(database)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as locker:
        assert locker.stdout is not None
        assert locker.stdout.readline() == b"locked\n"
        yield
        locker.communicate()


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A file system of its own. Skips, and says what to do, where mounting is not allowed."""
    folder = Path(tempfile.mkdtemp(prefix="connector-disk-"))
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("a really full disk needs a small tmpfs: run the tests as root where mounting is allowed")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """No byte is left on that file system."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    yield
    filler.unlink()
