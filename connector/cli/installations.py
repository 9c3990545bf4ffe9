"""`connector installations ...`"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from connector.cli.environment import command_settings, opened, read_lines
from connector.cli.options import AccessTokenStdin, AsJson, InstallationId
from connector.cli.output import note, say, write_json, write_table
from connector.core.installation_settings import ConsentPolicy
from connector.errors import UsageError
from connector.operations.history import count_by_state
from connector.operations.installation_values import ALLOWED_KEYS
from connector.operations.installations import (
    NewInstallation,
    add_installation,
    pause_installation,
    reconnect_installation,
    remove_installation,
    require_installation,
    resume_installation,
    set_values,
)
from connector.platforms import PLATFORMS
from connector.settings import Settings
from connector.storage.installations import InstallationRecord, all_installations
from connector.storage.notices import open_notices

app = typer.Typer(help="Connected stores: add, show, change, pause, remove.", rich_markup_mode=None)

PlatformName = StrEnum("PlatformName", {name.upper(): name for name in PLATFORMS})  # type: ignore[misc]
_NEEDS_TOKEN = "give --access-token-stdin: the token comes on standard input, never as an argument"  # noqa: S105


@app.command("add", short_help="Connect a store by hand.")
def add(
    platform: Annotated[PlatformName, typer.Option(help="The store's software.", show_default=False)],
    url: Annotated[str, typer.Option(help="The store's address, with https://.", show_default=False)],
    pixel_code: Annotated[str, typer.Option(help="The pixel's code in TikTok's Events Manager.", show_default=False)],
    access_token_stdin: AccessTokenStdin = False,
    webhook_secret_stdin: Annotated[
        bool,
        typer.Option(
            "--webhook-secret-stdin",
            help="Read the secret of the store's webhooks from the second line; one is made otherwise.",
        ),
    ] = False,
    consent_policy: Annotated[
        ConsentPolicy | None, typer.Option(help="What unknown consent means; by_region when not given.")
    ] = None,
    test_event_code: Annotated[
        str | None, typer.Option(metavar="CODE", help="Send everything as test events under this code.")
    ] = None,
    currency: Annotated[str, typer.Option(metavar="EUR", help="The store's usual currency.")] = "",
    as_json: AsJson = False,
) -> None:
    """Connect a store by hand. Calls nobody: neither the store nor TikTok.

    \b
    Examples:
      echo "$TIKTOK_TOKEN" | connector installations add --platform woocommerce \\
        --url https://shop.example --pixel-code C4ABC123 --access-token-stdin
      printf '%s\\n%s\\n' "$TIKTOK_TOKEN" "$WEBHOOK_SECRET" | connector installations add \\
        --platform woocommerce --url https://shop.example --pixel-code C4ABC123 \\
        --access-token-stdin --webhook-secret-stdin --json
    """
    if not access_token_stdin:
        raise UsageError(_NEEDS_TOKEN)
    settings = command_settings()
    names = ("access token", "webhook secret") if webhook_secret_stdin else ("access token",)
    token, *secret = read_lines(*names)
    new = NewInstallation(
        platform=str(platform),
        store_url=url,
        pixel_code=pixel_code,
        access_token=token,
        webhook_secret=secret[0] if secret else None,
        consent_policy=consent_policy,
        test_event_code=test_event_code,
        currency=currency,
    )
    with opened(settings) as storage:
        added = add_installation(storage, new)
    _show_added(settings, added.record, added.made_secret, as_json)


def _show_added(settings: Settings, record: InstallationRecord, made_secret: str | None, as_json: bool) -> None:
    document = {"installation_id": record.id, "public_id": record.public_id, **_addresses(settings, record)}
    if made_secret:
        document["webhook_secret"] = made_secret
    if as_json:
        write_json(document)
        return
    _write_pairs(document)
    if made_secret:
        note("Give this webhook secret to the store's webhooks now: it is not shown again.")


@app.command("list", short_help="Every installation.")
def list_(as_json: AsJson = False) -> None:
    """Every installation, oldest first.

    \b
    Example:
      connector installations list --json
    """
    settings = command_settings()
    with opened(settings) as storage, storage.database.read() as connection:
        records = all_installations(connection)
    if as_json:
        write_json([_document(settings, record) for record in records])
        return
    rows = [(r.id, r.store_url, r.platform, r.state, r.access, r.pixel_code, r.created_at) for r in records]
    columns = ("id", "store", "platform", "state", "access", "pixel", "added")
    write_table(columns, rows, "No installation yet: see `connector installations add --help`.")


@app.command("show", short_help="One installation with its settings.")
def show(installation_id: InstallationId, as_json: AsJson = False) -> None:
    """One installation: its settings, addresses, open notices, and how many events stand in each state."""
    settings = command_settings()
    with opened(settings) as storage, storage.database.read() as connection:
        record = require_installation(connection, installation_id)
        document = _document(settings, record)
        document["notices"] = [
            {"kind": one.kind, "details": one.details, "count": one.count, "last_at": one.last_at}
            for one in open_notices(connection, installation_id)
        ]
        document["events"] = count_by_state(connection, installation_id)
    if as_json:
        write_json(document)
    else:
        _write_pairs(document)


@app.command("pause", short_help="Stop sending; webhooks are still taken.")
def pause(installation_id: InstallationId, as_json: AsJson = False) -> None:
    """Stop sending to TikTok. Webhooks are still taken; their events wait until `resume`."""
    settings = command_settings()
    with opened(settings) as storage:
        record = pause_installation(storage, installation_id)
    _show_changed(settings, record, as_json, "paused: webhooks are still taken, nothing is sent")


@app.command("resume", short_help="Send again.")
def resume(installation_id: InstallationId, as_json: AsJson = False) -> None:
    """Send again after `pause`, what waited first."""
    settings = command_settings()
    with opened(settings) as storage:
        record = resume_installation(storage, installation_id)
    _show_changed(settings, record, as_json, "active")
    if record.access != "ok":
        note(f"TikTok refuses its token or pixel ({record.access_reason}): see `connector installations reconnect`")


@app.command("remove", short_help="Remove for good; history stays.")
def remove(installation_id: InstallationId, as_json: AsJson = False) -> None:
    """Remove an installation for good: its secrets are forgotten, its webhooks answered with 410. History stays."""
    settings = command_settings()
    with opened(settings) as storage:
        record = remove_installation(storage, installation_id)
    _show_changed(settings, record, as_json, "removed")


@app.command("set", help=f"""Change settings of an installation, all of them or none.

    \b
    Keys: {", ".join(ALLOWED_KEYS[:5])},
      {", ".join(ALLOWED_KEYS[5:9])},
      {", ".join(ALLOWED_KEYS[9:13])},
      {", ".join(ALLOWED_KEYS[13:])}

    \b
    Values are JSON or plain text; lists may have commas, custom events are topic:Name pairs;
    null or nothing clears a value. Secrets are not set here: see `reconnect`.
    A changed pixel code applies to later events only.

    \b
    Examples:
      connector installations set ID pixel_code=C4NEW consent_policy=required
      connector installations set ID paid_statuses=processing,completed,shipped
      connector installations set ID custom_events=booking.created:Booking
      connector installations set ID test_event_code=TEST123 test_event_code_expires_at=2026-12-01T00:00Z
    """)  # fmt: skip
def set_(
    installation_id: InstallationId,
    assignments: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Change settings."""
    settings = command_settings()
    with opened(settings) as storage:
        record = set_values(storage, installation_id, assignments)
    _show_changed(settings, record, as_json, "changed: a running server knows within 5 seconds")


