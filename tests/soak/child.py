"""What a process of the fleet is: the command line's own `main`, in a process forked off one that has imported it.

Importing costs more than a second and the fleet is killed a thousand times. What runs afterwards is the same as
`python -m connector serve`: its own process, its own sockets, its own environment, nothing shared with the runner.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import connector.app
import connector.cli.program
import connector.cli.serving

__all__ = ["begin"]

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["__main__", __name__])


def begin(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> BaseProcess:
    """Start `connector` with these arguments; standard error goes to `log`."""
    process = _forks.Process(target=_become, args=(list(arguments), dict(environment), str(log)), daemon=True)
    process.start()
    return process


def _become(arguments: list[str], environment: dict[str, str], log: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, sys.stderr.fileno())
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["connector", *arguments]
    connector.cli.program.main()
