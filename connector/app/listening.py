"""The sockets that a server listens on, opened before anything starts, so that a wrong address is one line."""

import os
import socket
from typing import Any

from connector.errors import ConfigurationError

__all__ = ["BACKLOG", "listening_sockets", "own_port"]

BACKLOG = 4096  # connections that wait for the server to take them


def listening_sockets(host: str, port: int) -> list[socket.socket]:
    """One bound socket for each address of `host` (IPv4, IPv6); port 0 takes a free one.

    Raises ConfigurationError that names the setting: an unknown host, an address of another machine, a taken port.
    """
    opened: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            opened.append(_bound(family, address))
    except OSError as error:
        for each in opened:
            each.close()
        raise ConfigurationError(f"CONNECTOR_PORT: cannot listen on {host}:{port}: {_words(error)}") from None
    return opened


def own_port(opened: list[socket.socket]) -> int:
    """The port of the first socket."""
    port: int = opened[0].getsockname()[1]
    return port


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ConfigurationError(f"CONNECTOR_HOST: {host} is no address of this machine") from None
    # The resolver may name one address twice.
    return list(dict.fromkeys((socket.AddressFamily(family), address) for family, _, _, _, address in found))


def _bound(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
        opened.listen(BACKLOG)  # who calls while the service starts waits, instead of being turned away
    except OSError:
        opened.close()
        raise
    return opened


def _words(error: OSError) -> str:
    return os.strerror(error.errno or 0)
