"""What the stand-in store remembers, and its queue of webhook deliveries."""

import hashlib
import itertools
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from connector.demo.store_stand_in.orders import order_body
from connector.platforms.woocommerce.signature import sign

__all__ = ["Delivery", "StoreState", "StoreWebhook"]

MOST_FAILURES = 5  # WooCommerce's `woocommerce_max_webhook_delivery_failures`
ORDER_EVENTS = frozenset({"order.created", "order.updated", "order.deleted", "order.restored"})
PLUGIN_TOPICS = frozenset(
    {"cart.item_added", "storefront.product_viewed", "storefront.consent_changed", "storefront.standard_event"}
)
USER_AGENT = "WooCommerce/9.9.5 Hookshot (WordPress/6.9)"


@dataclass
class StoreWebhook:
    """One webhook. `unanswered_ping` is the store's own mark: the ping never got exactly 200."""

    id: int
    topic: str
    delivery_url: str
    secret: str
    name: str
    status: str = "active"
    failures: int = 0
    unanswered_ping: bool = True

    def shown(self) -> dict[str, Any]:
        """As REST tells it; the secret never."""
        resource, _, event = self.topic.partition(".")
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "topic": self.topic,
            "resource": resource,
            "event": event,
            "delivery_url": self.delivery_url,
        }


@dataclass(frozen=True)
class Delivery:
    """One call that the store made: a ping or an event."""

    webhook_id: int
    topic: str
    status: int | None
    is_ping: bool


