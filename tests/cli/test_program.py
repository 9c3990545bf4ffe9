"""Each command loads what it needs and no more; the program as a whole lists them all."""

import subprocess
import sys

import pytest

from connector.cli.program import application

_LOADED = """
import sys
from connector.cli.program import application
application([{name!r}])
print(" ".join(sorted(each for each in sys.modules if each.startswith("connector.cli."))))
"""
ALL = application(())


def names() -> list[str]:
    groups = [group.name for group in ALL.registered_groups if group.name]
    return groups + [command.name for command in ALL.registered_commands if command.name]


@pytest.mark.parametrize("name", names())
def test_a_command_by_its_name_is_the_one_of_the_whole_program(name: str) -> None:
    app = application([name, "--anything"])
    alone = [*app.registered_commands, *app.registered_groups]
    assert [each.name for each in alone] == [name]
    whole = {each.name: each for each in (*ALL.registered_commands, *ALL.registered_groups)}
    assert getattr(alone[0], "callback", None) is getattr(whole[name], "callback", None)


@pytest.mark.parametrize("arguments", [(), ("--help",), ("nonsense",), ("--json", "serve")])
def test_whatever_else_is_asked_knows_all(arguments: tuple[str, ...]) -> None:
    app = application(arguments)
    assert len(app.registered_commands) + len(app.registered_groups) == len(names())


def test_a_command_leaves_other_commands_modules_alone() -> None:
    text = _LOADED.format(name="events")
    ran = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "connector.cli.history" in loaded
    assert not loaded & {"connector.cli.replay", "connector.cli.privacy", "connector.cli.serving"}
