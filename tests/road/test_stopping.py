"""A receiver that is told to stop, as in every rolling restart: who is connected is still heard and answered."""

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.demo.samples import sign
from tests.road.service import SECRET, Service


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    yield made
    made.close()


def _connected(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=10)


def _webhook(shop: str, number: int) -> bytes:
    body = b'{"id":%d,"status":"pending"}' % number
    return (
        b"POST /webhooks/woocommerce/%b HTTP/1.1\r\nHost: localhost\r\nX-WC-Webhook-Topic: order.updated\r\n"
        b"X-WC-Webhook-Signature: %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
        % (shop.encode(), sign(body, SECRET).encode(), len(body), body)
    )


def _answer(connection: socket.socket) -> bytes:
    """Everything until the end of one answer, or of the connection."""
    received = b""
    while b'"}' not in received and (part := connection.recv(65536)):
        received += part
    return received


def test_who_is_connected_when_a_receiver_stops_is_heard(service: Service) -> None:
    shop = service.add()
    server = service.start()
    talkers = {number: _connected(service) for number in range(1, 9)}
    for number in (1, 2):  # kept alive, as by a proxy
        talkers[number].sendall(_webhook(shop, 100 + number))
        assert _answer(talkers[number]).startswith(b"HTTP/1.1 200")
    talkers[3].sendall(_webhook(shop, 3)[:60])
    time.sleep(0.3)

    server.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    talkers[3].sendall(_webhook(shop, 3)[60:])
    for number in set(talkers) - {3}:
        talkers[number].sendall(_webhook(shop, number))
    answers = {number: _answer(talker) for number, talker in talkers.items()}

    assert {number: answer[:12] for number, answer in answers.items()} == dict.fromkeys(talkers, b"HTTP/1.1 200")
    assert all(b"connection: close" in answer for answer in answers.values())
    assert server.wait(20) == 0
    assert len(service.json("webhooks", "list")) == 10


def test_who_says_nothing_keeps_no_receiver_from_stopping(service: Service) -> None:
    service.add()
    server = service.start()
    silent = [_connected(service) for _ in range(5)]
    silent[0].sendall(b"POST /webhooks/")
    time.sleep(0.2)

    began = time.monotonic()
    server.send_signal(signal.SIGTERM)

    assert server.wait(20) == 0
    assert time.monotonic() - began < 10
    for each in silent:
        each.close()


def test_what_waits_at_the_door_when_a_receiver_stops_is_let_in(service: Service) -> None:
    """Connections that the kernel took and the process has not: it is held still while they come."""
    shop = service.add()
    server = service.start()
    server.send_signal(signal.SIGSTOP)
    talkers = [_connected(service) for _ in range(200)]
    for number, talker in enumerate(talkers, 1):
        talker.sendall(_webhook(shop, number))
    server.send_signal(signal.SIGTERM)
    server.send_signal(signal.SIGCONT)

    assert [_answer(talker)[:12] for talker in talkers] == [b"HTTP/1.1 200"] * len(talkers)
    assert server.wait(20) == 0
