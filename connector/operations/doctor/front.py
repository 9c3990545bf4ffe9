"""What stands in front of this service: the public address as a store's server meets it."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from connector.core.http_values import OutgoingRequest, Reply
from connector.errors import AddressRefused, SendFailed
from connector.operations.doctor.check import Check, fine, warning, wrong
from connector.outbound import send_now
from connector.settings import Settings

__all__ = ["public_address"]

_SECONDS = 5.0
_PORTS = frozenset({80, 443, 8080})  # WordPress calls no others
_NAME = "public_address"


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
        # Our own address, set by the operator: it may well be a private one.
        request = OutgoingRequest("GET", f"{settings.public_url}/healthz")
        reply = send_now(request, allow_private=True, timeout_seconds=_SECONDS)
    except (SendFailed, AddressRefused) as error:
        yield warning(_NAME, f"not reached from this machine ({error})", "look whether stores can reach it")
        return
    yield _judged(reply)


def _judged(reply: Reply) -> Check:
    if 300 <= reply.status < 400:
        remedy = "set CONNECTOR_PUBLIC_URL to where it leads: a store's webhook does not follow with its body"
        return wrong(_NAME, f"answers with a redirect ({reply.status})", remedy)
    if reply.status != 200:
        return wrong(_NAME, f"/healthz answers {reply.status}", "let the proxy in front pass every path on to us")
    return fine(_NAME, "answers without a redirect")
