"""From the approve page back to us: what to believe of the store's callback and of the browser's return.

Somebody may start an install for a stranger's store and send its owner the approve link. So the keys stay in
quarantine until the browser that started comes back; a return in any other browser burns the attempt; and after
both have come, half a minute must pass without such a second return, unless a person in the store's own
administration confirms.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from connector.errors import UnreadablePayload
from connector.install.activating import activate
from connector.install.attempts import (
    Attempt,
    change_attempt,
    find_attempt,
    open_keys,
    open_link_secret,
    read_again,
    seal_keys,
    seal_link_secret,
)
from connector.install.services import Services, tell_owner
from connector.install.store_client import StoreClient, find_access
from connector.install.uninstalling import uninstall
from connector.logs import log
from connector.platforms.woocommerce.connect import StoreKeys, read_callback
from connector.platforms.woocommerce.rest import Access, Authentication, StoreFault
from connector.platforms.woocommerce.store_api import (
    PluginStatus,
    delete_connection,
    plugin_status,
    put_connection,
    read_done,
    read_plugin_status,
)
from connector.storage.installations import change_installation, find_installation, remove_credentials

__all__ = ["Progress", "Returned", "Stage", "advance", "confirm_attempt", "take_callback", "take_return"]

# The merchant waits while we ask the store back; a store with a single worker cannot answer at all meanwhile.
_CALLBACK_SECONDS = 5.0
WAIT_FOR_CALLBACK = timedelta(seconds=90)


class Returned(StrEnum):
    """What a return address turned out to be."""

    OURS = "ours"
    REFUSED = "refused"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"


class Stage(StrEnum):
    """Where an attempt stands, for the page that waits with its owner."""

    APPROVE = "approve"
    NO_CALLBACK = "no_callback"
    SETTLING = "settling"
    ACTIVE = "active"
    RENEWED = "renewed"
    REFUSED = "refused"
    BURNED = "burned"
    STORE_AWAY = "store_away"
    KEYS_REFUSED = "keys_refused"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Progress:
    """A stage, and how many seconds are left of a wait."""

    stage: Stage
    seconds_left: int = 0
    fault: str = ""


def take_callback(services: Services, state: str, body: bytes) -> tuple[int, str]:
    """The store's call with its keys: an HTTP status (only 200 lets the store keep them) and one word.

    Keys that the store clearly does not know are refused. When it does not answer now, they wait in quarantine
    until the browser is back.
    """
    attempt = find_attempt(services, state)
    if attempt is None:
        return 404, "unknown_attempt"
    try:
        sent = read_callback(body)
    except UnreadablePayload as error:
        return 400, error.reason
    if sent.reference != state:
        return 400, "reference_differs"
    if attempt.status in ("burned", "refused", "failed") or attempt.is_over(services.now()):
        return 410, "attempt_over"
    found = find_access(services, attempt.store_url, sent.keys, _CALLBACK_SECONDS)
    if isinstance(found, StoreFault):
        if found.kind in ("unauthorised", "forbidden", "address_refused"):
            log.info("install_keys_refused", store=attempt.store_url, reason=found.kind)
            return 403, "keys_do_not_work"
        return _quarantine(services, attempt, sent.keys, None)
    return _quarantine(services, attempt, sent.keys, found[0].authentication)


def _quarantine(
    services: Services, attempt: Attempt, keys: StoreKeys, authentication: Authentication | None
) -> tuple[int, str]:
    """Seal the keys; keys that were proven before stay, whatever comes after them."""
    if attempt.status != "started" or attempt.keys_proven:
        return 200, "already_known"
    values = {
        "keys": seal_keys(services.storage.keys, attempt, keys),
        "keys_proven": authentication is not None,
        "authentication": authentication or "",
        "approved_at": attempt.approved_at or services.now(),
    }
    with services.storage.database.write() as connection:
        kept = change_attempt(connection, attempt, values)
    return (200, "quarantined") if kept else (410, "attempt_over")


def take_return(services: Services, state: str, browser: str | None, approved: bool) -> Returned:
    """The browser that comes back from the store. A foreign one ends the attempt, even a finished one."""
    attempt = find_attempt(services, state)
    if attempt is None:
        return Returned.UNKNOWN
    if not attempt.started_in(browser):
        _burn(services, attempt)
        return Returned.FOREIGN
    with services.storage.database.write() as connection:
        if approved:
            change_attempt(connection, attempt, {"returned_at": services.now()})
        elif change_attempt(connection, attempt, {"status": "refused", "keys": None}):
            return Returned.REFUSED
    return Returned.OURS


def _burn(services: Services, attempt: Attempt) -> None:
    """Discard the keys. What was made with them goes too: whoever started it may be signed in to it by now."""
    _take_back_connection(services, attempt)
    burned = {"status": "burned", "keys": None, "link_secret": None}
    with services.storage.database.write() as connection:
        was_waiting = change_attempt(connection, attempt, burned)
        was_active = not was_waiting and change_attempt(connection, attempt, burned, only_from=("active",))
    if was_active:
        _take_back_installation(services, read_again(services, attempt))
    if was_waiting or was_active:
        log.warning("install_burned", installation_id=attempt.installation_id)


def _take_back_installation(services: Services, attempt: Attempt) -> None:
    """Leave the store again. One that was there before was only given new keys: it stops, and its owner is told."""
    with services.storage.database.write() as connection:
        installation = find_installation(connection, attempt.installation_id)
        if attempt.reason == "renewed":
            remove_credentials(connection, attempt.installation_id, ("consumer_key", "consumer_secret"))
            change_installation(connection, attempt.installation_id, services.now(), state="paused")
            tell_owner(services, connection, attempt.installation_id, "foreign_return")
            return
    if installation is not None:
        uninstall(services, installation, erase=True, actor="return in another browser")


def _take_back_connection(services: Services, attempt: Attempt) -> None:
    """The plugin of an attempt in quarantine may know us already: it must forget us, while the keys still work."""
    keys = open_keys(services.storage.keys, attempt)
    if keys is None or attempt.link_secret is None or not attempt.authentication:
        return
    access = Access(attempt.store_url, keys, Authentication(attempt.authentication))
    StoreClient(services, access).ask(delete_connection(), read_done)


def advance(services: Services, attempt: Attempt) -> Progress:
    """Where the attempt stands; proves keys and activates when the time has come. Call it as often as you like."""
    if attempt.status != "started":
        return _ended(attempt)
    now = services.now()
    if attempt.is_over(now):
        return Progress(Stage.EXPIRED)
    if attempt.returned_at is None:
        return Progress(Stage.APPROVE)
    if attempt.approved_at is None:
        waited = now - attempt.returned_at
        return Progress(Stage.NO_CALLBACK, max(0, int((WAIT_FOR_CALLBACK - waited).total_seconds())))
    settled_at = max(attempt.approved_at, attempt.returned_at) + timedelta(seconds=services.settling_seconds)
    if now < settled_at and attempt.reason != "confirmed":
        _offer_confirmation(services, attempt)
        return Progress(Stage.SETTLING, max(1, int((settled_at - now).total_seconds())))
    return _activate(services, attempt)


def _ended(attempt: Attempt) -> Progress:
    if attempt.status == "active":
        return Progress(Stage.RENEWED if attempt.reason == "renewed" else Stage.ACTIVE)
    if attempt.status == "failed":
        return Progress(Stage.KEYS_REFUSED, fault=attempt.reason)
    return Progress(Stage(attempt.status))


def _activate(services: Services, attempt: Attempt) -> Progress:
    keys = open_keys(services.storage.keys, attempt)
    if keys is None:
        return Progress(Stage.EXPIRED)
    found = find_access(services, attempt.store_url, keys)
    if not isinstance(found, StoreFault):
        renewed = activate(services, attempt, *found)
        return Progress(Stage.RENEWED if renewed else Stage.ACTIVE)
    if found.kind in ("unauthorised", "forbidden", "address_refused"):
        with services.storage.database.write() as connection:
            change_attempt(connection, attempt, {"status": "failed", "reason": found.kind, "keys": None})
        return Progress(Stage.KEYS_REFUSED, fault=found.kind)
    return Progress(Stage.STORE_AWAY, fault=found.kind)


def _offer_confirmation(services: Services, attempt: Attempt) -> None:
    """Tell a plugin that belongs to nobody yet, so that its page in wp-admin can confirm at once."""
    if attempt.link_secret is not None or not attempt.keys_proven:
        return
    keys = open_keys(services.storage.keys, attempt)
    assert keys is not None
    client = StoreClient(services, Access(attempt.store_url, keys, Authentication(attempt.authentication)))
    status = client.ask(plugin_status(), read_plugin_status)
    if not isinstance(status, PluginStatus) or status.connected:
        return
    secret = secrets.token_hex(32)
    sealed = seal_link_secret(services.storage.keys, attempt, secret)
    with services.storage.database.write() as connection:
        change_attempt(connection, attempt, {"link_secret": sealed})
    call = put_connection(
        installation_id=attempt.installation_id,
        public_id=attempt.public_id,
        connector_url=services.own_url,
        link_secret=secret,
        settings={},
    )
    client.ask(call, read_done)


def confirm_attempt(services: Services, attempt: Attempt) -> bool:
    """A person in wp-admin said that the connection is theirs: no need to wait. False when it is over."""
    now = services.now()
    if attempt.status == "active":
        return True
    if attempt.status != "started" or attempt.is_over(now):
        return False
    values = {"reason": "confirmed", "returned_at": attempt.returned_at or now}
    with services.storage.database.write() as connection:
        return change_attempt(connection, attempt, values)


def secret_of_attempt(services: Services, attempt: Attempt) -> str:
    """The secret with which its plugin signs; empty when it has none."""
    return open_link_secret(services.storage.keys, attempt)
