"""`connector export-person` and `connector erase-person`"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from connector.cli.environment import command_settings, opened, read_lines
from connector.cli.options import AsJson, InstallationOption
from connector.cli.output import note, progress, say, write_json
from connector.errors import ConnectorError, UsageError
from connector.intake.draining import drain_now
from connector.operations.privacy import Erasure
from connector.operations.privacy import erase_person as erase
from connector.operations.privacy import export_person as export
from connector.storage.opening import Storage
from connector.storage.spool import damaged_files

_EmailStdin = Annotated[
    bool, typer.Option("--email-stdin", help="Read the e-mail address from the first line of standard input.")
]
_Order = Annotated[
    str,
    typer.Option(
        "--order", metavar="NUMBER", help="The buyer of this order, by its id or number.", show_default=False
    ),
]
_NEEDS_ONE = "give --email-stdin (the address comes on standard input, never as an argument) or --order, not both"
_TRIES = 60
_SPOOL_PATIENCE = 15.0  # seconds


def export_person(
    installation: InstallationOption, email_stdin: _EmailStdin = False, order: _Order = "", as_json: AsJson = False
) -> None:
    """Print everything kept about one person as a JSON document.

    \b
    Example:
      echo ana@example.com | connector export-person --installation ID --email-stdin > ana.json
    """
    email = _email(email_stdin, order)
    settings = command_settings()
    with opened(settings) as storage, progress("Collecting"):
        _take_in_spool(storage, settings.spool_dir)
        document = export(storage, installation, email, order=order)
    write_json(document)
    if not as_json:
        note(f"{len(document['webhooks'])} webhooks and {len(document['events'])} events")
    _warn(document["unprocessed_webhooks"], settings.spool_dir)


def erase_person(
    installation: InstallationOption, email_stdin: _EmailStdin = False, order: _Order = "", as_json: AsJson = False
) -> None:
    """Erase one person: bodies, payloads and search terms go, what has not left is withdrawn.

    \b
    That an order was sold stays known, so that it is never sent again. What TikTok already has is
    listed: ask TikTok about it. Example:
      echo ana@example.com | connector erase-person --installation ID --email-stdin
    """
    email = _email(email_stdin, order)
    settings = command_settings()
    with opened(settings) as storage:
        _take_in_spool(storage, settings.spool_dir)
        done = _erased(storage, installation, email, order)
    if as_json:
        write_json({"installation_id": installation, **asdict(done)})
    else:
        say(f"{done.webhooks_erased} webhooks and {done.events_erased} events erased")
        say(f"{done.events_withdrawn} events had not left and were withdrawn")
        say(f"TikTok already has {len(done.tiktok_has)} events of this person")
        for event in done.tiktok_has:
            doubt = "" if event["answered"] else ": may have it, its answer never came"
            say(f"  {event['event']} {event['event_id']} (pixel {event['pixel_code']}){doubt}")
    _warn(done.unprocessed_webhooks, settings.spool_dir)


def _erased(storage: Storage, installation: str, email: str, order: str) -> Erasure:
    withdrawn = emptied = 0
    with progress("Waiting for what is being sent", _TRIES) as bar:
        for _ in range(_TRIES):
            done = erase(storage, installation, email, order=order)
            withdrawn += done.events_withdrawn
            emptied += done.webhooks_erased
            if not done.in_flight:
                return Erasure(**{**asdict(done), "events_withdrawn": withdrawn, "webhooks_erased": emptied})
            bar.advance()
            time.sleep(1)
    raise ConnectorError("an event of this person is being sent right now; nothing was erased: try again in a minute")


def _email(email_stdin: bool, order: str) -> str:
    if email_stdin == bool(order):
        raise UsageError(_NEEDS_ONE)
    return read_lines("e-mail address")[0] if email_stdin else ""


def _take_in_spool(storage: Storage, spool: Path) -> None:
    """What was spooled while the database was away is the person's too."""
    if not drain_now(storage, spool, _SPOOL_PATIENCE):
        raise ConnectorError("webhooks wait in the spool of a running server: try again when it has taken them in")


def _warn(unprocessed: int, spool: Path) -> None:
    if unprocessed:
        note(f"{unprocessed} other webhooks wait to be processed and may be of the same browser: repeat this later")
    damaged = len(damaged_files(spool))
    if damaged:
        note(f"{damaged} damaged spool files were not searched (see `connector doctor`): they may name this person")
