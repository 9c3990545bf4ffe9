"""How the bench begins its processes: each a Python of its own, as an operator would start it.

The smoke test has them forked instead (`forked.py`): of its figures nobody reads one.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, Protocol

__all__ = ["Begun", "begin"]


class Begun(Protocol):
    """What the bench needs of a process. `wait` raises subprocess.TimeoutExpired."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    @property
    def stdin(self) -> IO[str] | None: ...
    @property
    def stdout(self) -> IO[str] | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...


def begin(arguments: Sequence[str], environment: Mapping[str, str], pipes: bool) -> AbstractContextManager[Begun]:
    """Run `python ARGUMENTS`, with `pipes` to its standard input and from its output. Waits at the end."""
    pipe = subprocess.PIPE if pipes else None
    return subprocess.Popen([sys.executable, *arguments], env=environment, stdin=pipe, stdout=pipe, text=True)
