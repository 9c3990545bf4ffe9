"""What is done at the store once an installation is active: webhooks, the plugin's connection, the script."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, update

from connector.install.receiver import PingAnswer, look_at_receiver
from connector.install.services import Services
from connector.install.store_client import StoreClient
from connector.install.stores import open_store, remember_lost_keys, remember_plugin
from connector.install.subscriptions import SubscriptionCheck, reconcile_subscriptions
from connector.platforms.woocommerce.rest import StoreFault
from connector.platforms.woocommerce.store_api import (
    PluginStatus,
    RemoteScriptTag,
    plugin_status,
    put_connection,
    read_done,
    read_plugin_status,
    read_script_tag,
    register_script_tag,
)
from connector.storage.installations import InstallationRecord, open_credentials
from connector.storage.tables_install import ScriptTag

__all__ = ["SetUp", "pixel_script_url", "push_settings", "register_script", "set_up_store"]

_table = ScriptTag.__table__  # type: ignore[attr-defined]
# What the plugin reads of our settings (STOREFRONT.md section 9).
_PLUGIN_SETTINGS = (
    "purchase_event",
    "views_direct",
    "consent_policy",
    "paid_statuses",
    "value_basis",
    "content_id",
    "disabled_events",
)


@dataclass(frozen=True, slots=True)
class SetUp:
    """How far it came. `plugin` is None when there is none; `fault` is a fault's kind or empty.

    `ping` is what the store hears when it pings a new webhook, None when it did not come so far.
    """

    subscriptions: SubscriptionCheck
    plugin: PluginStatus | None
    has_script: bool
    fault: str = ""
    ping: PingAnswer | None = None


def pixel_script_url(services: Services, public_id: str) -> str:
    """The script that the storefront loads."""
    return f"{services.own_url}/pixel/{public_id}.js"


def set_up_store(services: Services, installation: InstallationRecord) -> SetUp:
    """Do all of it, again if need be: each part is done once however often this is called."""
    client = open_store(services, installation)
    if client is None:
        return SetUp(SubscriptionCheck(fault="no_keys"), None, False, "no_keys")
    plugin = client.ask(plugin_status(), read_plugin_status)
    if isinstance(plugin, StoreFault) and plugin.kind != "not_found":
        _remember(services, installation, None, keys_work=plugin.kind not in ("unauthorised", "forbidden"))
        return SetUp(SubscriptionCheck(fault=plugin.kind), None, False, plugin.kind)
    present = None if isinstance(plugin, StoreFault) else plugin
    fault = _connect_plugin(services, installation, client) if present is not None else ""
    check = reconcile_subscriptions(services, installation, companion=present is not None)
    has_script = present is not None and register_script(services, installation, client)
    _remember(services, installation, present, keys_work=True)
    ping = look_at_receiver(services, installation.id)
    return SetUp(check, present, has_script, fault or check.fault, ping)


def push_settings(services: Services, installation: InstallationRecord) -> bool:
    """Tell the plugin of changed settings. False when it could not be told (or is not there)."""
    client = open_store(services, installation)
    return client is not None and _connect_plugin(services, installation, client) == ""


def plugin_settings(installation: InstallationRecord) -> dict[str, Any]:
    """The settings as the plugin reads them."""
    values = installation.settings.model_dump(mode="json", include=set(_PLUGIN_SETTINGS))
    return {**values, "pixel_code": installation.pixel_code}


def _connect_plugin(services: Services, installation: InstallationRecord, client: StoreClient) -> str:
    with services.storage.database.read() as connection:
        secrets = open_credentials(connection, services.storage.keys, installation.id, "link_secret", services.now())
    call = put_connection(
        installation_id=installation.id,
        public_id=installation.public_id,
        connector_url=services.own_url,
        link_secret=secrets[0] if secrets else "",
        settings=plugin_settings(installation),
    )
    answer = client.ask(call, read_done)
    return answer.kind if isinstance(answer, StoreFault) else ""


def register_script(services: Services, installation: InstallationRecord, client: StoreClient) -> bool:
    """Have the plugin print our script, once. What was seen of it on the storefront stays known."""
    src = pixel_script_url(services, installation.public_id)
    tag = client.ask(register_script_tag(src), read_script_tag)
    if not isinstance(tag, RemoteScriptTag):
        return False
    with services.storage.database.write() as connection:
        values = {"remote_id": tag.remote_id, "src": src}
        known = update(_table).where(_table.c.installation_id == installation.id).values(values)
        if connection.execute(known).rowcount == 0:
            connection.execute(insert(_table), {"installation_id": installation.id, **values})
    return True


def _remember(
    services: Services, installation: InstallationRecord, plugin: PluginStatus | None, *, keys_work: bool
) -> None:
    with services.storage.database.write() as connection:
        if keys_work:
            remember_plugin(connection, installation.id, plugin, services.now())
        else:
            remember_lost_keys(connection, installation.id, services.now())
