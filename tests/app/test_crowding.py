import asyncio
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from connector.app.http_protocol import bounded_http
from connector.app.listening import listening_sockets, own_port

_MOST = 40
_WHOLE = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


@pytest.fixture
def port() -> Iterator[int]:
    """A server that has room for forty, and a minute for a request's head."""
    opened = listening_sockets("127.0.0.1", 0)
    config = uvicorn.Config(
        _answer, http=bounded_http(60, _MOST), log_level="critical", lifespan="off", timeout_keep_alive=60
    )
    server = uvicorn.Server(config)
    serving = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=opened)))
    serving.start()
    yield own_port(opened)
    server.should_exit = True
    serving.join()


def test_silent_connections_leave_before_slow_ones_and_those_that_were_answered(port: int) -> None:
    with ExitStack() as held:
        answered = [held.enter_context(_connected(port, _WHOLE)) for _ in range(3)]
        for each in answered:
            assert each.recv(400).startswith(b"HTTP/1.1 200")
        slow = [held.enter_context(_connected(port, b"GET / HTTP/1.1\r\nHost:")) for _ in range(3)]
        silent = [held.enter_context(_connected(port)) for _ in range(300)]
        with _connected(port, _WHOLE) as caller:
            assert caller.recv(400).startswith(b"HTTP/1.1 200")
        assert silent[0].recv(1) == b"", "whoever is silent longest has left"
        for each in slow:
            each.sendall(b" a.test\r\n\r\n")
            assert each.recv(400).startswith(b"HTTP/1.1 200")
        for each in answered:
            each.sendall(_WHOLE)
            assert each.recv(400).startswith(b"HTTP/1.1 200")
        assert not _is_closed(silent[-1])


def test_heads_that_never_end_leave_with_an_answer_and_keep_nobody_out(port: int) -> None:
    with ExitStack() as held:
        slow = [held.enter_context(_connected(port, b"GET / HTTP/1.1\r\nHost:")) for _ in range(200)]
        with _connected(port, _WHOLE) as caller:
            assert caller.recv(400).startswith(b"HTTP/1.1 200")
        assert slow[0].recv(400).startswith(b"HTTP/1.1 408")


def test_a_request_that_is_being_answered_never_makes_room(port: int) -> None:
    with ExitStack() as held:
        busy = [
            held.enter_context(_connected(port, b"GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")) for _ in range(60)
        ]
        for each in busy:
            assert each.recv(400).startswith(b"HTTP/1.1 200")


def test_as_many_files_as_the_system_allows() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    code = (
        "import resource; from connector.app.crowding import connections_to_hold as hold;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, (128, {min(hard, 1000) if hard > 0 else 1000}));"
        "print(hold(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.split() == ["744", "1000"]


def _connected(port: int, words: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(words)
    return connection


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/slow":
        await asyncio.sleep(1.0)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
