"""What the story is played on: the real server in a process of its own, a stand-in TikTok, a throw-away database."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from connector.core.http_values import OutgoingRequest, Reply
from connector.core.installation_settings import ConsentPolicy
from connector.demo import samples
from connector.demo.tiktok_stand_in import StandInTikTok
from connector.errors import ConnectorError, SendFailed
from connector.operations.history import EventLine, WebhookLine, list_events, list_webhooks
from connector.operations.installations import NewInstallation, add_installation
from connector.outbound import send_now
from connector.settings import Settings, load_settings
from connector.storage.opening import Storage, open_storage

__all__ = ["PIXEL_CODE", "Stage", "free_port"]

# The pixel that the stamped samples name.
PIXEL_CODE = "C4SAMPLEPIXEL00000001"
_TOKEN = "demo-access-token"  # noqa: S105 -- known to the stand-in only
_WAIT_SECONDS = 60.0
_LOG = "server.log"


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Target:
    """Where the story's store sends its webhooks, and what it signs them with."""

    installation_id: str
    webhook_url: str
    secret: str


class Stage:
    """A context: everything is started on entering and gone after leaving."""

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:  # what has started ends too when the rest cannot
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="connector-demo-")))
            self.tiktok = stack.enter_context(StandInTikTok(tokens={_TOKEN: {PIXEL_CODE}}))
            self.settings = self._settings()
            self.storage: Storage = stack.enter_context(contextlib.closing(open_storage(self.settings)))
            self.target = self._install()
            self.answers: list[int] = []  # the HTTP statuses of all that was posted
            self._server = self._serve()
            stack.callback(self._end_server)
            self.wait("the server to be ready", lambda: self._get("/readyz") == 200)
            self._started = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._started.close()

    def _serve(self) -> subprocess.Popen[bytes]:
        with (self._folder / _LOG).open("w") as log:
            return subprocess.Popen([sys.executable, "-m", "connector", "serve"], env=self._environment(), stderr=log)

    def _end_server(self) -> None:
        self._server.terminate()
        try:
            self._server.wait(_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()

    def _settings(self) -> Settings:
        return load_settings(
            {
                "data_dir": self._folder,
                "database_url": None,
                "secret_keys": None,
                "public_url": None,
                "host": "127.0.0.1",
                "port": free_port(),
                "tiktok_api_url": self.tiktok.url,
                "delivery_interval": 0.1,
                "retry_base": 0.2,
                "allow_private_addresses": True,
            }
        )

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}
        package = str(Path(__file__).resolve().parents[2])
        return kept | {
            "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")])),
            "CONNECTOR_DATA_DIR": str(self.settings.data_dir),
            "CONNECTOR_PORT": str(self.settings.port),
            "CONNECTOR_TIKTOK_API_URL": self.tiktok.url,
            "CONNECTOR_DELIVERY_INTERVAL": str(self.settings.delivery_interval),
            "CONNECTOR_RETRY_BASE": str(self.settings.retry_base),
        }

    def _install(self) -> Target:
        added = add_installation(
            self.storage,
            NewInstallation(
                platform="woocommerce",
                store_url=samples.STORE_URL,
                pixel_code=PIXEL_CODE,
                access_token=_TOKEN,
                consent_policy=ConsentPolicy.OPT_OUT,
                currency="EUR",
            ),
        )
        assert added.made_secret is not None
        url = f"{self.settings.own_url}/webhooks/woocommerce/{added.record.id}"
        return Target(added.record.id, url, added.made_secret)

    def _get(self, path: str) -> int:
        try:
            return send_now(OutgoingRequest("GET", self.settings.own_url + path), guarded=False).status
        except SendFailed:
            return 0

    def post(self, sample: samples.Sample, secret: str | None = None) -> Reply:
        """Send a sample as the store would, its dates moved to now, signed with the installation's secret."""
        headers, body = samples.signed(sample, secret or self.target.secret)
        reply = send_now(OutgoingRequest("POST", self.target.webhook_url, headers, body), guarded=False)
        self.answers.append(reply.status)
        return reply

    def now_sample(self, name: str) -> samples.Sample:
        """A sample of the library as if it happened this moment."""
        return samples.moved_to(samples.load(name), datetime.now(UTC))

    def events(self) -> list[EventLine]:
        """Every event, oldest first."""
        return list(list_events(self.storage.database, self.target.installation_id))

    def webhooks(self) -> list[WebhookLine]:
        """Every stored webhook, oldest first."""
        return list(list_webhooks(self.storage.database, self.target.installation_id))

    def settled(self) -> bool:
        """Whether nothing waits to be processed or sent."""
        if any(webhook.state == "received" for webhook in self.webhooks()):
            return False
        return not any(event.state == "pending" for event in self.events())  # second: all of them are there by now

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Look until it is so. Raises ConnectorError."""
        end = time.monotonic() + _WAIT_SECONDS
        while not condition():
            if time.monotonic() > end or self._server.poll() is not None:
                log = (self._folder / _LOG).read_text()[-2000:]
                raise ConnectorError(f"waited in vain for {what}\n{log}")
            time.sleep(0.05)
