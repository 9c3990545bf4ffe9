"""Alarms are told once when they begin and once when they are over: by mail, or by a signed, guarded webhook."""

import asyncio
import hmac
import json
import socketserver
import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from connector.core.row_ids import id_at
from connector.errors import UsageError
from connector.operations.alerts import AlertKind, add_rule, all_rules, evaluate_alerts
from connector.operations.rollups import run_rollup_step
from connector.outbound import Outbound
from connector.settings import Settings
from connector.storage.installations import change_installation
from connector.storage.opening import Storage
from connector.storage.tables import EventWork
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
    assert headers["webhook-signature"] == "v1," + b64encode(hmac.digest(b"shared secret", signed, "sha256")).decode()


def test_a_secret_of_the_standard_form_signs_as_its_libraries_check(
    world: World, settings: Settings, receiver
) -> None:
    """Standard Webhooks: `whsec_` and the key in base64, the signature in base64."""
    address, got = receiver
    key = b"0123456789abcdef0123456789abcdef"
    rule(world, target=address, secret=f"whsec_{b64encode(key).decode()}")
    set_access(world, "lost")
    assert look(world, settings) == 1
    headers, body = got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert headers["webhook-signature"] == "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()


def test_every_alarm_has_an_id_of_its_own(world: World, settings: Settings, receiver) -> None:
    address, got = receiver
    world.add_installation("inst2")
    rule(world, target=address)
    with world.storage.database.write() as connection:
        for name in ("inst1", "inst2"):
            change_installation(connection, name, world.storage.now(), access="lost")
    assert look(world, settings) == 2
    set_access(world, "ok")
    assert look(world, settings) == 1
    assert len({headers["webhook-id"] for headers, _ in got}) == 3


def recover(world: World, kind: str, event: int) -> None:
    if kind == "access_lost":
        set_access(world, "ok")
    if kind == "silence":
        world.add_webhook("order.updated", b"{}", id=id_at(int(world.storage.now().timestamp() * 1000)))
    if kind == "backlog_age":
        with world.storage.database.write() as connection:
            connection.execute(EventWork.__table__.delete())
    if kind == "rejection_rate":
        world.add_attempt([event] * 1, event_count=99)


@pytest.mark.parametrize("kind", list(AlertKind))
def test_each_kind_begins_once_and_is_over_once(
    world: World, settings: Settings, receiver, clock: Clock, kind: str
) -> None:
    address, got = receiver
    rule(
        world,
        target=address,
        kind=kind,
        threshold={"silence": 6, "rejection_rate": 5, "backlog_age": 30}.get(kind, 0),
    )
    _, event = world.add_order("1", state="rejected", delivered_at=None)
    assert look(world, settings) == 0
    world.add_work(event, world.storage.now())
    set_access(world, "lost")
    world.add_attempt([event], result="rejected")
    clock.time += timedelta(hours=7 if kind in ("silence", "backlog_age") else 0, minutes=2)
    while run_rollup_step(world.storage):
        pass
    assert [look(world, settings) for _ in range(3)] == [1, 0, 0]
    recover(world, kind, event)
    clock.time += timedelta(minutes=2)
    while run_rollup_step(world.storage):
        pass
    assert [look(world, settings) for _ in range(3)] == [1, 0, 0]
    assert [(json.loads(body)["kind"], json.loads(body)["type"]) for _, body in got] == [
        (kind, "alert.began"), (kind, "alert.over"),
    ]  # fmt: skip


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
    [{"secret": ""}, {"secret": "whsec_no base64"}, {"kind": "weather"}, {"threshold": -1}, {"channel": "pigeon"},
     {"target": "ftp://x"}, {"target": "javascript:x"}, {"target": "https://user:pass@x.example"},
     {"channel": "email", "target": "no mail"}],
)  # fmt: skip
def test_what_cannot_be_a_rule_is_refused(world: World, values: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        rule(world, **values)
