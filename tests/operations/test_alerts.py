"""Alarms are told once when they begin and once when they are over: by mail, or by a signed, guarded webhook."""

import asyncio
import hmac
import json
import socketserver
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from connector.errors import UsageError
from connector.operations.alerts import add_rule, all_rules, evaluate_alerts
from connector.outbound import Outbound
from connector.settings import Settings
from connector.storage.installations import change_installation
from connector.storage.opening import Storage
from tests.clock import Clock
from tests.console.world import World


@pytest.fixture
def world(storage: Storage, settings: Settings) -> World:
    made = World(storage, settings)
    made.add_installation()
    return made


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    got: list[tuple[dict[str, str], bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook", got
    server.shutdown()
    server.server_close()


def look(world: World, settings: Settings, *, allow_private: bool = True) -> int:
    async def once() -> int:
        async with Outbound(allow_private=allow_private) as outbound:
            return await evaluate_alerts(world.storage, settings, outbound)

    return asyncio.run(once())


def rule(world: World, **values: object) -> int:
    defaults = {"installation_id": "", "kind": "access_lost", "threshold": 0, "channel": "webhook",
                "target": "https://hooks.example/x", "secret": "shared secret",
                "actor": "admin@staff.example"}  # fmt: skip
    return add_rule(world.storage, **(defaults | values))  # type: ignore[arg-type]


def set_access(world: World, access: str) -> None:
    with world.storage.database.write() as connection:
        change_installation(connection, "inst1", world.storage.now(), access=access)


def test_an_alarm_is_told_when_it_begins_and_when_it_is_over(world: World, settings: Settings, receiver) -> None:
    address, got = receiver
    rule(world, target=address)
    assert look(world, settings) == 0
    set_access(world, "lost")
    assert [look(world, settings), look(world, settings)] == [1, 0]
    set_access(world, "ok")
    assert [look(world, settings), look(world, settings)] == [1, 0]
    assert [json.loads(body)["type"] for _, body in got] == ["alert.began", "alert.over"]
    headers, body = got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert headers["webhook-signature"] == "v1," + hmac.digest(b"shared secret", signed, "sha256").hex()


def test_silence_and_backlog_are_noticed(world: World, settings: Settings, receiver, clock: Clock) -> None:
    address, got = receiver
    rule(world, target=address, kind="silence", threshold=6)
    rule(world, target=address, kind="backlog_age", threshold=30)
    _, event = world.add_order("1", state="pending", delivered_at=None)
    world.add_work(event, world.storage.now())
    assert look(world, settings) == 0
    clock.time += timedelta(hours=7)
    assert look(world, settings) == 2
    assert {json.loads(body)["kind"] for _, body in got} == {"silence", "backlog_age"}


def test_a_private_address_is_refused_by_the_guard_and_told_later(world: World, settings: Settings, receiver) -> None:
    address, got = receiver
    rule(world, target=address)
    set_access(world, "lost")
    assert look(world, settings, allow_private=False) == 0
    assert got == []
    with world.storage.database.read() as connection:
        assert "AddressRefused" in all_rules(connection)[0].last_result
    assert look(world, settings) == 1


class _Mail(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a sender without login asks for."""

    def handle(self) -> None:
        self.wfile.write(b"220 mail\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go\r\n")
                text = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    text += part
                self.server.got.append(text.decode())  # type: ignore[attr-defined]
            if word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 ok\r\n")


def test_a_mail_names_the_store_on_one_line(world: World, settings: Settings) -> None:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mail)
    server.got = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with world.storage.database.write() as connection:
        change_installation(
            connection, "inst1", world.storage.now(), store_name="Shop\r\nBcc: everybody@mail.example"
        )
    rule(world, channel="email", target="ops@mail.example")
    set_access(world, "lost")
    port = int(server.server_address[1])
    assert look(world, settings.model_copy(update={"smtp_host": "127.0.0.1", "smtp_port": port})) == 1
    server.shutdown()
    server.server_close()
    (mail,) = server.got  # type: ignore[attr-defined]
    assert "To: ops@mail.example" in mail
    assert "\nBcc:" not in mail


@pytest.mark.parametrize(
    "values",
    [{"kind": "weather"}, {"threshold": -1}, {"channel": "pigeon"}, {"target": "ftp://x"}, {"target": "javascript:x"},
     {"target": "https://user:pass@x.example"}, {"channel": "email", "target": "no mail"}],
)  # fmt: skip
def test_what_cannot_be_a_rule_is_refused(world: World, values: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        rule(world, **values)
