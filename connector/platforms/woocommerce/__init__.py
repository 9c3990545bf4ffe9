"""WooCommerce: signed webhooks with whole bodies, and a companion plugin for what the store does not tell."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from connector.core.store_events import StoreEvent
from connector.platforms.base import Capabilities, FetchBack, IncomingWebhook, ReadContext, Verdict, VerifiedWebhook
from connector.platforms.woocommerce import signature, topics

__all__ = ["WOOCOMMERCE", "WooCommerce"]


class WooCommerce:
    """The store platform, as `platforms.base.Platform` wants it. Facts: WooCommerce 9.9.5, recorded."""

    name: str = "woocommerce"
    capabilities: Capabilities = Capabilities(
        retries_failed_webhooks=False,
        disables_failing_webhooks=True,
        script_tags=True,
        tokens_expire=False,
        companion_plugin=True,
    )
    kept_headers: frozenset[str] = frozenset(
        "content-type user-agent x-wc-webhook-source x-wc-webhook-topic x-wc-webhook-id"
        " x-wc-webhook-delivery-id".split()
    )
    credential_kinds: tuple[str, ...] = ()
    fetch_back: FetchBack | None = None

    def verify(self, webhook: IncomingWebhook, secrets: Sequence[str], now: datetime) -> Verdict:
        """Whether the raw bytes were signed with one of these secrets. The store signs no time."""
        return signature.verify(webhook, secrets)

    def stated_topic(self, headers: Mapping[str, str]) -> str:
        """The topic that a call's headers state."""
        return headers.get("x-wc-webhook-topic", "")

    def stated_store(self, headers: Mapping[str, str]) -> str:
        """The store's home address; it follows the scheme and the `www` of whoever ran its queue."""
        return headers.get("x-wc-webhook-source", "")

    def deduplicates(self, body: bytes) -> bool:
        """Whether an equal body with an equal topic is the same webhook come twice."""
        return topics.deduplicates(body)

    def read(self, webhook: VerifiedWebhook, context: ReadContext) -> StoreEvent:
        """The body in our words. Raises UnreadablePayload when it is authentic but not understood."""
        return topics.read(webhook, context)


WOOCOMMERCE = WooCommerce()
