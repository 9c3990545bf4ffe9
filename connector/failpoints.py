"""Named places along the road where a test may kill the process. In production a place costs one comparison.

A plan is text such as `after_commit=kill@7,before_send=kill`: at the seventh pass of `after_commit`, or at the
first of `before_send`, the process kills itself as `kill -9` would. Nothing is flushed, closed or given back.
"""

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Mapping

__all__ = ["NAMES", "arm", "armed", "die_with", "disarm", "parse", "reach"]

NAMES = (
    "after_read",  # the body is in memory
    "after_verify",  # its signature fits
    "before_spool",  # the database refused, the spool is next
    "after_spool",  # the spool has it, the sender does not know
    "after_insert",  # rows are written, not committed
    "after_commit",  # committed, the sender does not know
    "before_answer",  # the answer is made, not sent
    "after_claim_webhooks",  # processing holds a lease
    "before_group_commit",  # events are written, not committed
    "after_claim",  # delivery holds a lease
    "before_send",  # the call is made up
    "after_send",  # the whole call is on its way, no answer yet
    "after_answer",  # TikTok's answer is read
    "before_result_written",  # what came of it is written, not committed
)
_STEP = re.compile(r"([a-z_]+)=kill(?:@([1-9][0-9]{0,8}))?")

_plan: "_Plan | None" = None
_dies_too: int | None = None


def reach(name: str) -> None:
    """The process is at this place."""
    if _plan is not None:
        _plan.pass_by(name)


def parse(text: str) -> dict[str, int]:
    """A plan as name to number of the pass. Raises ValueError for what is no plan."""
    steps: dict[str, int] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        found = _STEP.fullmatch(part)
        if found is None or found[1] not in NAMES:
            raise ValueError(f"{part} is no place to be killed at, such as after_commit=kill@7")
        steps[found[1]] = int(found[2] or 1)
    return steps


def arm(steps: Mapping[str, int]) -> None:
    """From now on the process dies where these steps say; for tests and development only."""
    global _plan
    _plan = _Plan(steps) if steps else None


def armed() -> bool:
    """Whether any place is dangerous."""
    return _plan is not None


def disarm() -> None:
    """From now on every place is harmless."""
    arm({})


def die_with(process: int) -> None:
    """This process is a part of that one: a death here is the death of both."""
    global _dies_too
    _dies_too = process


class _Plan:
    """Counts the passes of all threads together."""

    def __init__(self, steps: Mapping[str, int]) -> None:
        self._steps = dict(steps)
        self._passes: Counter[str] = Counter()
        self._lock = threading.Lock()

    def pass_by(self, name: str) -> None:
        """Dies here when it is time."""
        at = self._steps.get(name)
        if at is None:
            return
        with self._lock:
            self._passes[name] += 1
            if self._passes[name] == at:
                if _dies_too is not None:
                    os.kill(_dies_too, signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)
