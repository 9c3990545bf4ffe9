"""TikTok as seen from here: whether it answers, and what time it has."""

from connector.core.http_values import OutgoingRequest, http_time
from connector.errors import AddressRefused, SendFailed
from connector.operations.doctor.check import Check, fine, warning
from connector.outbound import send_now
from connector.settings import Settings
from connector.storage.opening import Storage

__all__ = ["tiktok_address"]

_SECONDS = 5.0
_MOST_SECONDS_APART = 60.0
_NAME = "tiktok_address"


def tiktok_address(settings: Settings, storage: Storage) -> Check:
    """Advice at most: `doctor` may well run on a machine that sends nothing. No token goes along."""
    try:
        request = OutgoingRequest("GET", f"{settings.tiktok_api_url}/")
        reply = send_now(request, allow_private=True, timeout_seconds=_SECONDS)
    except (SendFailed, AddressRefused) as error:
        return warning(_NAME, f"not reached from this machine ({error})", "let the machines that send reach it")
    told = http_time(reply.headers.get("date"))
    if told is None:
        return fine(_NAME, "answers")
    apart = abs((storage.now() - told).total_seconds())
    if apart > _MOST_SECONDS_APART:
        remedy = "let this machine take its time from NTP: the age of events and signed calls of stores go by it"
        return warning(_NAME, f"answers, its clock is {apart:.0f} s away from ours", remedy)
    return fine(_NAME, "answers, and has the same time")
