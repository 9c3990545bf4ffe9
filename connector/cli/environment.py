"""What commands take from their surroundings: settings, the open storage, standard input, times."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import ArgumentError

from connector.errors import ConfigurationError, CredentialUnreadable, UsageError
from connector.logs import configure_logs
from connector.settings import Settings, load_settings
from connector.storage.opening import Storage, open_storage

__all__ = ["command_settings", "opened", "read_lines", "read_time", "wrong_settings_named"]

_LONGEST_LINE = 64 * 1024


def command_settings() -> Settings:
    """The environment, with logs on standard error for warnings and worse. Raises ConfigurationError."""
    settings = load_settings()
    configure_logs(settings.log_format, "error" if settings.log_level == "error" else "warning")
    return settings


@contextmanager
def opened(settings: Settings | None = None) -> Iterator[Storage]:
    """The storage of the settings, closed at the end. Raises ConfigurationError."""
    settings = settings or command_settings()
    with wrong_settings_named(settings):
        storage = open_storage(settings)
    try:
        yield storage
    finally:
        storage.close()


@contextmanager
def wrong_settings_named(settings: Settings) -> Iterator[None]:
    """Opening fails with other libraries' errors; say which setting is meant. Raises ConfigurationError."""
    try:
        yield
    except CredentialUnreadable:
        where = "CONNECTOR_SECRET_KEYS" if settings.given_keys else str(settings.data_dir / "secret_keys")
        raise ConfigurationError(f"{where}: none of the keys opens this database") from None
    except (ArgumentError, ValueError):
        raise ConfigurationError("CONNECTOR_DATABASE_URL: is not a database address") from None
    except OSError as error:
        raise ConfigurationError(_unusable_place(settings, error)) from None


def _unusable_place(settings: Settings, error: OSError) -> str:
    words = os.strerror(error.errno or 0)
    place = Path(error.filename or settings.data_dir)
    if settings.database_url and settings.uses_sqlite and settings.data_dir not in (place, *place.parents):
        return f"CONNECTOR_DATABASE_URL: {place}: {words}"
    return f"CONNECTOR_DATA_DIR: {settings.data_dir}: {words}"


def read_lines(*names: str) -> list[str]:
    """That many lines of standard input, each without its line end only. Raises UsageError, naming the missing."""
    if sys.stdin is None:
        raise UsageError(f"standard input is closed: the {names[0]} comes on it")
    lines: list[str] = []
    for name in names:
        if sys.stdin.isatty():
            print(f"{name}: ", end="", file=sys.stderr, flush=True)
        line = _line()
        if not line:
            raise UsageError(f"standard input ends before the {name}")
        if len(line) >= _LONGEST_LINE:
            raise UsageError(f"the {name} on standard input is too long")
        lines.append(line)
    return lines


def _line() -> str:
    try:
        line = sys.stdin.readline(_LONGEST_LINE)
    except UnicodeDecodeError:
        raise UsageError("standard input is not UTF-8 text") from None
    return line.removesuffix("\n").removesuffix("\r")


def read_time(text: str | None, option: str) -> datetime | None:
    """ISO 8601 time or date, in UTC; without a zone it is UTC already. Raises UsageError."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{option} takes a time such as 2026-11-20 or 2026-11-20T18:00:00Z") from None
