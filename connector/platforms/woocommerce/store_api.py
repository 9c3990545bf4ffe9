"""The store's API, one request and one reader for each thing that installing needs.

A request is a `Call` (method, path, query, body) that `rest.rest_request` makes ready for a store; a reader
turns the reply into a value of its own or a `StoreFault`, and never raises. Facts: WooCommerce 9.9.5, recorded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson

from connector.core.http_values import Reply, http_time
from connector.platforms.woocommerce.rest import StoreFault, read_fault

__all__ = [
    "COMPANION_TOPICS",
    "ORDER_TOPICS",
    "Call",
    "Disconnected",
    "OrdersPage",
    "PluginStatus",
    "RemoteScriptTag",
    "RemoteWebhook",
    "SystemStatus",
    "create_webhook",
    "delete_connection",
    "delete_script_tag",
    "delete_webhook",
    "list_script_tags",
    "list_webhooks",
    "orders_page",
    "plugin_status",
    "put_connection",
    "read_disconnected",
    "read_done",
    "read_orders_page",
    "read_plugin_status",
    "read_script_tag",
    "read_script_tags",
    "read_system_status",
    "read_webhook",
    "read_webhooks",
    "register_script_tag",
    "system_status",
    "update_webhook",
]

ORDER_TOPICS = ("order.created", "order.updated", "order.deleted", "order.restored", "customer.created")
COMPANION_TOPICS = (
    "cart.item_added",
    "storefront.product_viewed",
    "storefront.consent_changed",
    "storefront.standard_event",
)
_WEBHOOKS = "/wc/v3/webhooks"
_PLUGIN = "/wc-pixel-connector/v1"
PAGE_SIZE = 100  # 101 is refused
_OVERLAP = timedelta(seconds=5)  # `modified_after` is strict and counts whole seconds

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, repr=False)
class Call:
    """What to call, without the address of the store and the key. Bodies hold secrets: no `repr`."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """What the store says of itself. `plugins` are the active ones, name and folder/file."""

    woocommerce: str
    wordpress: str
    php: str
    currency: str
    home: str
    timezone: str
    hpos: bool
    plugins: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RemoteWebhook:
    """One webhook of the store; its secret is never told."""

    remote_id: int
    topic: str
    status: str
    delivery_url: str
    name: str


@dataclass(frozen=True, slots=True)
class OrdersPage:
    """Orders as the store wrote them, bytes of one JSON object each; `total` of them all, on `pages` pages, 0 when
    the store does not say. `listed` counts what stood on this one, orders or not; `told_at` is the store's own time.

    WooCommerce leaves out of a page what the key may not read and what no plugin knows any more, so a page that is
    not full, or empty, need not be the last.
    """

    orders: tuple[bytes, ...]
    total: int
    pages: int
    listed: int = 0
    told_at: datetime | None = None

    def is_last(self, number: int, size: int) -> bool:
        """Whether none follows this page, which was asked for by `number` with room for `size` orders."""
        return number >= self.pages if self.pages else self.listed < size


@dataclass(frozen=True, slots=True)
class RemoteScriptTag:
    """One script that the plugin prints."""

    remote_id: int
    src: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The plugin has forgotten us; whether the store's key went with it."""

    key_revoked: bool


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """What the companion plugin answers; `whole` is all of it."""

    version: str
    connected: bool
    installation_id: str
    topics: tuple[str, ...]
    conflicts: tuple[tuple[str, str], ...]  # name of the other plugin, its pixel code or ""
    page_cache: tuple[str, ...]
    whole: Mapping[str, Any]

    @property
    def suggests_direct_views(self) -> bool:
        """Whether the shop is so busy or so cached that views had better go past the store's queue."""
        beacons = self.whole.get("beacons")
        return isinstance(beacons, dict) and beacons.get("suggest_views_direct") is True


def system_status() -> Call:
    """Versions, currency, active plugins."""
    return Call("GET", "/wc/v3/system_status", {"_fields": "environment,settings,active_plugins"})