@app.command("reconnect", short_help="Give it a new access token.")
def reconnect(
    installation_id: InstallationId, access_token_stdin: AccessTokenStdin = False, as_json: AsJson = False
) -> None:
    """Give an installation a new access token. It is active again, and what waited is sent.

    \b
    Example:
      echo "$TIKTOK_TOKEN" | connector installations reconnect ID --access-token-stdin
    """
    if not access_token_stdin:
        raise UsageError(_NEEDS_TOKEN)
    settings = command_settings()
    (token,) = read_lines("access token")
    with opened(settings) as storage:
        record, _ = reconnect_installation(storage, installation_id, token)
    _show_changed(settings, record, as_json, "reconnected: what waited is sent now")


def _show_changed(settings: Settings, record: InstallationRecord, as_json: bool, text: str) -> None:
    if as_json:
        write_json(_document(settings, record))
    else:
        say(f"{record.id} ({record.store_url}): {text}")


def _document(settings: Settings, record: InstallationRecord) -> dict[str, Any]:
    names = "public_id platform store_url store_name state access access_reason pixel_code currency".split()
    return {
        "installation_id": record.id,
        **{name: getattr(record, name) for name in names},
        **_addresses(settings, record),
        "settings": record.settings.model_dump(mode="json"),
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


def _addresses(settings: Settings, record: InstallationRecord) -> dict[str, str]:
    return {
        "webhook_url": f"{settings.own_url}/webhooks/{record.platform}/{record.id}",
        "pixel_script_url": f"{settings.own_url}/pixel/{record.public_id}.js",
    }


def _write_pairs(document: Mapping[str, Any]) -> None:
    rows: list[tuple[str, Any]] = []
    for name, value in document.items():
        if isinstance(value, dict):
            rows += [
                (f"{name}.{key}", ", ".join(map(str, v)) if isinstance(v, list) else v) for key, v in value.items()
            ]
        elif isinstance(value, list):
            rows += [(f"{name}.{one['kind']}", f"{one['details']} ({one['count']} times)") for one in value]
        else:
            rows.append((name, value))
    write_table(("name", "value"), rows, "")
