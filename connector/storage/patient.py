"""A connection to PostgreSQL that gives up by itself, for whoever must go on when the server stands still.

A server that is frozen (its machine's memory, its disk, a debugger) keeps its sockets open and says nothing: neither
its own time-outs nor the network's ever end such a wait. So these connections are made apart from the pool, whose
connections may wait as long as they like, and each step is timed here.
"""

import math
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

from connector.storage.engine import POSTGRES_OPTIONS, Database

__all__ = ["PatientConnection", "connect_patiently"]

_Value = TypeVar("_Value")
_SHORTEST_CONNECT = 2  # seconds; the driver takes no less
_STEPS = 3.0  # patiences for one step: the server's own time-outs, at two, come first


class PatientConnection(psycopg.Connection[Any]):
    """Every wait for the server ends after `longest` seconds with an error; the connection is of no use then."""

    longest = 30.0

    def wait(self, gen: Generator[Any, Any, _Value], interval: float = 0.1, timeout: float | None = None) -> _Value:
        """Wait for one step of the conversation."""
        return super().wait(gen, interval, self.longest if timeout is None else timeout)


def connect_patiently(database: Database, patience_seconds: float) -> PatientConnection:
    """A new connection whose locks and steps are waited for so long, a few times over. Raises what psycopg raises."""
    _, arguments = database.engine.dialect.create_connect_args(database.engine.url)
    connection = PatientConnection.connect(
        **{"options": POSTGRES_OPTIONS, **arguments},
        connect_timeout=max(math.ceil(patience_seconds), _SHORTEST_CONNECT),
        autocommit=True,
    )
    connection.longest = patience_seconds * _STEPS
    milliseconds = int(patience_seconds * 1000)
    connection.execute(f"SET lock_timeout = {milliseconds}")
    connection.execute(f"SET statement_timeout = {milliseconds * 2}")
    return connection
