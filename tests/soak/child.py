"""Processes of the fleet, begun by the zygote and seen from outside."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["Child", "Nursery"]

_ROOT = Path(__file__).resolve().parents[2]


class Child:
    """One running process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended = threading.Event()
        self.exit_code: int | None = None

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
            [sys.executable, "-m", "tests.soak.zygote"],
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

    def begin(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
        """Start `connector` with these arguments; standard error goes to `log`."""
        assert self._zygote.stdin is not None
        request = {"arguments": list(arguments), "environment": dict(environment), "log": str(log)}
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
