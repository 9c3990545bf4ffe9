"""The web server on a real socket, in a thread of the test, and a sender that can be as rude as it likes."""

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import uvicorn
from sqlalchemy import select

from connector.app.server import create_app, server_config
from connector.demo.samples import load, sign
from connector.intake.processing import stored_body
from connector.settings import Settings
from connector.storage.opening import Storage
from connector.storage.tables import Webhook
from tests.installations import SECRET, add_installation

__all__ = ["LIMIT", "ORDER", "Answer", "Served", "read_answer", "request", "said", "wait_until"]

LIMIT = 100_000  # bytes of a body, for the intake that is served here
ORDER = load("order_created_classic_guest").body

_webhook = Webhook.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Answer:
    """Status 0: the connection was closed without an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Served:
    """A context. `port` is where it listens, `storage` what it writes to."""

    def __init__(self, settings: Settings, storage: Storage, *, delivery: bool = False) -> None:
        self.storage = storage
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.app = create_app(settings, storage, delivery=delivery)
        self._server = uvicorn.Server(server_config(settings, self.app, host="127.0.0.1", port=self.port))
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), daemon=True)

    def __enter__(self) -> "Served":
        add_installation(self.storage)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()

    @property
    def service(self) -> Any:
        """The running parts."""
        return self.app.pages.state.service

    def connect(self) -> socket.socket:
        """A connection of one sender."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def talk(self, *parts: bytes) -> Answer:
        """Send these bytes over a new connection and read one answer."""
        with self.connect() as connection:
            for part in parts:
                connection.sendall(part)
            return read_answer(connection)

    def post(self, body: bytes, *, path: str = "/webhooks/woocommerce/installation1", **headers: str) -> Answer:
        """A request with the headers that are given (`_` for `-`), of the right length."""
        return self.talk(request(body, path=path, **headers))

    def signed(self, body: bytes, *, secret: str = SECRET, topic: str = "order.created", **more: Any) -> Answer:
        """What a store sends."""
        headers = {"X_WC_Webhook_Topic": topic, "X_WC_Webhook_Signature": sign(body, secret), **more}
        return self.post(body, **headers)

    def bodies(self) -> list[bytes]:
        """Every stored body, in order."""
        with self.storage.database.read() as connection:
            rows = connection.execute(select(_webhook.c.body, _webhook.c.body_encoding).order_by(_webhook.c.id))
            return [stored_body(bytes(row.body), row.body_encoding) for row in rows]

    def rows(self) -> list[Any]:
        """Every stored webhook."""
        with self.storage.database.read() as connection:
            return list(connection.execute(select(_webhook).order_by(_webhook.c.id)).all())


def request(
    body: bytes, *, path: str = "/webhooks/woocommerce/installation1", method: str = "POST", **headers: str
) -> bytes:
    """A whole request of the right length."""
    given = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(body))}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def read_answer(connection: socket.socket) -> Answer:
    """The next final answer of a connection; status 0 when it closes first."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = _received(connection)
        if not more:
            return Answer(0, {}, data)
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ")[1])
    if status == 100:
        return read_answer(connection)
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    while len(body) < int(headers.get("content-length", 0)):
        more = _received(connection)
        if not more:
            break
        body += more
    return Answer(status, headers, body)


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


def said(answer: Answer) -> tuple[int, str]:
    """Status and the one word of the body."""
    told = json.loads(answer.body)
    assert set(told) in ({"status"}, {"error", "reason"})
    assert "\n" not in told.get("reason", "")
    return answer.status, told.get("status") or told["error"]


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