def read_system_status(reply: Reply) -> SystemStatus | StoreFault:
    """Of `system_status`."""
    return _read(reply, _system_status)


def list_webhooks(page: int = 1) -> Call:
    """Every webhook of the store, other apps' too."""
    return Call("GET", _WEBHOOKS, {"per_page": str(PAGE_SIZE), "page": str(page), "status": "all"})


def read_webhooks(reply: Reply) -> tuple[RemoteWebhook, ...] | StoreFault:
    """Of `list_webhooks`. A full page means that there may be another."""
    return _read(reply, lambda value: tuple(w for one in _list(value) if (w := _webhook(one))))


def create_webhook(*, topic: str, delivery_url: str, secret: str, name: str) -> Call:
    """Always with our own secret: the store would invent one that nobody can read."""
    if topic != topic.lower():
        raise ValueError("a topic that is not lower case makes a dead webhook")
    return Call(
        "POST", _WEBHOOKS, body={"name": name, "topic": topic, "delivery_url": delivery_url, "secret": secret}
    )


def update_webhook(remote_id: int, **fields: str) -> Call:
    """Change `status`, `secret`, `delivery_url`, `name`. `active` revives, but does not reset the failures."""
    return Call("PUT", f"{_WEBHOOKS}/{remote_id}", body=fields)


def read_webhook(reply: Reply) -> RemoteWebhook | StoreFault:
    """Of creating or updating one."""
    return _read(reply, _webhook)


def delete_webhook(remote_id: int) -> Call:
    """For good: without `force` the store answers 501."""
    return Call("DELETE", f"{_WEBHOOKS}/{remote_id}", {"force": "true"})


def orders_page(
    modified_after: datetime, *, page: int = 1, per_page: int = PAGE_SIZE, modified_before: datetime | None = None
) -> Call:
    """Orders changed since then, oldest change first, all statuses (drafts are among them: the reader skips).

    Times go as UTC without a zone and with `dates_are_gmt`: with both, the store shifts them by its own offset.
    They overlap by five seconds, so the caller must bear seeing an order twice.
    """
    query = {
        "status": "any",
        "orderby": "modified",
        "order": "asc",
        "per_page": str(per_page),
        "page": str(page),
        "dates_are_gmt": "true",
        "modified_after": _utc_without_zone(modified_after - _OVERLAP),
    }
    if modified_before is not None:
        query["modified_before"] = _utc_without_zone(modified_before)
    return Call("GET", "/wc/v3/orders", query)


def read_orders_page(reply: Reply) -> OrdersPage | StoreFault:
    """Of `orders_page`. Past the end: no orders, and a total of 0. What is no list is garbage, no empty page."""
    total, pages = (_count(reply.headers.get(name)) for name in ("x-wp-total", "x-wp-totalpages"))

    def build(value: object) -> OrdersPage | None:
        if not isinstance(value, list):
            return None
        orders = tuple(orjson.dumps(one) for one in value if isinstance(one, dict))
        return OrdersPage(orders, total, pages, len(value), http_time(reply.headers.get("date")))

    return _read(reply, build)


def list_script_tags() -> Call:
    """The scripts that the plugin prints."""
    return Call("GET", f"{_PLUGIN}/script-tags")


def read_script_tags(reply: Reply) -> tuple[RemoteScriptTag, ...] | StoreFault:
    """Of `list_script_tags`."""
    return _read(reply, lambda value: tuple(tag for one in _list(value) if (tag := _script_tag(one))))


def register_script_tag(src: str) -> Call:
    """Print this script on every page; asked twice, it is printed once."""
    return Call("POST", f"{_PLUGIN}/script-tags", body={"src": src, "event": "onload"})


def read_script_tag(reply: Reply) -> RemoteScriptTag | StoreFault:
    """Of `register_script_tag`."""
    return _read(reply, _script_tag)


def delete_script_tag(remote_id: int) -> Call:
    """Print it no more."""
    return Call("DELETE", f"{_PLUGIN}/script-tags/{remote_id}")


def plugin_status() -> Call:
    """Whether the companion plugin is there, and what it sees."""
    return Call("GET", f"{_PLUGIN}/status")


