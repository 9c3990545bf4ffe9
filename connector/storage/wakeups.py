"""Tells other processes at once that there is work, on PostgreSQL by NOTIFY; elsewhere, and behind it, they poll.

A notification is sent after the commit, over a connection of its own: inside a transaction it would make all
commits of the database queue for one lock. One that gets lost costs a poll's interval, nothing else.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from psycopg import sql

from connector.logs import log
from connector.storage.engine import Database

__all__ = ["EVENTS", "WEBHOOKS", "Wakeups"]

WEBHOOKS = "connector_webhooks"  # some were stored
EVENTS = "connector_events"  # some were made of them
_AGAIN_SECONDS = 1.0


class Wakeups:
    """Two threads of one process: one tells, one listens. On SQLite nothing is started.

    `heard` gives for each channel what to call when any process told of it, this one included.
    """

    def __init__(self, database: Database, heard: Mapping[str, Callable[[], None]]) -> None:
        self._database = database
        self._heard = dict(heard)
        self._stop = threading.Event()
        self._something = threading.Event()
        self._untold: set[str] = set()
        self._threads = [threading.Thread(target=self._keep_telling, name="wakeups-tell", daemon=True)]
        if self._heard:
            self._threads.append(threading.Thread(target=self._keep_listening, name="wakeups-listen", daemon=True))

    def start(self) -> None:
        """Begin."""
        if not self._database.is_sqlite:
            for thread in self._threads:
                thread.start()

    def stop(self) -> None:
        """Tell what is untold, then stop."""
        self._stop.set()
        self._something.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def tell(self, channel: str) -> None:
        """There is work: call it after a commit, from any thread. Costs nothing; told once per many calls."""
        self._untold.add(channel)
        self._something.set()

    def _keep_telling(self) -> None:
        self._with_connection(self._tell_all)

    def _tell_all(self, connection: Any) -> None:
        while True:
            self._something.wait()
            self._something.clear()
            while self._untold:
                channel = self._untold.pop()
                connection.execute(sql.SQL("NOTIFY {}").format(sql.Identifier(channel)))
            if self._stop.is_set():
                return

    def _keep_listening(self) -> None:
        self._with_connection(self._listen)

    def _listen(self, connection: Any) -> None:
        for channel in self._heard:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        for wake in self._heard.values():  # what was told while nobody listened
            wake()
        while not self._stop.is_set():
            for notification in connection.notifies(timeout=_AGAIN_SECONDS):
                self._heard[notification.channel]()
                if self._stop.is_set():
                    return

    def _with_connection(self, work: Callable[[Any], None]) -> None:
        """Do this over a connection of its own, over a new one when it breaks."""
        while not self._stop.is_set():
            connection = None
            try:
                connection = self._connected()
                work(connection)
            except Exception as error:
                log.warning("wakeups_interrupted", error=type(error).__name__)
                self._stop.wait(_AGAIN_SECONDS)
            finally:
                if connection is not None:
                    connection.close()

    def _connected(self) -> Any:
        holder = self._database.engine.raw_connection()
        connection: Any = holder.driver_connection
        holder.detach()
        connection.autocommit = True
        return connection
