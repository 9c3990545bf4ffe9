"""`connector migrate`, `connector doctor` and `connector rotate-keys`."""

import typer

from connector.cli.environment import command_settings, opened, wrong_settings_named
from connector.cli.options import AsJson, OptionalInstallation
from connector.cli.output import note, progress, say, write_json
from connector.errors import ConfigurationError
from connector.operations.key_rotation import rotate_keys as rotate_all
from connector.storage import tables_console as _tables_console  # noqa: F401 - fills the metadata
from connector.storage import tables_install as _tables_install  # noqa: F401 - fills the metadata
from connector.storage.engine import open_database
from connector.storage.migrating import known_revision, pending_revision, version_fault
from connector.storage.migrating import migrate as migrate_database
from connector.storage.opening import utc_now
from connector.storage.partitions import make_partitions

_MARKS = {True: "ok   ", False: "WRONG"}


def migrate(as_json: AsJson = False) -> None:
    """Bring the database's tables to this version. Safe to repeat, and to run from several machines at once.

    \b
    Example:
      CONNECTOR_DATABASE_URL=postgresql://connector@db/connector connector migrate
    """
    settings = command_settings()
    with wrong_settings_named(settings):
        database = open_database(settings.resolved_database_url)
    try:
        wanted = pending_revision(database)
        if wanted is not None:
            if not known_revision(database):
                raise ConfigurationError(": ".join(version_fault(database) or ()))
            migrate_database(database)
        made = make_partitions(database, utc_now())
    finally:
        database.close()
    if as_json:
        write_json({"migrated": wanted is not None, "revision": wanted, "partitions_made": made})
    else:
        say(f"migrated to {wanted}" if wanted else "nothing to do: the database is at this version")


def rotate_keys(as_json: AsJson = False) -> None:
    """Seal every stored credential with the newest secret key, so that older keys can be taken away.

    \b
    1. Put a new key before the old one:  CONNECTOR_SECRET_KEYS=new-key,old-key
       (without that setting: a first line in the file secret_keys of the data directory),
       and restart every process, so that all of them know both.
    2. connector rotate-keys
    3. Take the old key out and restart again.
    """
    with opened() as storage, progress("Sealing credentials") as bar:
        done = rotate_all(storage, bar.total, bar.advance)
    if as_json:
        write_json({"rotated": done.rotated, "total": done.total})
    else:
        say(f"{done.rotated} of {done.total} credentials sealed anew; the others had the newest key already")


def doctor(installation: OptionalInstallation = None, as_json: AsJson = False) -> None:
    """Look for what is wrong: database, clock, disk, keys, backlog, processes, each installation.

    \b
    Exits 1 when something is wrong, and says what to do about it.
    Example:
      connector doctor --installation ID
    """
    from connector.operations.doctor import examine

    settings = command_settings()
    with wrong_settings_named(settings):
        checks = examine(settings, installation)
    if as_json:
        write_json([{"name": c.name, "ok": c.ok, "text": c.text, "remedy": c.remedy} for c in checks])
    else:
        for check in checks:
            say(f"{_MARKS[check.ok]} {check.name}: {check.text}")
            if check.remedy:
                say(f"      {'do: ' if not check.ok else 'better: '}{check.remedy}")
    wrong = sum(not check.ok for check in checks)
    if wrong:
        note(f"{wrong} of {len(checks)} checks found something wrong")
        raise typer.Exit(1)
