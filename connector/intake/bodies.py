"""The body of one request, counted while it is read, and read on when it is refused."""

import asyncio
from collections.abc import Mapping

from starlette.types import Receive

from connector.errors import WebhookRefused

__all__ = ["IncomingBody"]

_DRAIN_BYTES = 64 * 1024 * 1024
_DRAIN_SECONDS = 10.0


class IncomingBody:
    """One body. `ended` says whether all of it was read: asking for more then waits for the sender to hang up."""

    def __init__(self, headers: Mapping[str, str], receive: Receive) -> None:
        self._receive = receive
        self._declared = _declared_length(headers)
        self._waits_for_us = headers.get("expect", "").lower() == "100-continue"
        self.ended = False

    async def read(self, limit: int) -> bytes:
        """All of it. Raises WebhookRefused: 413 over `limit` bytes, 400 when the connection closes before its end."""
        if self._declared > limit:
            raise _too_large(limit)
        parts: list[bytes] = []
        size = 0
        while not self.ended:
            part = await self._next()
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def drain(self) -> None:
        """Read on for a while and forget it: a sender that is still writing would never see the answer."""
        if self.ended or self._waits_for_us:
            return
        left = _DRAIN_BYTES
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while left > 0 and not self.ended:
                    left -= len(await self._next())
        except (TimeoutError, WebhookRefused):
            return

    async def _next(self) -> bytes:
        self._waits_for_us = False  # asking for it sends "100 Continue"
        message = await self._receive()
        if message["type"] != "http.request":
            raise WebhookRefused(400, "body_cut_short", "The connection closed before the body was whole.")
        self.ended = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body


def _declared_length(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _too_large(limit: int) -> WebhookRefused:
    return WebhookRefused(413, "body_too_large", f"The body is over the limit of {limit} bytes.")
