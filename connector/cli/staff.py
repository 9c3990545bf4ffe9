"""`connector staff add`"""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from connector.cli.environment import command_settings, opened, read_lines
from connector.cli.options import AsJson
from connector.cli.output import note, say, write_json

app = typer.Typer(help="Who may sign in to the support console.", rich_markup_mode=None)


class StaffRole(StrEnum):
    """Support sees everything masked; admin may unmask, with a reason, and manages staff."""

    SUPPORT = "support"
    ADMIN = "admin"


@app.callback()
def _staff() -> None:
    """Who may sign in to the support console."""


@app.command("add", short_help="Add somebody, or change role and password.")
def add(
    email: Annotated[str, typer.Argument(metavar="EMAIL", show_default=False)],
    role: Annotated[StaffRole, typer.Option(help="What they may do.", show_default=False)],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add somebody, or give an account a new role and password. Asks for the password on a terminal.

    \b
    Without a password only single sign-on lets them in. Example:
      connector staff add ana@example.com --role support --password-stdin < password.txt
    """
    from connector.console.staff import add_staff

    settings = command_settings()
    password: str | None = None
    if password_stdin:
        (password,) = read_lines("password")
    elif sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    with opened(settings) as storage:
        record = add_staff(storage, email, role.value, password)
    if as_json:
        write_json({"email": record.email, "role": record.role, "password": password is not None})
        return
    say(f"{record.email} may sign in as {record.role}")
    if password is None:
        note("No password was given: only single sign-on lets them in.")
