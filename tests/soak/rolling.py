"""A rolling upgrade from a released version's own code, under load: old and new side by side on one PostgreSQL."""

import io
import json
import os
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from connector.demo.stage import free_port
from connector.demo.tiktok_stand_in import StandInTikTok
from connector.storage.opening import Storage, open_storage
from tests.databases import bare_settings, new_empty_postgres_database
from tests.installations import PIXEL, TOKEN
from tests.processes.child import Child, Nursery
from tests.soak.checks import faults, settled
from tests.soak.fleet import KEYS, SECRET
from tests.soak.load import Load

__all__ = ["Upgrade", "has_commit", "old_code", "upgrade"]

_ROOT = Path(__file__).resolve().parents[2]
_SETTLE_SECONDS = 60.0
_START_SECONDS = 60.0
_SIDE_BY_SIDE_SECONDS = 1.0
_LAST_ON_THEIR_WAY_SECONDS = 0.5


@dataclass
class Upgrade:
    """What came of it. `refused`: authentic webhooks that were answered anything but 200, or not at all."""

    faults: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    accepted: int = 0
    posted_by: dict[str, int] = field(default_factory=dict)  # how much was posted by the end of each step


def has_commit(commit: str) -> bool:
    """Whether the history is here; a checkout may be without it."""
    command = ["git", "cat-file", "-e", f"{commit}^{{commit}}"]
    return subprocess.run(command, cwd=_ROOT, capture_output=True).returncode == 0


def old_code(commit: str, folder: Path) -> Path:
    """That commit's files."""
    packed = subprocess.run(["git", "archive", commit], cwd=_ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def upgrade(old: Path, folder: Path, *, restarts: int = 1, tell: Callable[[str], None] = print) -> Upgrade:
    """Two receivers and two workers of `old` are replaced by this version's, one by one, while a store sends.

    With `restarts`, each new process is then started anew so many times.
    """
    found = Upgrade()
    with _Site(old, folder) as site:
        load = Load(
            site.urls, tuple(site.public_ids), senders=4, pause=0.02, behind_proxy=True,
            public_id=site.public_ids.__getitem__,
        )  # fmt: skip
        load.start()

        def done(step: str) -> None:
            time.sleep(_SIDE_BY_SIDE_SECONDS)
            found.posted_by[step] = len(load.posted)
            tell(f"{step}: {len(load.posted)} posted, {dict(load.answers)}")

        for name, step in site.steps(restarts):
            step()
            done(name)
        load.stop()
        storage = site.opened()
        _settle(storage)
        found.faults = faults(storage, site.tiktok, load.posted)
        found.accepted = len(site.tiktok.accepted)
    found.answers = load.answers
    found.refused = [
        f"{one.event_id} {one.answers}" for one in load.posted if not one.forged and _refused(one.answers)
    ]
    return found


def _refused(answers: list[int]) -> bool:
    return any(status != 200 for status in answers)


def _settle(storage: Storage) -> None:
    end = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < end and not settled(storage):
        time.sleep(0.1)


def _wait_until_up(url: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=1):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


class _Site:
    """A context: the database as the old version made it, its processes, and those that replace them."""

    def __init__(self, old: Path, folder: Path) -> None:
        self._old, self._folder = old, folder
        self._stack = ExitStack()
        self.urls: list[str] = []
        self.public_ids: dict[str, str] = {}  # by the id in webhook addresses
        self._running: dict[str, Child] = {}
        self._ports: dict[str, int] = {}

    def __enter__(self) -> "_Site":
        self.tiktok = self._stack.enter_context(StandInTikTok(tokens={TOKEN: {PIXEL}}))
        self._settings = bare_settings(self._folder, database_url=new_empty_postgres_database())
        self._before = self._stack.enter_context(Nursery(self._old))
        self._after = self._stack.enter_context(Nursery())
        self._command(self._old, "migrate")
        self._install()
        for number in range(2):
            self._start(self._before, f"receiver{number}", free_port())
            self._start(self._before, f"worker{number}")
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._running.values():
            child.kill()
        self._stack.close()

    def _install(self) -> None:
        """Two stores, by the old version's own command."""
        for number in range(2):
            said = self._command(
                self._old, "installations", "add", "--platform", "woocommerce", "--url", f"https://s{number}.test",
                "--pixel-code", PIXEL, "--access-token-stdin", "--webhook-secret-stdin",
                "--consent-policy", "opt_out", "--json", stdin=f"{TOKEN}\n{SECRET}\n",
            )  # fmt: skip
            added = json.loads(said)
            self.public_ids[added["installation_id"]] = added["public_id"]

    def steps(self, restarts: int) -> Iterator[tuple[str, Callable[[], None]]]:
        """As the deploying guide tells it."""
        yield "old", lambda: None
        yield "migrated", lambda: self._migrate()
        for name in ("receiver0", "receiver1", "worker0", "worker1"):
            yield f"{name} new", lambda name=name: self._replace_old(name)  # type: ignore[misc]
        for number in range(restarts - 1):
            for name in ("receiver0", "receiver1"):
                yield f"{name} restarted {number + 1}", lambda name=name: self._replace(name)  # type: ignore[misc]

    def _migrate(self) -> None:
        self._command(_ROOT, "migrate")

    def _replace_old(self, name: str) -> None:
        """0.1.0 resets who is at its door when it stops, so the guide has its proxy forget a receiver first."""
        if name in self._ports:
            self.urls.remove(f"http://127.0.0.1:{self._ports[name]}")
            time.sleep(_LAST_ON_THEIR_WAY_SECONDS)
        self._replace(name)

    def _replace(self, name: str) -> None:
        self._running[name].ask_to_stop()
        self._start(self._after, name, self._ports.get(name, 0))

    def _start(self, nursery: Nursery, name: str, port: int = 0) -> None:
        words = ("serve", "--no-delivery", "--port", str(port)) if port else ("deliver",)
        self._running[name] = nursery.begin(words, self._environment(), self._folder / f"{name}.log")
        if port:
            self._ports[name] = port
            url = f"http://127.0.0.1:{port}"
            _wait_until_up(url)
            if url not in self.urls:
                self.urls.append(url)

    def _command(self, root: Path, *words: str, stdin: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "connector", *words], cwd=root, input=stdin, capture_output=True, text=True,
            env=self._environment() | {"PYTHONPATH": str(root)},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"connector {' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def _environment(self) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}
        return kept | {
            "CONNECTOR_DATA_DIR": str(self._folder),
            "CONNECTOR_DATABASE_URL": self._settings.resolved_database_url,
            "CONNECTOR_SECRET_KEYS": KEYS,
            "CONNECTOR_TIKTOK_API_URL": self.tiktok.url,
            "CONNECTOR_DELIVERY_INTERVAL": "0.1",
            "CONNECTOR_RETRY_BASE": "0.1",
            "CONNECTOR_LOG_LEVEL": "warning",
        }

    def opened(self) -> Storage:
        """The database as this version sees it; closed with the site."""
        storage = open_storage(self._settings)
        self._stack.callback(storage.close)
        return storage
