"""How a server stops: what has reached its door is let in and answered, for a store sends each webhook once only."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator

import uvicorn

__all__ = ["PatientServer", "turn_away"]

_HANDSHAKE_SECONDS = 0.2  # for the last packet of those who have begun to connect
_LEAST_HOPS = {  # Linux: what arrives with fewer hops left is dropped; Python has no names for them
    socket.AF_INET: (socket.IPPROTO_IP, 21),  # IP_MINTTL, ip(7)
    socket.AF_INET6: (socket.IPPROTO_IPV6, 73),  # IPV6_MINHOPCOUNT, linux/in6.h
}
_MORE_THAN_ANYBODY_HAS = 255  # senders begin with 64 or 128


class PatientServer(uvicorn.Server):
    """uvicorn closes its sockets with whoever the kernel has connected and nobody has accepted yet."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Turn newcomers away, let in who has begun to connect, stop listening, then go on as uvicorn does."""
        doors = [
            socket.socket(fileno=os.dup(each.fileno())) for server in self.servers for each in server.sockets or ()
        ]
        for server in self.servers:
            server.close()
        for door in doors:
            turn_away(door)
        await self._let_in(doors)
        await asyncio.sleep(_HANDSHAKE_SECONDS)
        await self._let_in(doors)
        for door in doors:
            door.close()
        await super().shutdown(sockets)

    async def _let_in(self, doors: list[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        for door in doors:
            for waiting in _waiting(door):
                await loop.connect_accepted_socket(self._protocol, waiting)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


def turn_away(door: socket.socket) -> None:
    """From now on nobody new connects: their first packets are dropped, they ask again after a second, and by then
    are refused or find the successor. Who has begun to connect can end it. A socket that is merely closed resets
    whoever connected between the last look at it and its end. Only Linux can do this; elsewhere that moment stays.
    """
    if sys.platform == "linux":
        door.setsockopt(*_LEAST_HOPS[door.family], _MORE_THAN_ANYBODY_HAS)


def _waiting(door: socket.socket) -> Iterator[socket.socket]:
    door.setblocking(False)
    while True:
        try:
            waiting, _ = door.accept()
        except OSError:  # nobody is left
            return
        if sys.platform == "linux":
            waiting.setsockopt(*_LEAST_HOPS[door.family], 0)  # it would go by what the door goes by
        waiting.setblocking(False)
        yield waiting
