"""WooCommerce: signed webhooks with whole bodies, and a companion plugin for what the store does not tell."""

from collections.abc import Sequence

from connector.core.store_events import StoreEvent
from connector.platforms.base import Capabilities, IncomingWebhook, ReadContext, Verdict, VerifiedWebhook
from connector.platforms.woocommerce import signature, topics

__all__ = ["WOOCOMMERCE", "WooCommerce"]


class WooCommerce:
    """The store platform, as `platforms.base.Platform` wants it. Facts: WooCommerce 9.9.5, recorded."""

    name: str = "woocommerce"
    capabilities: Capabilities = Capabilities(
        webhooks_carry_body=True,
        retries_failed_webhooks=False,
        disables_failing_webhooks=True,
        script_tags=True,
        tokens_expire=False,
        companion_plugin=True,
    )

    def verify(self, webhook: IncomingWebhook, secrets: Sequence[str]) -> Verdict:
        """Whether the raw bytes were signed with one of these secrets. Constant time, never raises."""
        return signature.verify(webhook, secrets)

    def deduplicates(self, body: bytes) -> bool:
        """Whether an equal body with an equal topic is the same webhook come twice."""
        return topics.deduplicates(body)

    def read(self, webhook: VerifiedWebhook, context: ReadContext) -> StoreEvent:
        """The body in our words. Raises UnreadablePayload when it is authentic but not understood."""
        return topics.read(webhook, context)


WOOCOMMERCE = WooCommerce()
