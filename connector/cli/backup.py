"""`connector backup` and `connector restore`"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from connector.cli.environment import command_settings
from connector.cli.options import AsJson
from connector.cli.output import note, progress, say, write_json
from connector.operations.backup import back_up
from connector.operations.backup import restore as put_back

_File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup's file.", show_default=False)]
_STALE = timedelta(hours=48)


def backup(file: _File, as_json: AsJson = False) -> None:
    """Copy the running SQLite database into one file, checked and complete. Never overwrites a file.

    \b
    The secret keys are not in it: keep them apart from it, and keep both.
    PostgreSQL has pg_dump for that. Example:
      connector backup /backups/connector-$(date +%F).sqlite3
    """
    settings = command_settings()
    with progress("Copying") as bar:
        made = back_up(settings, file, lambda done, total: bar.reach(done, total))
    if as_json:
        values = {"file": str(made.path), "size_bytes": made.size_bytes}
        write_json({**values, "webhooks": made.webhooks, "events": made.events, "made_at": made.made_at})
        return
    say(f"{made.path}: {made.size_bytes:,} bytes, {made.webhooks:,} webhooks, {made.events:,} events; checked")
    keys = "CONNECTOR_SECRET_KEYS" if settings.given_keys else str(settings.data_dir / "secret_keys")
    note(f"it opens only with the secret keys: keep {keys} too, elsewhere")


def restore(file: _File, as_json: AsJson = False) -> None:
    """Put a backup in the place of the SQLite database. Stop every `connector` process first.

    \b
    The database that stood there is set aside, not removed. What arrived after the backup is fetched
    from the stores by the next `connector serve`. Example:
      connector restore /backups/connector-2026-11-22.sqlite3
    """
    done = put_back(command_settings(), file)
    if as_json:
        values = {"database": str(done.path), "webhooks": done.webhooks, "events": done.events}
        aside = str(done.set_aside) if done.set_aside else None
        write_json({**values, "last_webhook_at": done.last_webhook_at, "set_aside": aside})
        return
    say(f"{done.path}: {done.webhooks:,} webhooks and {done.events:,} events are back")
    if done.set_aside:
        note(f"the database that stood there is now {done.set_aside}")
    if done.last_webhook_at is not None and datetime.now(UTC) - done.last_webhook_at > _STALE:
        note("the backup is older than TikTok's 48 hours for merging copies: what was sent after it may count twice")
