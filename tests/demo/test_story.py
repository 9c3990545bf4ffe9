"""The demo says what came true, and says when something did not; either way it leaves nothing behind."""

import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from connector.demo import stage, story
from connector.errors import ConnectorError


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where throw-away folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_wrong_expectation_is_shown_and_costs_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folders: Path
) -> None:
    forged = next(scene for scene in story.STORY if scene.expected.answers == [401])
    wrong = replace(story.STORY[0], expected=story.Expected([200]))
    monkeypatch.setattr(story, "STORY", (forged, wrong))
    monkeypatch.setattr(story._console, "file", None)

    assert story.run() == 1

    shown = capsys.readouterr().out
    assert "1 went wrong." in shown
    assert shown.count("✓") == 1
    assert shown.count("✗") == 1
    refused = next(line for line in shown.splitlines() if "requests refused" in line)
    assert "1" in refused
    assert list(folders.iterdir()) == []


def test_what_is_processed_between_two_looks_is_not_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    playing = stage.Stage()
    # The first look sees a webhook that waits; by the second it has become an event that waits.
    monkeypatch.setattr(playing, "webhooks", lambda: [SimpleNamespace(state=_at(looks, "received", "processed"))])
    monkeypatch.setattr(playing, "events", lambda: [SimpleNamespace(state=_at(looks, "", "pending"))])

    assert not playing.settled()


def _at(looks: list[str], first: str, later: str) -> str:
    looks.append(first)
    return first if len(looks) == 1 else later


def test_a_server_that_does_not_start_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, folders: Path) -> None:
    monkeypatch.setattr(stage, "_WAIT_SECONDS", 5.0)
    monkeypatch.setattr(stage.Stage, "_environment", lambda _stage: {"CONNECTOR_PORT": "not a port"})
    playing = stage.Stage()

    with pytest.raises(ConnectorError, match="server to be ready"), playing:
        pass

    assert playing._server.poll() is not None
    assert list(folders.iterdir()) == []
