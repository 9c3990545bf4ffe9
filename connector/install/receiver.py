"""Our own receiver as a store meets it: what a creation ping is answered, asked through our public address.

A store that was not answered exactly 200 pings again after every delivery, for ever, and its REST API never tells.
"""

from dataclasses import dataclass
from datetime import datetime

from connector.core.http_values import OutgoingRequest
from connector.errors import AddressRefused, SendFailed
from connector.install.services import Services
from connector.install.stores import remember_fact

__all__ = ["PingAnswer", "look_at_receiver", "ping_receiver", "remembered_answer", "webhook_url"]

_FACT = "ping"


@dataclass(frozen=True, slots=True)
class PingAnswer:
    """The HTTP status, 0 when nobody answered, and when it was asked for."""

    status: int
    asked_at: datetime

    @property
    def is_right(self) -> bool:
        """Only exactly 200 is."""
        return self.status == 200


def webhook_url(services: Services, installation_id: str) -> str:
    """Where an installation's webhooks arrive."""
    return f"{services.own_url}/webhooks/woocommerce/{installation_id}"


def ping_receiver(services: Services, installation_id: str) -> PingAnswer:
    """Send the ping that a store sends, to where it sends it."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = OutgoingRequest("POST", webhook_url(services, installation_id), headers, b"webhook_id=0")
    try:
        reply = services.calls(request, timeout_seconds=services.store_timeout, guarded=False)
    except (SendFailed, AddressRefused):
        return PingAnswer(0, services.now())
    return PingAnswer(reply.status, services.now())


def look_at_receiver(services: Services, installation_id: str) -> PingAnswer:
    """Ping it and remember the answer for the owner's pages."""
    answer = ping_receiver(services, installation_id)
    kept = {"status": answer.status, "asked_at": answer.asked_at.isoformat()}
    with services.storage.database.write() as connection:
        remember_fact(connection, installation_id, _FACT, kept)
    return answer


def remembered_answer(facts: dict[str, object]) -> PingAnswer | None:
    """What was remembered, from a known store's facts."""
    kept = facts.get(_FACT)
    if not isinstance(kept, dict):
        return None
    return PingAnswer(int(kept["status"]), datetime.fromisoformat(kept["asked_at"]))
