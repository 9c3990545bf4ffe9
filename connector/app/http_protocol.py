"""uvicorn's HTTP/1.1 protocol with bounds for the head of a request, and refusals as one line of JSON.

uvicorn bounds neither the bytes of a head nor the time in which it must come, and never closes a connection on
which nothing was ever said.
"""

import asyncio
import re
import weakref
from typing import Any, ClassVar

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from connector.app.crowding import make_room

__all__ = ["MAX_HEAD_BYTES", "bounded_http"]

MAX_HEAD_BYTES = 64 * 1024
_LOOKS_PER_TIMEOUT = 10
_LONGEST_PAUSE = 1.0
_LAST_WORDS_SECONDS = 2.0  # from a stop on: for those who have connected, or were kept alive, and said nothing yet
_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
_TOO_LARGE = (431, "head_too_large", f"The head of the request is over {MAX_HEAD_BYTES} bytes.")
_TOO_SLOW = (408, "head_too_slow", "The head of the request did not arrive in time.")
_CUT_SHORT = (400, "body_cut_short", "The sender closed its side before the body was whole.")
_MALFORMED = (400, "not_http", "This is no HTTP request.")


class _HeadTooLarge(Exception):
    """Ends the parsing of a head."""


class BoundedHttp(HttpToolsProtocol):
    """One connection. One timer looks after all connections of a server: a timer for each would cost a webhook more
    than the check of its signature.
    """

    head_seconds: ClassVar[float] = 15.0
    most: ClassVar[int] = 65_000
    _making_room: ClassVar[bool] = False
    _watched: ClassVar["weakref.WeakKeyDictionary[Any, bool]"] = weakref.WeakKeyDictionary()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A head is awaited from now on."""
        super().connection_made(transport)
        self._head_since: float | None = self.loop.time()
        self._in_head = False
        self._head_bytes = 0
        self._fed_in_head = 0
        self._refusal = _MALFORMED
        self._stopping = False
        if not self._watched.get(self.server_state):
            self._watched[self.server_state] = True
            self._look_later()
        if len(self.connections) > self.most and not type(self)._making_room:
            type(self)._making_room = True
            self.loop.call_soon(self._make_room)

    def _make_room(self) -> None:
        type(self)._making_room = False
        staying = [each for each in self.connections if not each.transport.is_closing()]
        make_room(staying, self.most, self.loop.time())  # type: ignore[arg-type]

    @property
    def patience(self) -> tuple[int, float] | None:
        """First who has said nothing, then who is slow with a request's head, then who is kept alive after one."""
        if self.cycle is not None and not self.cycle.response_complete:
            return None
        since = self._head_since
        return (2, 0.0) if since is None else (int(self._in_head), since)

    def give_up_waiting(self) -> None:
        """Close, with an answer if any of a request has come."""
        if self._in_head:
            self._refuse(_TOO_SLOW)
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; a head that goes on and on ends here, wherever its line breaks are."""
        if self._head_since is None and (self.cycle is None or self.cycle.response_complete):
            self._head_since = self.loop.time()
        super().data_received(self._without_upgrade(data))
        if self._in_head:
            self._fed_in_head += len(data)
            if self._fed_in_head > 2 * MAX_HEAD_BYTES and not self.transport.is_closing():
                self._refuse(_TOO_LARGE)

    def _without_upgrade(self, data: bytes) -> bytes:
        """The parser takes no body from a client that offers to change the protocol, which clients may do with any
        request; we may ignore the offer (RFC 9110, 7.8), so it never sees it.
        """
        if b"pgrade" not in data or (self.cycle is not None and self.cycle.more_body):
            return data
        head, end, rest = data.partition(b"\r\n\r\n")
        return _UPGRADE.sub(b"\r\nx-offer:", head) + end + rest

    def on_message_begin(self) -> None:
        """The first byte of a request's head was seen."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = self._fed_in_head = 0

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refusal = _TOO_LARGE
            raise _HeadTooLarge

    def on_headers_complete(self) -> None:
        """The head is whole; its body has a time of its own."""
        self._in_head, self._head_since = False, None
        super().on_headers_complete()
        if self._stopping:
            self.cycle.keep_alive = False

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A sender may close its side when it has said everything; it still wants to hear the answer."""
        if self.cycle is None or self.cycle.response_complete:
            if self._in_head:
                self._refuse(_MALFORMED)
            return None
        if self.cycle.more_body:
            if not self.cycle.response_started:
                self._reject(_CUT_SHORT)
            return None
        self.cycle.keep_alive = False
        return True

    def send_400_response(self, msg: str) -> None:
        """The parser gave up; whose fault it is was noted before."""
        self._refuse(self._refusal)

    def _refuse(self, refusal: tuple[int, str, str]) -> None:
        """Answer and close, unless the answer to a whole request is still being made: that one comes first."""
        if self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body:
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        self._reject(refusal)

    def _reject(self, refusal: tuple[int, str, str]) -> None:
        status, word, text = refusal
        body = orjson.dumps({"error": word, "reason": text})
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()

    def shutdown(self) -> None:
        """The server stops. A store or a proxy may have connected to say something, or be saying it this moment, and
        sends it once only: one more request is heard on each connection, and answered with `Connection: close`.
        """
        self._stopping = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_LAST_WORDS_SECONDS, self._end_waiting)
        else:
            self.cycle.keep_alive = False

    def _end_waiting(self) -> None:
        if self._in_head or self.cycle is None or self.cycle.response_complete:
            self.give_up_waiting()

    def close_if_overdue(self, now: float) -> None:
        """When the head takes too long: with an answer if anything of it came, else without a word."""
        if self._head_since is None or now - self._head_since <= self.head_seconds or self.transport.is_closing():
            return
        self.give_up_waiting()

    def _look_later(self) -> None:
        pause = min(self.head_seconds / _LOOKS_PER_TIMEOUT, _LONGEST_PAUSE)
        self.loop.call_later(pause, _look, self.server_state, self.loop, type(self))


def _look(server_state: Any, loop: asyncio.AbstractEventLoop, kind: type[BoundedHttp]) -> None:
    """Close every connection whose head is overdue, make room; look again while there are connections."""
    waiting = list(server_state.connections)
    for each in waiting:
        each.close_if_overdue(loop.time())
    if waiting:
        waiting[0]._make_room()
        waiting[0]._look_later()
    else:
        kind._watched[server_state] = False


def bounded_http(head_seconds: float, most: int = BoundedHttp.most) -> type[BoundedHttp]:
    """The protocol class with this many seconds for a head, and with room for `most` connections."""
    return type("BoundedHttp", (BoundedHttp,), {"head_seconds": head_seconds, "most": most})
