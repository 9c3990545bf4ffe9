"""Forks processes that run the command line's own `main`, off one process that has imported it already.

Importing costs more than a second, the fleet is killed a thousand times, and the tests run hundreds of commands. What
runs after the fork is what `python -m connector` runs: its own process, sockets and environment, nothing shared with
whoever asked. `tests/cli/test_process.py` and the demo's tests begin without it, as an operator does.

Reads one JSON line per process on standard input (`arguments`, `environment`, the files `log`, `stdin` and `stdout`,
the folder `folder`, the `module` whose `main` is run instead; the last four may be missing), answers with its `pid`,
and tells each end with its `status`, negative for a signal.
"""

import importlib
import json
import os
import pkgutil
import select
import signal
import sys
import traceback
from typing import Any

import alembic.command  # noqa: F401 - what a first command on an empty directory loads besides

import connector.app
import connector.cli
from connector.cli.program import main as connector_main

for _found in pkgutil.iter_modules(connector.cli.__path__, "connector.cli."):  # imported once for all children
    importlib.import_module(_found.name)


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
    written = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for target, path, flags in (
        (0, request.get("stdin", os.devnull), os.O_RDONLY),
        (1, request.get("stdout", os.devnull), written),
        (2, request["log"], written),
    ):
        os.dup2(os.open(path, flags, 0o600), target)
    os.chdir(request.get("folder", "."))
    os.environ.clear()
    os.environ.update(request["environment"])
    module = request.get("module", "connector")
    sys.argv = [module, *request["arguments"]]
    status = 0
    try:
        run = connector_main if module == "connector" else importlib.import_module(module).main
        run()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
