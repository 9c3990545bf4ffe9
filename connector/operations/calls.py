"""Outbound calls for code that waits: one event loop in a thread of its own, with one client for all calls."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from connector.core.http_values import OutgoingRequest, Reply
from connector.outbound import Outbound

__all__ = ["LoopCalls"]

_Value = TypeVar("_Value")
# A page of a hundred big orders; the guard of `Outbound` itself is for answers of unknown senders.
MAX_ANSWER_BYTES = 32 * 1024 * 1024


class LoopCalls:
    """Makes calls from any thread, connections kept alive. `make_outbound` runs on the loop, once."""

    def __init__(self, make_outbound: Callable[[], Outbound]) -> None:
        self._make_outbound = make_outbound
        self._outbound: Outbound | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="calls", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def __call__(
        self,
        request: OutgoingRequest,
        *,
        timeout_seconds: float,
        guarded: bool,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> Reply:
        """Make one call and wait for it. Raises SendFailed and AddressRefused."""
        return self.run(lambda: self._send(request, timeout_seconds, guarded, max_answer_bytes))

    def client(self) -> Outbound:
        """The client of all calls; only work on the loop may use it (`run`)."""
        return self.run(self._client)

    def run(self, work: Callable[[], Coroutine[Any, Any, _Value]]) -> _Value:
        """Run something on the loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result()

    async def _client(self) -> Outbound:
        self._outbound = self._outbound or self._make_outbound()
        return self._outbound

    async def _send(
        self, request: OutgoingRequest, timeout_seconds: float, guarded: bool, max_answer_bytes: int
    ) -> Reply:
        return await (await self._client()).send(
            request, timeout_seconds=timeout_seconds, guarded=guarded, max_answer_bytes=max_answer_bytes
        )

    def stop(self) -> None:
        """Close every connection and stop. No call may be on its way."""
        if self._outbound is not None:
            self.run(self._outbound.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> "LoopCalls":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
