"""How a server stops: what has reached its door is let in and answered, for a store sends each webhook once only."""

import asyncio
import contextlib
import ctypes
import os
import socket
import struct
import sys
from collections.abc import Iterator

import uvicorn

__all__ = ["PatientServer", "turn_away"]

_HANDSHAKE_SECONDS = 0.2  # for the last packet of those who have begun to connect
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python has no name for it
# A classic BPF program over a TCP segment: of those that ask for a new connection (SYN in the flags, byte 13) nothing
# is kept, all others pass.
_NO_NEWCOMERS = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))


class PatientServer(uvicorn.Server):
    """uvicorn closes its sockets with whoever the kernel has connected and nobody has accepted yet."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Turn newcomers away, let in who has begun to connect, stop listening, then go on as uvicorn does."""
        doors = [
            socket.socket(fileno=os.dup(each.fileno())) for server in self.servers for each in server.sockets or ()
        ]
        for door in doors:
            turn_away(door)
        for server in self.servers:
            server.close()
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
    """From now on nobody new connects; who asked is silent for a second, asks again, and by then is refused or finds
    the successor. A socket that is merely closed resets whoever connected between the last look at it and its end.

    Only Linux can do this; elsewhere that moment stays.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in _NO_NEWCOMERS))
    filtered = struct.pack("HL", len(_NO_NEWCOMERS), ctypes.addressof(program))
    with contextlib.suppress(OSError):
        door.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filtered)


def _waiting(door: socket.socket) -> Iterator[socket.socket]:
    door.setblocking(False)
    while True:
        try:
            waiting, _ = door.accept()
        except OSError:  # nobody is left
            return
        waiting.setblocking(False)
        yield waiting