@dataclass
class StoreState:
    """Everything of one store. Switches are plain attributes: change them as the case wants."""

    looks_https: bool = False  # behind a proxy that tells PHP of TLS: then Basic and query keys count
    drops_authorization: bool = False
    plain_permalinks: bool = False
    has_woocommerce: bool = True
    has_plugin: bool = False
    revokes_keys: bool = True  # a plugin that knows `revoke_key`
    demands_https_callback: bool = True
    head_html: str = ""
    plugin_conflicts: list[dict[str, str]] = field(default_factory=list)
    page_cache: list[str] = field(default_factory=list)  # as the plugin names them
    active_plugins: list[dict[str, str]] = field(default_factory=list)
    woocommerce: str = "9.9.5"
    currency: str = "EUR"
    source: str = "http://stand-in.store/"  # how its webhooks name it; the server puts its own address here
    home: str = ""  # its own idea of its address; the server puts its address here unless told another
    gmt_offset_hours: int = 0
    largest_page: int = 100  # of orders, whatever was asked for
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __post_init__(self) -> None:
        self.keys: dict[str, tuple[str, str]] = {}  # consumer key: secret, permissions
        self.webhooks: dict[int, StoreWebhook] = {}
        self.orders: dict[int, dict[str, Any]] = {}
        self.script_tags: dict[int, str] = {}
        self.connection: dict[str, Any] = {}
        self.queue: list[tuple[int, str]] = []
        self.deliveries: list[Delivery] = []
        self.nonces: set[str] = set()
        self.lock = threading.RLock()
        self._ids = itertools.count(1)

    @property
    def is_connected(self) -> bool:
        """Whether the plugin knows a connector."""
        return bool(self.connection)

    def next_id(self) -> int:
        """Ids of webhooks, orders and script tags are one row of numbers here."""
        return next(self._ids)

    def new_keys(self, permissions: str = "read_write") -> tuple[str, str]:
        """A consumer key and its secret."""
        key, secret = "ck_" + secrets.token_hex(20), "cs_" + secrets.token_hex(20)
        self.keys[key] = (secret, permissions)
        return key, secret

    # Orders and other happenings.

    def place_order(self, status: str = "processing", **changes: Any) -> int:
        """A new order, as block checkout makes it: `order.updated` is queued first, then `order.created`."""
        order_id = self.next_id()
        self.orders[order_id] = order_body(order_id, status, self.currency, self.clock(), changes)
        for topic in ("order.updated", "order.created"):
            self.happen(topic, str(order_id))
        return order_id

    def change_order(self, order_id: int, **changes: Any) -> None:
        """A new status or another field; one `order.updated`."""
        modified = self.clock().replace(tzinfo=None).isoformat(timespec="seconds")
        self.orders[order_id] |= {**changes, "date_modified_gmt": modified}
        self.happen("order.updated", str(order_id))

    def happen(self, topic: str, argument: str) -> None:
        """Queue an event for each webhook of its topic. Equal ones that wait already merge."""
        with self.lock:
            for webhook in self.webhooks.values():
                entry = (webhook.id, argument)
                if webhook.topic == topic and webhook.status == "active" and entry not in self.queue:
                    self.queue.append(entry)

    # The queue.

    def run_queue(self) -> int:
        """Deliver what waits, one after another; the bodies are built now. Returns how many were sent."""
        with self.lock:
            waiting, self.queue = self.queue, []
        sent = 0
        for webhook_id, argument in waiting:
            webhook = self.webhooks.get(webhook_id)
            if webhook is not None and webhook.status == "active":
                self._deliver(webhook, argument)
                sent += 1
        return sent

    def ping(self, webhook: StoreWebhook) -> None:
        """Unsigned; only exactly 200 clears the mark. Redirects are followed."""
        status = self._post(
            webhook.delivery_url,
            f"webhook_id={webhook.id}".encode(),
            {"Content-Type": "application/x-www-form-urlencoded"},
            follow=True,
        )
        webhook.unanswered_ping = status != 200
        self.deliveries.append(Delivery(webhook.id, webhook.topic, status, True))

    def _deliver(self, webhook: StoreWebhook, argument: str) -> None:
        body = self._body(webhook.topic, argument)
        status = self._post(webhook.delivery_url, body, self._headers(webhook, body), follow=False)
        self.deliveries.append(Delivery(webhook.id, webhook.topic, status, False))
        if status is not None and 200 <= status <= 302:
            webhook.failures = 0
        elif webhook.failures > MOST_FAILURES:
            webhook.status = "disabled"
        else:
            webhook.failures += 1
        if webhook.unanswered_ping:
            self.ping(webhook)

    def _body(self, topic: str, argument: str) -> bytes:
        if topic not in ORDER_EVENTS:
            return argument.encode()
        if topic == "order.deleted":
            return orjson.dumps({"id": int(argument)})
        order = self.orders.get(int(argument))
        if order is not None:
            return orjson.dumps(order)
        error = {"code": "woocommerce_rest_shop_order_invalid_id", "message": "Invalid ID.", "data": {"status": 404}}
        return orjson.dumps(error)

    def _headers(self, webhook: StoreWebhook, body: bytes) -> dict[str, str]:
        resource, _, event = webhook.topic.partition(".")
        # A hash of webhook and second: two events in one second share it.
        second = f"{webhook.id}{int(self.clock().timestamp())}"
        return {
            "Content-Type": "application/json",
            "Connection": "close",
            "X-WC-Webhook-Source": self.source,
            "X-WC-Webhook-Topic": webhook.topic,
            "X-WC-Webhook-Resource": resource,
            "X-WC-Webhook-Event": event,
            "X-WC-Webhook-Signature": sign(body, webhook.secret),
            "X-WC-Webhook-ID": str(webhook.id),
            "X-WC-Webhook-Delivery-ID": hashlib.md5(second.encode(), usedforsecurity=False).hexdigest(),
        }

    def _post(self, url: str, body: bytes, headers: Mapping[str, str], *, follow: bool) -> int | None:
        try:
            reply = httpx.post(
                url,
                content=body,
                headers={"User-Agent": USER_AGENT, **headers},
                follow_redirects=follow,
                timeout=5.0,
                trust_env=False,
            )
        except httpx.HTTPError:
            return None
        return reply.status_code
