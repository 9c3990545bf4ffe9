import socket

import pytest

from connector.app.listening import listening_sockets, own_port
from connector.errors import ConfigurationError


def test_a_free_port_is_taken_and_calls_wait_from_then_on() -> None:
    opened = listening_sockets("127.0.0.1", 0)
    try:
        with socket.create_connection(("127.0.0.1", own_port(opened)), timeout=5) as calling:
            assert calling.getpeername() == opened[0].getsockname()
    finally:
        for each in opened:
            each.close()


def test_a_taken_port_is_named_and_nothing_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f":{port}: Address already in use$"):
            listening_sockets("127.0.0.1", port)


@pytest.mark.parametrize("host", ["no such host", "256.1.1.1.1", "a..b", "x" * 300])
def test_what_is_no_address_is_named(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"CONNECTOR_HOST: "):
        listening_sockets(host, 0)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1"):
        listening_sockets("192.0.2.1", 0)
