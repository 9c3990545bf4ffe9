"""One timer for all senders: a timer per request would cost more than checking its signature."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from connector.errors import WebhookRefused

__all__ = ["Deadlines"]

_LOOKS_PER_DEADLINE = 20


class Deadlines:
    """Stops tasks that read for longer than `seconds` (and up to a twentieth more). For one event loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._reading: dict[asyncio.Task[Any], float] = {}  # in the order of their deadlines
        self._overdue: set[asyncio.Task[Any]] = set()
        self._looking = False

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Around the reading of one body. Raises WebhookRefused (408) when the sender was too slow."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._reading[task] = loop.time() + self._seconds
        if not self._looking:
            self._look_later(loop)
        try:
            yield
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            task.uncancel()
            raise WebhookRefused(408, "body_too_slow", "The body did not arrive in time.") from None
        finally:
            del self._reading[task]
            self._overdue.discard(task)

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._looking = True
        loop.call_later(self._seconds / _LOOKS_PER_DEADLINE, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._looking = False
        now = loop.time()
        for task, deadline in self._reading.items():
            if deadline > now:
                break
            if task not in self._overdue:
                self._overdue.add(task)
                task.cancel()
        if self._reading:
            self._look_later(loop)
