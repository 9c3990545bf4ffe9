"""How a server stops: what has reached its door is let in and answered, for a store sends each webhook once only."""

import asyncio
import os
import socket
from collections.abc import Iterator

import uvicorn

__all__ = ["PatientServer"]


class PatientServer(uvicorn.Server):
    """uvicorn closes its sockets with whoever the kernel has connected and nobody has accepted yet."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let in who waits, then go on as uvicorn does."""
        doors = [
            socket.socket(fileno=os.dup(each.fileno())) for server in self.servers for each in server.sockets or ()
        ]
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for door in doors:
            for waiting in _waiting(door):
                await loop.connect_accepted_socket(self._protocol, waiting)
            door.close()
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


def _waiting(door: socket.socket) -> Iterator[socket.socket]:
    door.setblocking(False)
    while True:
        try:
            waiting, _ = door.accept()
        except OSError:  # nobody is left
            return
        waiting.setblocking(False)
        yield waiting
