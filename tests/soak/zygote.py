"""Forks processes that run the command line's own `main`, off one process that has imported it already.

Importing costs more than a second and the fleet is killed a thousand times. What runs after the fork is what
`python -m connector serve` runs: its own process, sockets and environment, nothing shared with whoever asked.

Reads one JSON line per process on standard input (`arguments`, `environment`, `log`), answers with its `pid`, and
tells each end with its `status`, negative for a signal.
"""

import json
import os
import select
import signal
import sys
from typing import Any

import connector.app
import connector.cli.serving  # noqa: F401 - imported once for all children
from connector.cli.program import main as connector_main


def main() -> None:
    """Until standard input ends; then every child is killed."""
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: set[int] = set()
    pending = b""
    while True:
        ready, _, _ = select.select([0, wake], [], [])
        if wake in ready:
            os.read(wake, 100)
            _tell_ends(children)
        if 0 in ready:
            read = os.read(0, 65536)
            if not read:
                break
            *lines, pending = (pending + read).split(b"\n")
            for line in lines:
                children.add(_fork(json.loads(line), (wake, woken)))
    for child in children:
        os.kill(child, signal.SIGKILL)
    os._exit(0)


def _tell(**values: Any) -> None:
    os.write(1, json.dumps(values).encode() + b"\n")


def _tell_ends(children: set[int]) -> None:
    for child in list(children):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            children.discard(pid)
            _tell(ended=pid, status=os.waitstatus_to_exitcode(status))


def _fork(request: dict[str, Any], pipes: tuple[int, int]) -> int:
    pid = os.fork()
    if pid:
        _tell(pid=pid)
        return pid
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for pipe in pipes:
        os.close(pipe)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDWR)
    for source, target in ((nothing, 0), (nothing, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["connector", *request["arguments"]]
    try:
        connector_main()
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    os._exit(0)


if __name__ == "__main__":
    main()
