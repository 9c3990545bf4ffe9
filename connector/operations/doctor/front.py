"""What stands in front of this service: the public address as a store's server meets it."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from connector.core.http_values import OutgoingRequest, Reply
from connector.core.json_objects import json_object
from connector.errors import AddressRefused, SendFailed
from connector.operations.doctor.check import Check, fine, warning, wrong
from connector.outbound import send_now
from connector.settings import Settings

__all__ = ["public_address"]

_SECONDS = 5.0
_PORTS = frozenset({80, 443, 8080})  # WordPress calls no others
_NAME = "public_address"
_REDIRECTED = "set CONNECTOR_PUBLIC_URL to where it leads: a store's webhook does not follow with its body"


def public_address(settings: Settings) -> Iterator[Check]:
    """Whether stores can deliver to CONNECTOR_PUBLIC_URL; nothing while none is set."""
    if settings.public_url is None:
        return
    parts = urlsplit(settings.public_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if port not in _PORTS and not settings.allow_private_addresses:
        yield wrong(
            _NAME, f"port {port}: WordPress calls 80, 443 and 8080 only", "put a proxy on one of them in front"
        )
        return
    try:
        yield from _looked_at(settings.public_url)
    except (SendFailed, AddressRefused) as error:
        yield warning(_NAME, f"not reached from this machine ({error})", "look whether stores can reach it")


def _looked_at(url: str) -> Iterator[Check]:
    """Both ways in: as a proxy or a person asks, and as a store sends."""
    check = _judged(_asked(OutgoingRequest("GET", f"{url}/healthz")))
    yield check
    if check.ok:
        headers = {"Content-Type": "application/json"}
        yield _judged_webhook(_asked(OutgoingRequest("POST", f"{url}/webhooks/woocommerce/doctor", headers, b"{}")))


def _asked(request: OutgoingRequest) -> Reply:
    # Our own address, set by the operator: it may well be a private one.
    return send_now(request, allow_private=True, timeout_seconds=_SECONDS)


def _judged(reply: Reply) -> Check:
    if 300 <= reply.status < 400:
        return wrong(_NAME, f"answers with a redirect ({reply.status})", _REDIRECTED)
    if reply.status != 200:
        return wrong(_NAME, f"/healthz answers {reply.status}", "let the proxy in front pass every path on to us")
    if json_object(reply.body).get("status") != "up":
        return wrong(_NAME, "another program answers there", "let the proxy in front pass every path on to us")
    return fine(_NAME, "answers without a redirect")


def _judged_webhook(reply: Reply) -> Check:
    """Nobody is installed as `doctor`: our own answer is that there is no such installation."""
    name = "webhook_address"
    if reply.status == 404 and json_object(reply.body).get("error") == "installation_unknown":
        return fine(name, "webhooks get through")
    if 300 <= reply.status < 400:
        return wrong(name, f"a webhook is answered with a redirect ({reply.status})", _REDIRECTED)
    remedy = "let the proxy in front pass POST and every path below /webhooks on to us, unchanged"
    return wrong(name, f"a webhook does not get through: {reply.status}", remedy)
