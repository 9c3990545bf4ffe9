"""`connector reconcile`"""

import importlib
from typing import Annotated, Any

import typer

from connector.cli.environment import command_settings, opened, read_time
from connector.cli.options import AsJson, InstallationOption
from connector.cli.output import progress, say, write_json
from connector.errors import ConnectorError
from connector.operations.installations import require_installation


def reconcile(
    installation: InstallationOption,
    since: Annotated[
        str, typer.Option(metavar="T", help="From when on: 2026-11-20 or 2026-11-20T18:00:00Z.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Ask the store for its paid orders, fetch what never arrived, and report the gap.

    \b
    Needs the store's own keys, as an installation through the store's authorise page has them.
    Example:
      connector reconcile --installation ID --since 2026-11-20
    """
    settings = command_settings()
    moment = read_time(since, "--since")
    with opened(settings) as storage:
        with storage.database.read() as connection:
            require_installation(connection, installation)
        with progress("Asking the store"):
            report: dict[str, Any] = _operation()(storage, installation, moment, settings=settings)
    if as_json:
        write_json(report)
    else:
        say(str(report.get("text", report)))


def _operation() -> Any:
    try:
        return importlib.import_module("connector.operations.reconcile").reconcile
    except ModuleNotFoundError:
        raise ConnectorError("this version cannot ask a store for its orders yet") from None
