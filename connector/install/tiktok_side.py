"""Connecting TikTok: a token and a pixel, tried with a test event before they are believed."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from connector.core.conversion_events import ConversionEvent, UserData
from connector.core.event_names import VIEW_CONTENT
from connector.core.http_values import OutgoingRequest, Reply
from connector.core.results import Accepted, AccessLost, Rejected
from connector.errors import AddressRefused, SendFailed
from connector.install.services import Services
from connector.storage.audit import audit_in
from connector.storage.deliveries import resume_access
from connector.storage.installations import (
    InstallationRecord,
    change_installation,
    open_credentials,
    remove_credentials,
    replace_credential,
)
from connector.tiktok.oauth import (
    AccessGrant,
    Advertiser,
    ApiFault,
    Pixel,
    advertisers_request,
    create_pixel_request,
    pixels_request,
    read_advertisers,
    read_created_pixel,
    read_pixels,
    read_token,
    revoke_request,
    token_request,
)
from connector.tiktok.payload import batch_request, event_bytes
from connector.tiktok.replies import read_reply

__all__ = [
    "Choice",
    "Offer",
    "TestAnswer",
    "connect_tiktok",
    "create_pixel",
    "disconnect_tiktok",
    "exchange_code",
    "offered_pixels",
    "send_test_event",
    "waiting_grant",
]

_SECONDS = 15.0
_MOST_AT_ONCE = 5  # accounts whose pixels are asked for together: each is a call that somebody waits for
_MOST_PAGES = 10
# Any code keeps the event out of reports; the owner sees it in Events Manager under their own one.
_UNNAMED_TEST = "TEST00000"
_GRANT = "tiktok_grant"  # a token whose pixel is not chosen yet
_GRANT_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TestAnswer:
    """What TikTok said to a test event. `reason` is a key of the explanations, empty when accepted."""

    __test__ = False  # a value, not a test

    accepted: bool
    reason: str = ""
    message: str = ""
    code: int | None = None

    @property
    def may_be_used(self) -> bool:
        """Accepted, or TikTok is only away: what it refused for good is not kept."""
        return self.accepted or self.reason in ("no_answer", "busy")


@dataclass(frozen=True, slots=True)
class Choice:
    """One account and its pixels. With a `fault` it could not be asked, so it may have some all the same."""

    advertiser: Advertiser
    pixels: tuple[Pixel, ...]
    fault: ApiFault | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What the owner may pick: pixels, or first one of many accounts."""

    choices: tuple[Choice, ...] = ()
    accounts: tuple[Advertiser, ...] = ()


def send_test_event(
    services: Services, *, store_url: str, pixel_code: str, access_token: str, test_event_code: str | None = None
) -> TestAnswer:
    """One product view under a test code, with nobody's identity but a made-up one."""
    event = ConversionEvent(
        name=VIEW_CONTENT,
        event_id="connection-check-" + secrets.token_hex(8),
        event_time=services.now(),
        pixel_code=pixel_code,
        page_url=store_url + "/",
        user=UserData(user_agent="pixel-connector connection check"),
    )
    request = batch_request(
        [event_bytes(event)],
        pixel_code=pixel_code,
        access_token=access_token,
        api_url=services.tiktok.api_url,
        test_event_code=test_event_code or _UNNAMED_TEST,
    )
    reply = _send(services, request)
    if reply is None:
        return TestAnswer(False, "no_answer")
    read = read_reply(reply.status, reply.headers, reply.body, token=access_token)
    if isinstance(read.result, Accepted):
        return TestAnswer(True, code=read.code)
    reason = read.result.reason if isinstance(read.result, AccessLost | Rejected) else "busy"
    return TestAnswer(False, reason, read.message, read.code)


def connect_tiktok(
    services: Services, installation: InstallationRecord, *, pixel_code: str, access_token: str, actor: str
) -> None:
    """Use this pixel with this token from now on; what waited is sent. A pause by the owner stays."""
    now, storage = services.now(), services.storage
    with storage.database.write() as connection:
        replace_credential(
            connection,
            storage.keys,
            row_id=storage.new_id(),
            installation_id=installation.id,
            kind="access_token",
            text=access_token,
            now=now,
        )
        remove_credentials(connection, installation.id, (_GRANT,))
        change_installation(connection, installation.id, now, pixel_code=pixel_code)
        resume_access(connection, installation.id, now)
        audit_in(connection, storage, actor, "connect_tiktok", installation_id=installation.id, target=pixel_code)


