"""`connector reconcile`"""

from typing import Annotated

import typer

from connector.cli.environment import command_settings, opened, read_time
from connector.cli.options import AsJson, InstallationOption
from connector.cli.output import progress, say, write_json
from connector.errors import UsageError
from connector.operations.calls import LoopCalls
from connector.operations.installations import require_installation
from connector.operations.reconcile import reconcile as compare
from connector.operations.store_orders import StoreOrders, store_access
from connector.outbound import Outbound


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
    What is fetched is sent by `connector serve` or `connector deliver`. Example:
      connector reconcile --installation ID --since 2026-11-20
    """
    settings = command_settings()
    moment = read_time(since, "--since")
    if moment is None:
        raise UsageError("give --since: from when on to compare")
    with opened(settings) as storage:
        with storage.database.read() as connection:
            record = require_installation(connection, installation)
        access = store_access(storage, record)
        with (
            progress("Asking the store"),
            LoopCalls(lambda: Outbound(allow_private=settings.allow_private_addresses)) as calls,
        ):
            report = compare(storage, record, StoreOrders(access, calls, storage.now), moment)
    if as_json:
        write_json(report.document())
    else:
        say(report.text())