def read_plugin_status(reply: Reply) -> PluginStatus | StoreFault:
    """Of `plugin_status`; a fault `not_found` means: no plugin."""
    return _read(reply, _plugin_status)


def put_connection(
    *, installation_id: str, public_id: str, connector_url: str, link_secret: str, settings: Mapping[str, Any]
) -> Call:
    """Tell the plugin whom it belongs to."""
    body = {
        "installation_id": installation_id,
        "public_id": public_id,
        "connector_url": connector_url,
        "settings": dict(settings),
    }
    if link_secret:
        body["link_secret"] = link_secret
    return Call("PUT", f"{_PLUGIN}/connection", body=body)


def delete_connection(*, revoke_key: bool = False) -> Call:
    """Make the plugin forget us: connection, secret, scripts; with `revoke_key` the key of this call goes last."""
    return Call("DELETE", f"{_PLUGIN}/connection", {"revoke_key": "1"} if revoke_key else {})


def read_disconnected(reply: Reply) -> Disconnected | StoreFault:
    """Of `delete_connection`. A plugin from before `revoke_key` says nothing of the key: then it is still there."""
    return _read(reply, _disconnected)


def read_done(reply: Reply) -> bool | StoreFault:
    """For calls whose answer says no more than that it was done; what was gone already is done too."""
    fault = read_fault(reply)
    return fault if fault is not None and fault.kind != "not_found" else True


def _read(reply: Reply, build: Callable[[Any], _Value | None]) -> _Value | StoreFault:
    fault = read_fault(reply)
    if fault is not None:
        return fault
    value = build(orjson.loads(reply.body.lstrip(b"\xef\xbb\xbf \t\r\n")))
    return StoreFault("garbage", reply.status) if value is None else value


def _system_status(value: object) -> SystemStatus | None:
    if not isinstance(value, dict) or not isinstance(value.get("environment"), dict):
        return None
    environment, settings = value["environment"], _object(value.get("settings"))
    return SystemStatus(
        woocommerce=_text(environment.get("version")),
        wordpress=_text(environment.get("wp_version")),
        php=_text(environment.get("php_version")),
        currency=_text(settings.get("currency"))[:3],
        home=_text(environment.get("home_url")),
        timezone=_text(environment.get("default_timezone")),
        hpos=settings.get("HPOS_enabled") is True,
        plugins=tuple(
            (_text(one.get("name")), _text(one.get("plugin")))
            for one in _list(value.get("active_plugins"))
            if isinstance(one, dict)
        ),
    )


def _webhook(value: object) -> RemoteWebhook | None:
    if not isinstance(value, dict) or not isinstance(value.get("id"), int):
        return None
    texts = (_text(value.get(name)) for name in ("topic", "status", "delivery_url", "name"))
    return RemoteWebhook(value["id"], *texts)


def _script_tag(value: object) -> RemoteScriptTag | None:
    if not isinstance(value, dict) or not isinstance(value.get("id"), int):
        return None
    return RemoteScriptTag(value["id"], _text(value.get("src")))


def _disconnected(value: object) -> Disconnected | None:
    return Disconnected(value.get("key_revoked") is True) if isinstance(value, dict) else None


def _plugin_status(value: object) -> PluginStatus | None:
    if not isinstance(value, dict) or not isinstance(value.get("plugin"), str):
        return None
    conflicts = (one for one in _list(value.get("conflicts")) if isinstance(one, dict))
    return PluginStatus(
        version=value["plugin"],
        connected=value.get("connected") is True,
        installation_id=_text(value.get("installation_id")),
        topics=tuple(one for one in _list(value.get("topics")) if isinstance(one, str)),
        conflicts=tuple((_text(c.get("name") or c.get("plugin")), _text(c.get("pixel_code"))) for c in conflicts),
        page_cache=tuple(one for one in _list(value.get("page_cache")) if isinstance(one, str)),
        whole=value,
    )


def _utc_without_zone(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


def _count(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value[:500] if isinstance(value, str) else ""
