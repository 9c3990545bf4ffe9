"""The stand-in TikTok for the bench: told over standard input, so that asking costs next to nothing.

`count` prints how many events were received and accepted and when the last was; `times` when each was accepted.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from connector.demo.tiktok_stand_in import StandInTikTok
from tests.bench.places import Place, Program, program
from tests.bench.processes import Begun
from tests.bench.workload import PIXEL_CODE
from tests.installations import TOKEN

__all__ = ["Counted", "StandIn", "stand_in"]


@dataclass(frozen=True, slots=True)
class Counted:
    """Events with copies, events without, Unix time of the last new one."""

    received: int
    accepted: int
    last_at: float


class StandIn:
    """A running stand-in TikTok."""

    def __init__(self, running: Program, url: str) -> None:
        self.running = running
        self.url = url

    def counted(self) -> Counted:
        """What it has by now."""
        return Counted(**_asked(self.running.process, "count"))

    def times(self) -> dict[str, float]:
        """Unix time of each event's acceptance, by event id."""
        return _asked(self.running.process, "times")


def _asked(process: Begun, word: str) -> dict[str, float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    found: dict[str, float] = json.loads(process.stdout.readline())
    return found


@contextmanager
def stand_in(place: Place) -> Iterator[StandIn]:
    """A stand-in in a process of its own."""
    with program(["-m", "tests.bench.stand_in"], place.environment(), listens=False, pipes=True) as running:
        assert running.process.stdout is not None
        yield StandIn(running, running.process.stdout.readline().strip())


def main() -> None:
    """Serve until standard input ends."""
    with StandInTikTok(tokens={TOKEN: {PIXEL_CODE}}, slim=True) as tiktok:
        print(tiktok.url, flush=True)
        for line in sys.stdin:
            accepted = tiktok.accepted
            if line.strip() == "times":
                print(json.dumps({one.event["event_id"]: one.first_at for one in accepted}), flush=True)
                continue
            last_at = accepted[-1].first_at if accepted else 0.0
            said = {"received": tiktok.received_count, "accepted": len(accepted), "last_at": last_at}
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
