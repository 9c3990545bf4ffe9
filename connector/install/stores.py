"""An installation's store as something that can be asked: its keys opened, its way of authentication known."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from connector.install.services import Services
from connector.install.store_client import StoreClient
from connector.platforms.woocommerce.connect import StoreKeys
from connector.platforms.woocommerce.rest import Access, Authentication
from connector.platforms.woocommerce.store_api import PluginStatus, SystemStatus
from connector.storage.installations import InstallationRecord, open_credentials
from connector.storage.tables_install import StoreAccess

__all__ = [
    "KnownStore",
    "known_store",
    "open_store",
    "remember_fact",
    "remember_lost_keys",
    "remember_plugin",
    "remember_store",
]

_table = StoreAccess.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class KnownStore:
    """What we know of a store without asking it now."""

    authentication: str
    keys_work: bool
    facts: dict[str, Any]
    plugin: dict[str, Any] | None
    checked_at: datetime | None

    @property
    def suggests_direct_views(self) -> bool:
        """Whether the plugin finds the shop so busy or so cached that views had better go past the store's queue."""
        plugin = self.plugin or {}
        beacons = plugin.get("beacons")
        is_busy = isinstance(beacons, dict) and bool(beacons.get("suggest_views_direct"))
        return is_busy or bool(plugin.get("page_cache"))


def open_store(services: Services, installation: InstallationRecord) -> StoreClient | None:
    """A client with the store's keys; None when there are none (added by command, uninstalled, burned)."""
    now, ring = services.now(), services.storage.keys
    with services.storage.database.read() as connection:
        keys = open_credentials(connection, ring, installation.id, "consumer_key", now)
        secrets = open_credentials(connection, ring, installation.id, "consumer_secret", now)
        way = connection.execute(
            select(_table.c.authentication).where(_table.c.installation_id == installation.id)
        ).scalar()
    if not keys or not secrets or not way:
        return None
    access = Access(installation.store_url, StoreKeys(keys[0], secrets[0]), Authentication(way))
    return StoreClient(services, access)


def known_store(connection: Connection, installation_id: str) -> KnownStore | None:
    """From the table."""
    row = connection.execute(select(_table).where(_table.c.installation_id == installation_id)).first()
    if row is None:
        return None
    plugin = json.loads(row.plugin) if row.plugin else None
    return KnownStore(row.authentication, row.keys_work, json.loads(row.facts), plugin, row.checked_at)


def remember_store(
    connection: Connection, installation_id: str, access: Access, status: SystemStatus, now: datetime
) -> None:
    """Write what the store said of itself; the plugin's part starts anew."""
    connection.execute(delete(_table).where(_table.c.installation_id == installation_id))
    values = {
        "installation_id": installation_id,
        "authentication": access.authentication.value,
        "keys_work": True,
        "facts": json.dumps(asdict(status)),
        "plugin": "",
        "checked_at": now,
    }
    connection.execute(insert(_table), values)


def remember_plugin(
    connection: Connection,
    installation_id: str,
    status: PluginStatus | None,
    now: datetime,
    *,
    keys_work: bool = True,
) -> None:
    """Write what the plugin said, None when it is not there."""
    whole = json.dumps(dict(status.whole)) if status is not None else ""
    values = {"plugin": whole, "checked_at": now, "keys_work": keys_work}
    connection.execute(update(_table).where(_table.c.installation_id == installation_id).values(**values))


def remember_fact(connection: Connection, installation_id: str, name: str, value: object) -> None:
    """Add one thing to what is known of a store; nothing happens for a store without keys."""
    mine = _table.c.installation_id == installation_id
    facts = connection.execute(select(_table.c.facts).where(mine).with_for_update()).scalar()
    if facts is not None:
        changed = json.dumps(json.loads(facts) | {name: value})
        connection.execute(update(_table).where(mine).values(facts=changed))


def remember_lost_keys(connection: Connection, installation_id: str, now: datetime) -> None:
    """The store knows our keys no more; what we knew of it stays."""
    values = {"checked_at": now, "keys_work": False}
    connection.execute(update(_table).where(_table.c.installation_id == installation_id).values(**values))
