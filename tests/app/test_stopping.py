import asyncio
import http.client
import socket
import threading
import time
from collections import Counter

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from connector.app.http_protocol import bounded_http
from connector.app.listening import listening_sockets, own_port
from connector.app.stopping import PatientServer, turn_away

_STOPS = 12
_CALLERS = 6


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_door_that_turns_away_keeps_who_has_connected_and_lets_nobody_new_in(host: str) -> None:
    (door,) = listening_sockets(host, 0)
    address = (host, own_port([door]))
    with door, socket.create_connection(address, timeout=5) as earlier:
        turn_away(door)
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.3)
        inside, _ = door.accept()
        with inside:
            earlier.sendall(b"heard")
            assert inside.recv(5) == b"heard"
        door.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)


def test_who_connected_is_answered_however_the_server_stops() -> None:
    """Without the door that turns away, one of some 20,000 connections in forty such stops was reset."""
    told: Counter[str] = Counter()
    for _ in range(_STOPS):
        _stop_under_load(told)
    assert told["answered"] > _STOPS * _CALLERS
    assert told["reset"] == 0


def _stop_under_load(told: Counter[str]) -> None:
    opened = listening_sockets("127.0.0.1", 0)
    server = PatientServer(uvicorn.Config(_answer, http=bounded_http(15), log_level="critical", lifespan="off"))
    serving = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=opened)))
    serving.start()
    over = threading.Event()
    callers = [threading.Thread(target=_call, args=(own_port(opened), over, told)) for _ in range(_CALLERS)]
    for each in callers:
        each.start()
    time.sleep(0.1)
    server.should_exit = True
    serving.join()
    over.set()
    for each in callers:
        each.join()


def _call(port: int, over: threading.Event, told: Counter[str]) -> None:
    while not over.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.connect()
        except OSError:  # refused, as it must be once nobody listens
            time.sleep(0.01)
            continue
        try:
            connection.request("GET", "/", headers={"Connection": "close"})
            told["answered" if connection.getresponse().status == 200 else "refused"] += 1
        except (OSError, http.client.HTTPException):
            told["reset"] += 1
        finally:
            connection.close()


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
