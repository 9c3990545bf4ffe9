"""Processing in a process of its own beside a worker's delivery.

One interpreter runs one thread at a time, so a worker that maps and sends in the same one uses one core however many
there are. The child is forked before anything else is begun: it shares the memory of what was imported, and no
thread, connection or signal handler is copied. It ends with the worker, however that ends; and when it ends by itself
the worker goes on processing in a thread of its own.
"""

import gc
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from connector import failpoints
from connector.app.workers import ProcessingThread, processing_thread
from connector.logs import log
from connector.settings import Settings
from connector.storage.opening import open_storage
from connector.storage.wakeups import EVENTS, WEBHOOKS, Wakeups
from connector.tracing import open_traces

__all__ = ["ForkedProcessing", "fork_processing"]

_BEGIN, _STOP, _EVENTS_MADE = b"b", b"s", b"e"
_STOP_SECONDS = 20.0


def fork_processing(settings: Settings) -> "ForkedProcessing | None":
    """Make the child. None where a process cannot or must not be forked: then a thread does its work."""
    if not hasattr(os, "fork") or threading.active_count() > 1:
        return None
    heard, said = os.pipe()
    listened, told = os.pipe()
    gc.collect()
    gc.freeze()  # the collector would touch, and so copy, every page that the two could share
    child = os.fork()
    if not child:
        os.close(said)
        os.close(listened)
        _live(settings, heard, told)
    os.close(heard)
    os.close(told)
    return ForkedProcessing(child, said, listened)


class ForkedProcessing:
    """The worker's side of it. Of its methods only `stop` waits, for the group in hand."""

    def __init__(self, child: int, said: int, listened: int) -> None:
        self.child = child
        self._said = said
        self._listened = listened
        self._stopping = False
        self._events_made: Callable[[], None] = lambda: None
        self._instead: Callable[[], ProcessingThread] | None = None
        self._thread: ProcessingThread | None = None
        self._listener = threading.Thread(target=self._listen, name="processing-child", daemon=True)

    def begin(self, events_made: Callable[[], None], instead: Callable[[], ProcessingThread]) -> None:
        """Say what to do when events were made, and how to go on when the child has ended by itself."""
        self._events_made, self._instead = events_made, instead

    def start(self) -> None:
        """Let the child open the database and work."""
        self._say(_BEGIN)
        self._listener.start()

    def wake(self) -> None:
        """Webhooks were stored: news for the thread only, the child hears it from the database itself."""
        if self._thread is not None:
            self._thread.wake()

    def stop(self) -> None:
        """Let it finish the group in hand, then stop."""
        self._stopping = True
        self._say(_STOP)
        self._listener.join(_STOP_SECONDS)
        if self._listener.is_alive():
            os.kill(self.child, signal.SIGKILL)
            self._listener.join()
        if self._thread is not None:
            self._thread.stop()

    def _say(self, word: bytes) -> None:
        with suppress(OSError):  # it is gone, which the listener notices
            os.write(self._said, word)

    def _listen(self) -> None:
        while os.read(self._listened, 4096):
            self._events_made()
        status = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        if not self._stopping and self._instead is not None:
            log.warning("processing_child_ended", status=status, instead="a thread of this process")
            self._thread = self._instead()
            self._thread.start()


def _live(settings: Settings, heard: int, told: int) -> NoReturn:
    """What the child does, from its first moment to its last."""
    status = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM):  # meant for the worker, which tells us
            signal.signal(number, signal.SIG_IGN)
        os.set_blocking(told, False)
        failpoints.die_with(os.getppid())
        if os.read(heard, 1) == _BEGIN:
            status = _work(settings, heard, told)
    except BaseException as error:
        log.error("processing_child_failed", error=type(error).__name__, exc_info=error)
    os._exit(status)


def _work(settings: Settings, heard: int, told: int) -> int:
    storage = open_storage(settings)
    traces = open_traces(settings.traces_url, settings.traces_ratio)

    def events_made() -> None:
        wakeups.tell(EVENTS)
        with suppress(OSError):  # so much is unread that the worker is about to look anyway; or it is gone
            os.write(told, _EVENTS_MADE)

    processing = processing_thread(settings, storage, events_made, traces)
    wakeups = Wakeups(storage.database, {WEBHOOKS: processing.wake})
    processing.start()
    wakeups.start()
    if os.read(heard, 1) != _STOP:
        return 1  # the worker was killed: so are we, and the leases run out
    wakeups.stop()
    processing.stop()
    if traces is not None:
        traces.close()
    storage.close()
    return 0
