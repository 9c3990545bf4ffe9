"""The bench's processes forked off one that has imported the program: a dozen a row, each a second less."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.bench.processes import Begun
from tests.processes.child import Child, shared_nursery

__all__ = ["begin_forked"]


class _Forked:
    """A child of the zygote with the words of a `subprocess.Popen`."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self.pid = child.pid
        self.stdin: IO[str] | None = None
        self.stdout: IO[str] | None = None

    @property
    def returncode(self) -> int | None:
        return self._child.exit_code

    def poll(self) -> int | None:
        return self._child.poll()

    def wait(self, timeout: float | None = None) -> int:
        try:
            return self._child.wait(60 if timeout is None else timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired("a forked process", timeout or 60) from None

    def send_signal(self, sig: int) -> None:
        self._child.send_signal(sig)

    def kill(self) -> None:
        self._child.kill()


@contextlib.contextmanager
def begin_forked(arguments: Sequence[str], environment: Mapping[str, str], pipes: bool) -> Iterator[Begun]:
    """As `processes.begin`, for `-m MODULE ...` only. What it says on standard error is shown when it fails."""
    _, module, *rest = arguments
    with tempfile.TemporaryDirectory(prefix="connector-bench-") as made, contextlib.ExitStack() as stack:
        log, files = Path(made, "log"), {}
        if pipes:
            files = {name: Path(made, name) for name in ("stdin", "stdout")}
            for path in files.values():
                os.mkfifo(path)
        process = _Forked(shared_nursery().begin(rest, environment, log, module=module, **files))
        if pipes:  # in the child's order: each end waits for the other
            process.stdin = stack.enter_context(files["stdin"].open("w", encoding="utf-8"))
            process.stdout = stack.enter_context(files["stdout"].open(encoding="utf-8"))
        try:
            yield process
        except Exception as error:
            error.add_note(log.read_text(encoding="utf-8")[-3000:])
            raise
        finally:
            process.kill()
