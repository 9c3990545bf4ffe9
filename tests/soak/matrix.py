"""The kill matrix: which process dies where and when, one after another, under load."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from connector.failpoints import NAMES
from connector.storage.opening import Storage
from tests.soak.checks import faults, settled, summary
from tests.soak.fleet import Fleet, Process
from tests.soak.load import Load

__all__ = ["RANDOM", "Outcome", "all_places", "run"]

RANDOM = "at a random moment"
_RECEIVING = (
    "after_read",
    "after_verify",
    "before_spool",
    "after_spool",
    "after_insert",
    "after_commit",
    "before_answer",
)
_SPOOLING = ("before_spool", "after_spool")
_PASSES = dict.fromkeys(("after_read", "after_verify", "before_answer"), 60)
_LONGEST_WAIT = 20.0
_TROUBLE_SECONDS = 2.5
_SETTLE_SECONDS = 60.0


@dataclass
class Outcome:
    """What a run was and what it found."""

    kind: str
    kills: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def run(
    kind: str,
    folder: Path,
    places: Sequence[str],
    *,
    seed: int = 1,
    split: bool = False,
    senders: int = 6,
    pause: float = 0.01,
    tell: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Kill once at each of `places` under load; then let everything settle and check."""
    chance, outcome, began = random.Random(seed), Outcome(kind), time.monotonic()
    with Fleet(kind, folder, split=split) as fleet, _moody(fleet, chance):
        load = Load(fleet.receiver_urls(), fleet.installations, senders=senders, pause=pause, seed=seed)
        load.start()
        _Reaper(fleet, list(places), chance, outcome, tell).reap()
        time.sleep(0.5)
        load.stop()
        fleet.tiktok.set_mode("ok")
        _settle(fleet)
        outcome.faults = faults(fleet.storage, fleet.tiktok, load.posted)
        outcome.counts.update(summary(fleet.tiktok, load.posted))
    outcome.seconds = time.monotonic() - began
    return outcome


@dataclass
class _Fate:
    """What awaits a running process."""

    place: str
    started: float
    at: float  # when a random death comes
    trouble_from: float = 0.0  # when the database was taken from it


class _Reaper:
    """Gives every process a fate when it starts and starts it again when it has met it, all at the same time."""

    def __init__(
        self,
        fleet: Fleet,
        places: list[str],
        chance: random.Random,
        outcome: Outcome,
        tell: Callable[[str], None],
    ) -> None:
        self._fleet = fleet
        self._left = places
        self._total = len(places)
        self._chance = chance
        self._outcome = outcome
        self._tell = tell
        self._fates: dict[str, _Fate] = {}

    def reap(self) -> None:
        """Until all places are used up and every process lives again."""
        for process in self._fleet.processes:  # the first death makes room for a plan and counts for nothing
            self._fleet.kill(process)
            self._begin(process)
        while self._fates:
            for process in self._fleet.processes:
                self._look_at(process)
            time.sleep(0.01)
        self._fleet.wait_ready()

    def _begin(self, process: Process) -> None:
        place = self._next_place(process)
        if place is None:
            self._fates.pop(process.name, None)
            self._fleet.start(process)
            return
        now = time.monotonic()
        self._fates[process.name] = _Fate(place, now, now + self._chance.uniform(0.3, 2.0))
        passes = self._chance.randint(1, _PASSES.get(place, 5))
        self._fleet.start(process, "" if place == RANDOM else f"{place}=kill@{passes}")

    def _next_place(self, process: Process) -> str | None:
        """The next that this process comes by."""
        everything = len(self._fleet.processes) == 1
        for place in self._left:
            if everything or place == RANDOM or (place in _RECEIVING) == process.receives:
                self._left.remove(place)
                return place
        return None

    def _look_at(self, process: Process) -> None:
        fate = self._fates.get(process.name)
        if fate is None:
            return
        ready, now = self._fleet.is_ready(process), time.monotonic()
        if process.dead:
            self._met(process, fate.place, self._outcome.kills)
        elif fate.place == RANDOM and now > fate.at and ready:
            self._fleet.kill(process)
            self._met(process, fate.place, self._outcome.kills)
        elif fate.place in _SPOOLING and ready and now - process.ready_at > 0.3:
            self._take_database(process)
        elif ready and now - max(fate.started, process.ready_at) > _LONGEST_WAIT:
            self._fleet.kill(process)
            self._met(process, fate.place, self._outcome.missed)

    def _met(self, process: Process, place: str, counter: "Counter[str]") -> None:
        counter[place] += 1
        done = self._outcome.kills.total() + self._outcome.missed.total()
        if done % 10 == 0:
            self._tell(f"{self._outcome.kind}: {done} of {self._total} kills")
        self._begin(process)

    def _take_database(self, process: Process) -> None:
        end = time.monotonic() + _TROUBLE_SECONDS
        with _database_taken(self._fleet.storage):
            while not process.dead and time.monotonic() < end:
                time.sleep(0.02)


@contextmanager
def _database_taken(storage: Storage) -> Iterator[None]:
    """While inside, no webhook can be committed: the spool is next."""
    with storage.database.write() as connection:
        if not storage.database.is_sqlite:
            connection.execute(text("LOCK TABLE webhook_key IN ACCESS EXCLUSIVE MODE"))
        yield


@contextmanager
def _moody(fleet: Fleet, chance: random.Random) -> Iterator[None]:
    """TikTok is slow, drops connections after it took the events, or is down, for moments at a time."""
    stop = threading.Event()

    def change() -> None:
        while not stop.wait(0.7):
            mode = chance.choice(("ok", "ok", "slow", "close_after_accept", "down"))
            fleet.tiktok.set_mode(mode, seconds=0.1)

    thread = threading.Thread(target=change, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _settle(fleet: Fleet) -> None:
    """Wait until nothing waits any more; the checks tell what still did."""
    end = time.monotonic() + _SETTLE_SECONDS
    spool = fleet.folder / "spool"
    while time.monotonic() < end:
        spooled = any(path.stat().st_size for path in spool.glob("*.spool")) if spool.is_dir() else False
        if not spooled and settled(fleet.storage):
            return
        time.sleep(0.1)


def all_places(kills: int, seed: int) -> list[str]:
    """As many places: half of them random moments, the others every name in turn, shuffled."""
    named = [NAMES[n % len(NAMES)] for n in range(kills // 2)]
    places = named + [RANDOM] * (kills - len(named))
    random.Random(seed).shuffle(places)
    return places
