"""Leaving a store: webhooks, our script, the plugin's connection and last the key itself, while it still works."""

from dataclasses import dataclass

from sqlalchemy import Connection, Table, delete, select

from connector.install.owner.sessions import end_all_sessions
from connector.install.services import Services
from connector.install.stores import open_store
from connector.install.subscriptions import remove_subscriptions
from connector.install.tiktok_side import disconnect_tiktok
from connector.platforms.woocommerce.store_api import (
    Disconnected,
    delete_connection,
    delete_script_tag,
    read_disconnected,
    read_done,
)
from connector.storage.audit import audit_in
from connector.storage.installations import InstallationRecord, change_installation, remove_credentials
from connector.storage.tables import (
    AttemptEvent,
    ConsentRecord,
    DeliveryAttempt,
    Event,
    EventWork,
    Notice,
    RefusedWebhook,
    SearchTerm,
    Webhook,
    WebhookKey,
    WebhookWork,
)
from connector.storage.tables_console import RollupHour
from connector.storage.tables_install import (
    OwnerLink,
    OwnerPassword,
    ScriptTag,
    StoreAccess,
    WebhookSubscription,
)

__all__ = ["Uninstalled", "erase_history", "uninstall"]

_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Uninstalled:
    """What could be taken out of the store. A part that is False is left to its owner."""

    webhooks: bool
    plugin: bool
    key: bool
    erased: bool


def uninstall(services: Services, installation: InstallationRecord, *, erase: bool, actor: str) -> Uninstalled:
    """Leave the store and mark the installation removed; with `erase` its history goes too."""
    webhooks, plugin, key = _leave_store(services, installation)
    disconnect_tiktok(services, installation, actor=actor)
    now = services.now()
    with services.storage.database.write() as connection:
        remove_credentials(connection, installation.id)
        _forget(connection, installation.id, (StoreAccess, WebhookSubscription, ScriptTag, OwnerPassword, OwnerLink))
        change_installation(connection, installation.id, now, state="removed")
        audit_in(
            connection, services.storage, actor, "uninstall", installation_id=installation.id, target="erase" * erase
        )
    end_all_sessions(services, installation.id)
    if erase:
        erase_history(services, installation.id)
    return Uninstalled(webhooks, plugin, key, erase)


def _leave_store(services: Services, installation: InstallationRecord) -> tuple[bool, bool, bool]:
    client = open_store(services, installation)
    if client is None:
        return False, False, False
    webhooks = remove_subscriptions(services, installation, client)
    table = _table(ScriptTag)
    with services.storage.database.read() as connection:
        mine = table.c.installation_id == installation.id
        tag = connection.execute(select(table.c.remote_id).where(mine)).scalar()
    if tag:
        client.ask(delete_script_tag(tag), read_done)
    left = client.ask(delete_connection(revoke_key=True), read_disconnected)
    if isinstance(left, Disconnected):
        return webhooks, True, left.key_revoked
    return webhooks, left.kind == "not_found", False  # not found: no plugin there


def erase_history(services: Services, installation_id: str) -> None:
    """Delete what was received and sent, in small transactions. The ledger of orders stays: it holds no person,
    and without it an order could be sold twice after a new installation."""
    for parent, child, of_parent in ((Webhook, SearchTerm, "webhook_id"), (Event, AttemptEvent, "event_row_id")):
        while _erase_some(services, installation_id, parent, child, of_parent):
            pass
    with services.storage.database.write() as connection:
        _forget(
            connection,
            installation_id,
            (DeliveryAttempt, ConsentRecord, Notice, RefusedWebhook, WebhookWork, EventWork, RollupHour),
        )


def _erase_some(services: Services, installation_id: str, parent: type, child: type, of_parent: str) -> bool:
    rows, parts, keys = _table(parent), _table(child), _table(WebhookKey)
    with services.storage.database.write() as connection:
        mine = select(rows.c.id).where(rows.c.installation_id == installation_id).limit(_CHUNK)
        ids = list(connection.execute(mine).scalars())
        if not ids:
            return False
        connection.execute(delete(parts).where(parts.c[of_parent].in_(ids)))
        if parent is Webhook:
            digests = select(rows.c.digest).where(rows.c.id.in_(ids))
            connection.execute(delete(keys).where(keys.c.digest.in_(digests)))
        connection.execute(delete(rows).where(rows.c.id.in_(ids)))
    return True


def _forget(connection: Connection, installation_id: str, tables: tuple[type, ...]) -> None:
    for one in tables:
        rows = _table(one)
        connection.execute(delete(rows).where(rows.c.installation_id == installation_id))


def _table(one: type) -> Table:
    found: Table = one.__table__  # type: ignore[attr-defined]
    return found
