"""The released version's own code beside this one's, under load, as in a rolling upgrade."""

from itertools import pairwise
from pathlib import Path

import pytest

from tests.soak.rolling import has_commit, old_code, upgrade

RELEASES = {"0.1.0": "8a7dcfb"}  # the commits whose code made `tests/storage/releases`


@pytest.mark.parametrize("release", RELEASES)
def test_a_rolling_upgrade_refuses_and_loses_nothing(release: str, tmp_path: Path) -> None:
    commit = RELEASES[release]
    if not has_commit(commit):
        pytest.skip("this checkout is without its history")
    old = old_code(commit, tmp_path / "old")

    found = upgrade(old, tmp_path, restarts=2)

    assert found.refused == []
    assert found.faults == []
    assert found.answers[200] > 50
    assert found.accepted > 30
    steps = list(found.posted_by.values())
    assert all(later > before for before, later in pairwise(steps)), "it never stood still"
