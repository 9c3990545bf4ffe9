"""Commands run in this process on a new database: arguments and standard input in, answer out."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

import connector.cli.environment
from connector.cli.program import run
from connector.settings import Settings, load_settings
from connector.storage.opening import Storage, open_storage
from tests.databases import new_postgres_database, put_migrated_sqlite

KEY = "first-key-of-forty-characters-0123456789"


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it has to be."""
        return json.loads(self.out)

    def refused(self) -> str:
        """The one line of a command that was given something wrong."""
        assert (self.code, self.out) == (2, ""), self
        return self.one_line()

    def one_line(self) -> str:
        assert self.err.startswith("error: ")
        assert self.err.count("\n") == 1, self.err
        return self.err.strip()


class Commands:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str, stdin: str = "") -> Answer:
        self._monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        self._capsys.readouterr()
        code = run(arguments)
        out, err = self._capsys.readouterr()
        return Answer(code, out, err)

    def add(self, *arguments: str, token: str = "token-1") -> dict[str, str]:
        """Add an installation; returns the JSON document."""
        answer = self(
            *"installations add --platform woocommerce --url https://shop.example --pixel-code C1".split(),
            *"--access-token-stdin --consent-policy opt_out --json".split(),
            *arguments,
            stdin=f"{token}\n",
        )
        assert answer.code == 0, answer.err
        document: dict[str, str] = answer.document
        return document


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """An environment on a new SQLite file that has its tables."""
    put_migrated_sqlite(tmp_path / "data")
    monkeypatch.setenv("CONNECTOR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("CONNECTOR_SECRET_KEYS", KEY)
    monkeypatch.setenv("CONNECTOR_PUBLIC_URL", "https://connector.example")
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.delenv("CONNECTOR_DATABASE_URL", raising=False)
    # As the commands have them, but not kept by the loggers: the next test has other ones.
    monkeypatch.setattr(connector.cli.environment, "configure_logs", _logs_of_commands)
    yield monkeypatch
    structlog.reset_defaults()


def _logs_of_commands(_log_format: str, _level: str) -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


@pytest.fixture
def cli(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """Commands on SQLite."""
    return Commands(environment, capsys)


@pytest.fixture
def both(database_kind: str, environment: pytest.MonkeyPatch, cli: Commands) -> Commands:
    """Commands on each database."""
    if database_kind == "postgresql":
        environment.setenv("CONNECTOR_DATABASE_URL", new_postgres_database())
    return cli


@pytest.fixture
def command_settings(environment: pytest.MonkeyPatch) -> Settings:
    """The settings that the commands see on SQLite."""
    return load_settings()


@pytest.fixture
def opened(environment: pytest.MonkeyPatch) -> Iterator["Opener"]:
    """Opens the commands' database, as a running server would have it open."""
    opener = Opener()
    yield opener
    opener.close()


class Opener:
    def __init__(self) -> None:
        self._open: list[Storage] = []

    def __call__(self) -> Storage:
        self._open.append(open_storage(load_settings()))
        return self._open[-1]

    def close(self) -> None:
        for storage in self._open:
            storage.close()
