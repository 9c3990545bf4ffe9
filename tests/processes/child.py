"""Processes of the program, begun by the zygote and seen from outside."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Child", "Finished", "Nursery", "shared_nursery"]

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str


class Child:
    """One running process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended = threading.Event()
        self.exit_code: int | None = None

    def poll(self) -> int | None:
        """Its exit code once it has ended, negative for a signal."""
        return self.exit_code

    def wait(self, seconds: float) -> int:
        """The exit code. Raises TimeoutError."""
        if not self.ended.wait(seconds) or self.exit_code is None:
            raise TimeoutError("a process did not end in time")
        return self.exit_code

    def send_signal(self, number: int) -> None:
        """Unless it has ended."""
        if not self.ended.is_set():
            os.kill(self.pid, number)

    def ask_to_stop(self) -> None:
        """As a service manager does it; returns when it is gone. Raises TimeoutError after a minute."""
        os.kill(self.pid, signal.SIGTERM)
        if not self.ended.wait(60):
            raise TimeoutError("a process did not stop when it was told to")

    def kill(self) -> None:
        """At once and without a word; returns when it is gone."""
        if not self.ended.is_set():
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            self.ended.wait(10)


class Nursery:
    """A context: the zygote's process and its children. `root` is the checkout whose code they run."""

    def __init__(self, root: Path = _ROOT) -> None:
        self._root = root

    def __enter__(self) -> "Nursery":
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", self._module()],
            cwd=self._root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(self._root)},
        )
        self._children: dict[int, Child] = {}
        self._born: queue.Queue[Child] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._zygote.stdin is not None
        self._zygote.stdin.close()
        try:
            self._zygote.wait(20)
        except subprocess.TimeoutExpired:  # a busy machine; its children are gone by now
            self._zygote.kill()
            self._zygote.wait()

    def _module(self) -> str:
        """Version 0.1.0 has its zygote among the soak tests."""
        here = (self._root / "tests" / "processes" / "zygote.py").is_file()
        return "tests.processes.zygote" if here else "tests.soak.zygote"

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, stdin: str = ""
    ) -> Finished:
        """Run a command in `folder` to its end. Raises TimeoutError after a minute."""
        with tempfile.TemporaryDirectory(prefix="connector-command-") as made:
            given, told, complained = (Path(made, name) for name in ("in", "out", "err"))
            given.write_text(stdin)
            child = self.begin(arguments, environment, complained, stdin=given, stdout=told, folder=folder)
            code = child.wait(60)
            return Finished(code, told.read_text(), complained.read_text())

    def begin(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: Path, module: str = "connector",
        **files: Path,
    ) -> Child:  # fmt: skip
        """Start `connector`, or another `python -m MODULE`, with these arguments; standard error goes to `log`.
        `files`: see the zygote.
        """
        assert self._zygote.stdin is not None
        request: dict[str, object] = {"arguments": list(arguments), "environment": dict(environment), "log": str(log)}
        request |= {"module": module} if module != "connector" else {}
        request |= {name: str(path) for name, path in files.items()}
        self._zygote.stdin.write(json.dumps(request).encode() + b"\n")
        self._zygote.stdin.flush()
        return self._born.get(timeout=60)

    def _listen(self) -> None:
        assert self._zygote.stdout is not None
        for line in self._zygote.stdout:
            told = json.loads(line)
            if "pid" in told:
                child = self._children[told["pid"]] = Child(told["pid"])
                self._born.put(child)
            else:
                child = self._children.pop(told["ended"])
                child.exit_code = told["status"]
                child.ended.set()


@cache
def shared_nursery() -> Nursery:
    """One for all tests of this process; its zygote ends when this process does, for it reads from it."""
    return Nursery().__enter__()
