"""How much each row measures: in full, quickly, and so little that it only shows that the bench works."""

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "SMOKE", "Sizes"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """One size of everything. Times in seconds; `history` and `backlog` are rows that stand there before; a flood is
    `ahead_seconds` old, and at its height, when the purchases begin.
    """

    seconds: float = 4.0
    repeats: int = 3
    connections: int = 64
    mapped: int = 20_000
    road: int = 30_000
    backlog: int = 1_000_000
    draining_seconds: float = 30.0
    claims: int = 200
    scattered: int = 2_000
    latency_rate: int = 50
    latency_seconds: float = 20.0
    ahead_seconds: float = 1.0
    little_history: int = 10_000
    history: int = 10_000_000
    flat: int = 5_000
    queries: int = 40
    databases: tuple[str, ...] = ("sqlite", "postgresql")


FULL = Sizes()
QUICK = Sizes(
    seconds=2.0, repeats=1, mapped=5_000, road=6_000, backlog=100_000, draining_seconds=8.0, claims=50,
    scattered=500, latency_seconds=6.0, history=200_000, flat=2_000, queries=15,
)  # fmt: skip
SMOKE = Sizes(
    seconds=0.2, repeats=1, connections=4, mapped=50, road=60, backlog=400, draining_seconds=0.5, claims=3,
    scattered=5, latency_rate=20, latency_seconds=0.5, ahead_seconds=0.2, little_history=100, history=300,
    flat=60, queries=1, databases=("sqlite",),
)  # fmt: skip
