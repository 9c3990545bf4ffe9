"""Places to be killed at: harmless unless armed, exact when they are."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from connector import failpoints
from connector.errors import ConfigurationError
from connector.settings import load_settings


def test_unarmed_places_are_harmless() -> None:
    assert not failpoints.armed()
    for name in failpoints.NAMES:
        failpoints.reach(name)


def test_plans_are_read() -> None:
    assert failpoints.parse("") == {}
    assert failpoints.parse("after_commit=kill@7, before_send=kill") == {"after_commit": 7, "before_send": 1}


@pytest.mark.parametrize("plan", ["nowhere=kill", "after_commit", "after_commit=kill@0", "after_commit=sleep", "=,"])
def test_a_wrong_plan_stops_the_start_with_its_name(plan: str) -> None:
    with pytest.raises(ConfigurationError, match="CONNECTOR_FAILPOINTS"):
        load_settings({"failpoints": plan})


def test_the_process_dies_at_the_pass_that_was_named() -> None:
    script = (
        "from connector import failpoints\n"
        "failpoints.arm(failpoints.parse('after_commit=kill@3'))\n"
        "for number in range(9):\n"
        "    failpoints.reach('before_send')\n"
        "    print(number, flush=True)\n"
        "    failpoints.reach('after_commit')\n"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == ["0", "1", "2"]


def test_every_place_is_on_the_road_once() -> None:
    root = Path(failpoints.__file__).parent
    found = [
        name for path in root.rglob("*.py") for name in re.findall(r'failpoints\.reach\("(\w+)"\)', path.read_text())
    ]
    assert set(found) == set(failpoints.NAMES)
