"""The program: all commands under one name, and one line on standard error for whatever goes wrong."""

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from typer.exceptions import Abort, TyperException

from connector.errors import ConfigurationError, ConnectorError, UsageError
from connector.logs import redact

__all__ = ["application", "main", "run"]

USAGE_EXIT = 2
FAILURE_EXIT = 1
INTERRUPTED_EXIT = 130
_LONGEST_LINE = 500

# Name, what it is for, and where it is: a module of this package is loaded for its own command only, so that each
# begins sooner. Groups say themselves what they are for.
_GROUPS = {"installations": "installations:app", "events": "history:events", "webhooks": "history:webhooks",
           "staff": "staff:app"}  # fmt: skip
_COMMANDS = {
    "serve": ("serving:serve", "Receive webhooks, show the pages, send to TikTok."),
    "deliver": ("serving:deliver", "Only send, beside `serve --no-delivery`."),
    "demo": ("serving:demo", "Play a whole story with a stand-in TikTok."),
    "migrate": ("maintenance:migrate", "Bring the tables to this version."),
    "doctor": ("maintenance:doctor", "Look for what is wrong, and say what to do."),
    "send-sample": ("samples:send_sample", "Post recorded webhooks to a running server."),
    "replay": ("replay:replay", "Send events again."),
    "reconcile": ("reconcile:reconcile", "Fetch paid orders that never arrived."),
    "backup": ("backup:backup", "Copy the running SQLite database into one file."),
    "restore": ("backup:restore", "Put a backup in the database's place."),
    "rotate-keys": ("maintenance:rotate_keys", "Seal credentials with the newest secret key."),
    "export-person": ("privacy:export_person", "Print all that is kept about one person."),
    "erase-person": ("privacy:erase_person", "Erase one person."),
}


def application(arguments: Sequence[str]) -> typer.Typer:
    """The program with the command that `arguments` begin with; with all of them when they begin otherwise."""
    app = typer.Typer(
        name="connector",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback(invoke_without_command=True)(_program)
    asked = arguments[0] if arguments and arguments[0] in (*_GROUPS, *_COMMANDS) else None
    for name, place in _GROUPS.items():
        if asked in (None, name):
            app.add_typer(_loaded(place), name=name)
    for name, (place, summary) in _COMMANDS.items():
        if asked in (None, name):
            app.command(name, short_help=summary)(_loaded(place))
    return app


def _loaded(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(f"connector.cli.{module}"), name)


def _program(context: typer.Context) -> None:
    """Connects WooCommerce-style stores to TikTok: signed webhooks in, accepted conversion events out.

    \b
    A first look, on a throw-away database:   connector demo
    The real thing:
      1. connector serve
      2. echo "$TIKTOK_TOKEN" | connector installations add --platform woocommerce \\
           --url https://shop.example --pixel-code C4ABC123 --access-token-stdin
      3. in the store, point webhooks at the address that step 2 printed
      4. connector events list --installation ID
    When something looks wrong:   connector doctor

    \b
    Settings come from the environment (CONNECTOR_DATABASE_URL, CONNECTOR_DATA_DIR, ...).
    With --json a command prints one JSON document on standard output and nothing else.
    Exit codes: 0 done, 1 failed or something is wrong, 2 the command or a setting is wrong.
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """Entry point: run the command of the process' arguments and exit with its code."""
    if sys.stdout is None:  # started with it closed
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:
        code = code or FAILURE_EXIT
        # What cannot be written goes nowhere; otherwise the interpreter tries once more and complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command. Returns the exit code; whatever goes wrong is one line on standard error."""
    try:
        code = application(arguments)(args=list(arguments), prog_name="connector", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, Abort):
        return INTERRUPTED_EXIT
    except BrokenPipeError:  # whoever reads has seen enough
        return FAILURE_EXIT
    except Exception as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return _exit_code(error)


def _exit_code(error: Exception) -> int:
    if isinstance(error, TyperException | UsageError | ConfigurationError):
        return USAGE_EXIT
    return FAILURE_EXIT


def _one_line(error: Exception) -> str:
    """Words for the person who can mend it. Of what nobody expected only its kind: its text may hold anything."""
    if isinstance(error, TyperException):
        return _joined(error.format_message().replace("Value error, ", ""))
    if isinstance(error, ConnectorError):
        return _joined(str(error))
    if isinstance(error, DBAPIError):
        # The driver's own first line names files, hosts and locks; statements and parameters are left out.
        first = next(iter(str(error.orig).splitlines()), "")
        return _joined(f"the database does not answer as it should: {redact(first)}")
    if isinstance(error, SQLAlchemyError):
        return f"the database cannot be used ({type(error).__name__})"
    if isinstance(error, OSError) and error.strerror:
        return _joined(f"{error.strerror}{f': {error.filename}' if error.filename else ''}")
    return f"unexpected: {type(error).__name__} (see `connector doctor`)"


def _joined(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_LINE]
