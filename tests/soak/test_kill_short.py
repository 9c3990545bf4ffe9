"""The short form of the kill matrix: every place once on SQLite, some on PostgreSQL, with random moments between."""

from pathlib import Path

from connector.failpoints import NAMES
from tests.soak.matrix import RANDOM, Outcome, run

_ON_POSTGRESQL = (
    "after_insert",
    "after_commit",
    "before_group_commit",
    "after_send",
    "before_result_written",
    RANDOM,
)


def kept(outcome: Outcome, kills: int) -> None:
    assert outcome.faults == []
    assert outcome.kills.total() == kills, f"not reached in time: {dict(outcome.missed)}"
    assert outcome.counts["answered 200"] > kills
    assert outcome.counts["accepted by TikTok"] > kills


def test_nothing_is_lost_or_doubled_wherever_one_process_dies(tmp_path: Path) -> None:
    places = [*NAMES, RANDOM]
    kept(run("sqlite", tmp_path, places, senders=4), len(places))


def test_nothing_is_lost_or_doubled_among_receivers_and_workers_on_postgresql(tmp_path: Path) -> None:
    kept(run("postgresql", tmp_path, _ON_POSTGRESQL, senders=4), len(_ON_POSTGRESQL))