def disconnect_tiktok(services: Services, installation: InstallationRecord, *, actor: str) -> None:
    """Forget the token, and end it at TikTok when it came from our app. What waits stays and waits."""
    token, now = _stored(services, installation, "access_token"), services.now()
    if token and services.tiktok.is_known:
        _send(services, _revoke(services, token))
    with services.storage.database.write() as connection:
        remove_credentials(connection, installation.id, ("access_token", _GRANT))
        change_installation(connection, installation.id, now, access="lost", access_reason="not_connected")
        audit_in(connection, services.storage, actor, "disconnect_tiktok", installation_id=installation.id)


def access_token(services: Services, installation: InstallationRecord) -> str:
    """The token in use, empty when there is none."""
    return _stored(services, installation, "access_token")


def exchange_code(services: Services, installation: InstallationRecord, auth_code: str) -> AccessGrant | ApiFault:
    """The code of TikTok's return for a token, which then waits for a pixel to be chosen."""
    app = services.tiktok
    request = token_request(app.api_url, app_id=app.app_id, secret=app.app_secret, auth_code=auth_code)
    reply = _send(services, request)
    grant = _NO_ANSWER if reply is None else read_token(reply)
    if isinstance(grant, AccessGrant):
        with services.storage.database.write() as connection:
            _keep_grant(services, connection, installation, grant.access_token)
    return grant


def _keep_grant(services: Services, connection: Connection, installation: InstallationRecord, token: str) -> None:
    now = services.now()
    replace_credential(
        connection,
        services.storage.keys,
        row_id=services.storage.new_id(),
        installation_id=installation.id,
        kind=_GRANT,
        text=token,
        now=now,
    )


def waiting_grant(services: Services, installation: InstallationRecord) -> str:
    """The token that waits for its pixel, empty when there is none."""
    return _stored(services, installation, _GRANT)


def offered_pixels(services: Services, token: str, account: str = "") -> Offer | ApiFault:
    """Every pixel of every account that the token opens; of many accounts (an agency's) only those of `account`."""
    app = services.tiktok
    request = advertisers_request(app.api_url, app_id=app.app_id, secret=app.app_secret, access_token=token)
    reply = _send(services, request)
    found = _NO_ANSWER if reply is None else read_advertisers(reply)
    if isinstance(found, ApiFault):
        return found
    wanted = found if len(found) <= _MOST_AT_ONCE else [one for one in found if one.advertiser_id == account]
    if found and not wanted:
        return Offer(accounts=tuple(sorted(found, key=lambda one: one.name.casefold())))
    return Offer(choices=tuple(_choice(services, token, one) for one in wanted))


def _choice(services: Services, token: str, advertiser: Advertiser) -> Choice:
    """Its pixels, page by page."""
    found: list[Pixel] = []
    page: int | None = 1
    while page is not None and page <= _MOST_PAGES:
        request = pixels_request(
            services.tiktok.api_url, access_token=token, advertiser_id=advertiser.advertiser_id, page=page
        )
        reply = _send(services, request)
        read = _NO_ANSWER if reply is None else read_pixels(reply)
        if isinstance(read, ApiFault):
            return Choice(advertiser, tuple(found), read)
        found += read.pixels
        page = read.next_page
    return Choice(advertiser, tuple(found))


def create_pixel(services: Services, token: str, advertiser_id: str, name: str) -> Pixel | ApiFault:
    """A new pixel in that account."""
    request = create_pixel_request(
        services.tiktok.api_url, access_token=token, advertiser_id=advertiser_id, name=name
    )
    reply = _send(services, request)
    return _NO_ANSWER if reply is None else read_created_pixel(reply)


_NO_ANSWER = ApiFault("no_answer", True, None, "", None)


def _revoke(services: Services, token: str) -> OutgoingRequest:
    app = services.tiktok
    return revoke_request(app.api_url, app_id=app.app_id, secret=app.app_secret, access_token=token)


def _stored(services: Services, installation: InstallationRecord, kind: str) -> str:
    with services.storage.database.read() as connection:
        found = open_credentials(connection, services.storage.keys, installation.id, kind, services.now())
    return found[0] if found else ""


def _send(services: Services, request: OutgoingRequest) -> Reply | None:
    """One call of the operator's own address of TikTok, so unguarded."""
    try:
        return services.calls(request, timeout_seconds=_SECONDS, guarded=False)
    except (SendFailed, AddressRefused):
        return None
