"""A small TCP proxy that spoils connections: slow, cut, silent, garbled, reset. Between any two parts of a test."""

import contextlib
import select
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Self

__all__ = ["TOXINS", "ToxicProxy"]

# What happens to a connection that is made while the proxy is in this mood.
TOXINS = (
    "slow",  # the answer comes a few bytes at a time
    "cut_request",  # half of the request arrives, then the line is dead for both
    "cut_answer",  # the whole request arrives, half of the answer comes back
    "black_hole",  # taken, and never a word: half-open
    "garbage",  # an answer in no language
    "reset",  # the whole request arrives, then the line is reset
)


class ToxicProxy:
    """A context. `mood` is one of TOXINS or "ok", for connections made from now on."""

    def __init__(self, port: int, mood: str = "ok") -> None:
        self._target = ("127.0.0.1", port)
        self.mood = mood
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self.forget()

    def forget(self) -> None:
        """Close every connection: the next call makes a new one, in the mood of then."""
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client, self.mood), daemon=True).start()

    def _serve(self, client: socket.socket, mood: str) -> None:
        with contextlib.suppress(OSError):
            if mood == "black_hole":
                return
            if mood == "garbage":
                client.recv(65536)
                client.sendall(b"\x16\x03\x01 220 ready when you are\r\n\r\n")
                client.close()
                return
            server = socket.create_connection(self._target, timeout=10)
            self._open.append(server)
            self._pass_on(client, server, mood)

    def _pass_on(self, client: socket.socket, server: socket.socket, mood: str) -> None:
        while True:
            for source in select.select([client, server], [], [])[0]:
                data = source.recv(65536)
                if not data:
                    return self._end(client, server)
                if source is client and mood == "cut_request":
                    server.sendall(data[: len(data) // 2])
                    return self._end(client, server)
                if source is server and mood == "reset":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return self._end(client, server)
                if source is server and mood == "cut_answer":
                    client.sendall(data[: len(data) // 2])
                    return self._end(client, server)
                if source is server and mood == "slow":
                    self._trickle(client, data)
                else:
                    (server if source is client else client).sendall(data)

    def _trickle(self, client: socket.socket, data: bytes) -> None:
        for start in range(0, len(data), 20):
            client.sendall(data[start : start + 20])
            time.sleep(0.005)

    def _end(self, *connections: socket.socket) -> None:
        for each in connections:
            each.close()
