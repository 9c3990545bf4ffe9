"""A second platform as BigCommerce is one: signed with a time, webhooks that carry an id only, bodies to be fetched.

Nothing outside its folder knows of it; the tests put it into `PLATFORMS`.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from connector.core.store_events import Buyer, ConsentStatement, ConsentStatus, Named, NothingToDo, Order, StoreEvent
from connector.platforms.base import (
    Capabilities,
    FetchBack,
    IncomingWebhook,
    OutgoingRequest,
    ReadContext,
    StoreAccess,
    Verdict,
    VerifiedWebhook,
)
from connector.platforms.json_bodies import read_object

_TOLERANCE = timedelta(minutes=5)


def _ask(named: Named, access: StoreAccess) -> OutgoingRequest | None:
    tokens = access.secrets["store_token"]
    if not tokens:
        return None
    return OutgoingRequest("GET", f"{access.store_url}/v2/{named.path}", {"X-Auth-Token": tokens[0]})


def signed(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    """Headers as that store sends them."""
    stamp = str(int(at.timestamp()))
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"webhook-timestamp": stamp, "webhook-signature": mac}


class NamingPlatform:
    """Meets `platforms.base.Platform`."""

    name: str = "naming"
    capabilities: Capabilities = Capabilities(
        retries_failed_webhooks=True,
        disables_failing_webhooks=True,
        script_tags=True,
        tokens_expire=False,
        companion_plugin=False,
    )
    kept_headers: frozenset[str] = frozenset({"content-type", "webhook-timestamp"})
    credential_kinds: tuple[str, ...] = ("store_token",)
    fetch_back: FetchBack | None = staticmethod(_ask)

    def verify(self, webhook: IncomingWebhook, secrets: Sequence[str], now: datetime) -> Verdict:
        stamp = webhook.headers.get("webhook-timestamp", "")
        if not stamp.isdigit() or abs(now.timestamp() - int(stamp)) > _TOLERANCE.total_seconds():
            return Verdict("refused", reason="signature_old", text="the signed time is too far from now")
        at = datetime.fromtimestamp(int(stamp), now.tzinfo)
        sent = webhook.headers.get("webhook-signature", "")
        fits = [hmac.compare_digest(sent, signed(webhook.body, s, at)["webhook-signature"]) for s in secrets]
        if not any(fits):
            return Verdict("refused", reason="signature_wrong", text="the signature does not fit")
        return Verdict("authentic", str(json.loads(webhook.body)["scope"]))

    def stated_topic(self, headers: Mapping[str, str]) -> str:
        return ""

    def stated_store(self, headers: Mapping[str, str]) -> str:
        return ""

    def deduplicates(self, body: bytes) -> bool:
        return True

    def read(self, webhook: VerifiedWebhook, context: ReadContext) -> StoreEvent:
        body = read_object(webhook.body)
        if webhook.topic == "store/order/created":
            return Named("order", f"orders/{body['data']['id']}")
        return _order(body) if webhook.topic == "order" else NothingToDo("unknown_topic")


def _order(body: dict[str, str]) -> Order:
    return Order(
        order_id=int(body["id"]),
        order_key=body["cart_id"],
        number=body["id"],
        status="completed",
        currency=body["currency_code"],
        total=Decimal(body["total_inc_tax"]),
        total_tax=Decimal(0),
        shipping_total=Decimal(0),
        created_at=None,
        modified_at=None,
        paid_at=None,
        buyer=Buyer(email=body["email"]),
        consent=ConsentStatement(ConsentStatus.GRANTED),
    )
