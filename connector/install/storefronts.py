"""The storefront as its visitors get it: whether our script is there, and who else fires a TikTok pixel."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from connector.install.checks import conflicts_in
from connector.install.services import Services, tell_owner
from connector.install.setting_up import pixel_script_url, register_script, set_up_store
from connector.install.store_client import StoreClient, fetch_page
from connector.install.stores import known_store, open_store, remember_plugin
from connector.platforms.woocommerce.rest import StoreFault
from connector.platforms.woocommerce.store_api import PluginStatus, plugin_status, read_plugin_status
from connector.storage.installations import InstallationRecord
from connector.storage.notices import keep_notice, resolve_notices
from connector.storage.tables_install import ScriptTag

__all__ = ["StorefrontLook", "find_script", "is_due", "look_at_storefront", "watch_storefront"]

# A page cache may hold old pages for hours; what was found is looked for a few times a day.
_AGAIN_WHEN_FOUND = timedelta(hours=6)
_AGAIN_WHEN_MISSING = timedelta(hours=1)
_AWAY_FOR = timedelta(minutes=30)  # so long after a look that did not find it, its owner is told
_table = ScriptTag.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class StorefrontLook:
    """What one look saw. `has_script` is None when there was no page to look at."""

    has_script: bool | None
    conflicts: tuple[str, ...] = ()
    mended: bool = False  # the script was missing at the store, too, and is registered again


def find_script(services: Services, installation: InstallationRecord) -> bool:
    """Whether the front page carries our script, plugin or snippet; remembered with its time."""
    return look_at_storefront(services, installation).has_script is True


def look_at_storefront(services: Services, installation: InstallationRecord) -> StorefrontLook:
    """Read the front page and remember what is on it. A page that does not come says nothing about the script."""
    page = fetch_page(services, installation.store_url + "/")
    if isinstance(page, StoreFault) or page.status != 200:
        return StorefrontLook(None)
    src = pixel_script_url(services, installation.public_id)
    found = re.search(re.escape(src).encode(), page.body) is not None
    look = StorefrontLook(found, tuple(conflicts_in(page.body)))
    _remember(services, installation, src, found)
    _tell_conflicts(services, installation, look.conflicts)
    return look


def is_due(services: Services, installation: InstallationRecord) -> bool:
    """Whether it is time for the next scheduled look."""
    seen = _script(services, installation)
    if seen is None or seen.checked_at is None:
        return True
    again = _AGAIN_WHEN_FOUND if seen.seen_at == seen.checked_at else _AGAIN_WHEN_MISSING
    due: datetime = seen.checked_at + again
    return services.now() >= due


def watch_storefront(services: Services, installation: InstallationRecord) -> StorefrontLook:
    """The scheduled look: sets up a plugin that has come, puts a missing script back, tells when it stays away."""
    client = open_store(services, installation)
    if client is None:
        return StorefrontLook(None)
    plugin = client.ask(plugin_status(), read_plugin_status)
    if isinstance(plugin, StoreFault) and plugin.kind != "not_found":
        return StorefrontLook(None)
    present = None if isinstance(plugin, StoreFault) else plugin
    missing_since = _missing_since(services, installation)
    mended = _put_back(services, installation, client, present)
    look = look_at_storefront(services, installation)
    _tell_missing(services, installation, look, present, missing_since)
    return StorefrontLook(look.has_script, look.conflicts, mended)


def _put_back(
    services: Services, installation: InstallationRecord, client: StoreClient, plugin: PluginStatus | None
) -> bool:
    """Whether the store had lost our script and has it again."""
    with services.storage.database.read() as connection:
        known = known_store(connection, installation.id)
    is_new = plugin is not None and (known is None or known.plugin is None)
    if plugin is not None and (is_new or not plugin.connected):
        return set_up_store(services, installation).has_script
    with services.storage.database.write() as connection:
        remember_plugin(connection, installation.id, plugin, services.now())
    if plugin is None or plugin.installation_id != installation.id:
        return False
    if pixel_script_url(services, installation.public_id) in _sources(plugin):
        return False
    return register_script(services, installation, client)


def _sources(plugin: PluginStatus) -> list[Any]:
    tags = plugin.whole.get("script_tags")
    return [one.get("src") for one in (tags if isinstance(tags, list) else []) if isinstance(one, dict)]


def _script(services: Services, installation: InstallationRecord) -> Any:
    with services.storage.database.read() as connection:
        statement = select(_table).where(_table.c.installation_id == installation.id)
        return connection.execute(statement).first()


def _missing_since(services: Services, installation: InstallationRecord) -> datetime | None:
    """When a look did not find it last; None when it did, or when nobody has looked yet."""
    seen = _script(services, installation)
    if seen is None or seen.checked_at is None or seen.seen_at == seen.checked_at:
        return None
    found: datetime = seen.checked_at
    return found


def _remember(services: Services, installation: InstallationRecord, src: str, found: bool) -> None:
    now, mine = services.now(), _table.c.installation_id == installation.id
    changes = {"checked_at": now, **({"seen_at": now} if found else {})}
    with services.storage.database.write() as connection:
        if connection.execute(select(_table.c.src).where(mine)).first() is None:
            values = {"installation_id": installation.id, "remote_id": 0, "src": src}
            connection.execute(insert(_table), values)
        connection.execute(update(_table).where(mine).values(**changes))


def _tell_conflicts(services: Services, installation: InstallationRecord, names: tuple[str, ...]) -> None:
    with services.storage.database.write() as connection:
        keep_notice(
            connection,
            row_id=services.storage.new_id(),
            installation_id=installation.id,
            kind="pixel_conflict",
            details=", ".join(names),
            now=services.now(),
        )


def _tell_missing(
    services: Services,
    installation: InstallationRecord,
    look: StorefrontLook,
    plugin: PluginStatus | None,
    missing_since: datetime | None,
) -> None:
    """Only of a store that has our plugin: without it the checklist says what to do."""
    stays_away = missing_since is not None and services.now() - missing_since >= _AWAY_FOR
    with services.storage.database.write() as connection:
        if look.has_script or plugin is None:
            resolve_notices(connection, installation.id, ("script_missing",), services.now())
        elif look.has_script is False and stays_away:
            tell_owner(services, connection, installation.id, "script_missing")
