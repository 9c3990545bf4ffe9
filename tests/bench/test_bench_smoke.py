"""Every row of the bench with sizes so small that its figures mean nothing: only that it still measures."""

import pytest

from tests.bench import processes
from tests.bench.__main__ import ROWS
from tests.bench.forked import begin_forked
from tests.bench.report import markdown
from tests.bench.sizes import SMOKE


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_row_of_the_bench_still_measures(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "begin", begin_forked)

    rows = list(ROWS[name](SMOKE))

    assert rows
    assert all(row.what and row.measured for row in rows)
    assert markdown(rows).count("\n") == len(rows) + 1
    # Speed is no matter of this test; losing or doubling an event is.
    assert all(row.passed is not False for row in rows if row.budget == "none")
