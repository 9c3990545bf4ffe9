"""Adding, changing, pausing and removing installations, for whoever operates the service."""

import secrets
import string
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from connector.core.installation_settings import ConsentPolicy, InstallationSettings
from connector.errors import UsageError
from connector.operations.installation_values import (
    changed_values,
    currency_of,
    pixel_code_of,
    settings_with,
    store_url_of,
)
from connector.platforms import PLATFORMS
from connector.storage.audit import audit_in
from connector.storage.deliveries import resume_access
from connector.storage.installations import (
    InstallationRecord,
    add_credential,
    change_installation,
    find_installation,
    insert_installation,
    last_change,
    remove_credentials,
    replace_credential,
)
from connector.storage.opening import Storage

__all__ = [
    "ACTOR",
    "AddedInstallation",
    "NewInstallation",
    "add_installation",
    "new_public_word",
    "pause_installation",
    "reconnect_installation",
    "remove_installation",
    "require_installation",
    "resume_installation",
    "set_values",
]

ACTOR = "command line"
_ALPHABET = string.ascii_letters + string.digits
_WORD_LENGTH = 22  # 131 bits: nobody guesses an address
_STEP = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class NewInstallation:
    """What somebody gives to add an installation. Texts are as typed; both secrets stay out of `repr`."""

    platform: str
    store_url: str
    pixel_code: str
    access_token: str = field(repr=False)
    webhook_secret: str | None = field(default=None, repr=False)
    consent_policy: str | None = None
    test_event_code: str | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class AddedInstallation:
    """The new row, and the webhook secret when it was made here: it is never shown again."""

    record: InstallationRecord
    made_secret: str | None = field(repr=False)


def new_public_word() -> str:
    """An unguessable id of letters and digits: 22 of them, 131 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_WORD_LENGTH))


def add_installation(storage: Storage, new: NewInstallation) -> AddedInstallation:
    """Write an installation with its secrets; calls nobody. Raises UsageError with one line."""
    record = _new_record(new, storage.now())
    given = _given(new.webhook_secret, "webhook secret") if new.webhook_secret is not None else None
    made = None if given else secrets.token_hex(32)
    sealed = {"access_token": _token(new.access_token), "webhook_secret": given or made or ""}
    with storage.database.write() as connection:
        insert_installation(connection, record)
        for kind, text in sealed.items():
            add_credential(
                connection,
                storage.keys,
                row_id=storage.new_id(),
                installation_id=record.id,
                kind=kind,
                text=text,
                now=record.created_at,
            )
        _audit(connection, storage, "add_installation", record.id)
    return AddedInstallation(record, made)


def _new_record(new: NewInstallation, now: datetime) -> InstallationRecord:
    if new.platform not in PLATFORMS:
        raise UsageError(f"the platform is one of: {', '.join(PLATFORMS)}")
    given = {"consent_policy": new.consent_policy, "test_event_code": new.test_event_code}
    texts = {name: text for name, text in given.items() if text is not None}
    return InstallationRecord(
        id=new_public_word(),
        public_id=new_public_word(),
        platform=new.platform,
        store_url=store_url_of(new.store_url),
        store_name="",
        state="active",
        access="ok",
        access_reason="",
        pixel_code=pixel_code_of(new.pixel_code),
        currency=currency_of(new.currency),
        settings=settings_with(InstallationSettings(consent_policy=ConsentPolicy.BY_REGION), texts),
        created_at=now,
        updated_at=now,
    )


def require_installation(connection: Connection, installation_id: str) -> InstallationRecord:
    """By its id. Raises UsageError when there is none."""
    found = find_installation(connection, installation_id)
    if found is None:
        raise UsageError(f"there is no installation {installation_id!r} (see `connector installations list`)")
    return found


def set_values(storage: Storage, installation_id: str, assignments: list[str]) -> InstallationRecord:
    """Apply `KEY=VALUE` texts, all or none. Raises UsageError."""
    with storage.database.write() as connection:
        record = _standing(connection, installation_id)
        columns, settings = changed_values(record, assignments)
        change_installation(connection, installation_id, _moment(connection, storage), settings=settings, **columns)
        names = sorted(text.partition("=")[0].strip() for text in assignments)
        _audit(connection, storage, "set_installation", installation_id, target=", ".join(names))
        return replace(record, settings=settings, **columns)


def pause_installation(storage: Storage, installation_id: str) -> InstallationRecord:
    """Stop sending; webhooks are still taken."""
    return _change_state(storage, installation_id, "paused", "pause_installation")


def resume_installation(storage: Storage, installation_id: str) -> InstallationRecord:
    """Send again, what waited first."""
    return _change_state(storage, installation_id, "active", "resume_installation")


def remove_installation(storage: Storage, installation_id: str) -> InstallationRecord:
    """Mark it removed for good and forget every secret of it. Its history stays."""
    with storage.database.write() as connection:
        record = require_installation(connection, installation_id)
        if record.state != "removed":
            remove_credentials(connection, installation_id)
            change_installation(connection, installation_id, _moment(connection, storage), state="removed")
            _audit(connection, storage, "remove_installation", installation_id)
        return replace(record, state="removed")


def reconnect_installation(
    storage: Storage, installation_id: str, access_token: str
) -> tuple[InstallationRecord, int]:
    """Take a new access token and send again. Returns the installation and how much waiting work became due."""
    token = _token(access_token)
    with storage.database.write() as connection:
        record = _standing(connection, installation_id)
        replace_credential(
            connection,
            storage.keys,
            row_id=storage.new_id(),
            installation_id=installation_id,
            kind="access_token",
            text=token,
            now=storage.now(),
        )
        waited = resume_access(connection, installation_id, storage.now())
        change_installation(connection, installation_id, _moment(connection, storage), state="active")
        _audit(connection, storage, "reconnect_installation", installation_id)
    return replace(record, state="active", access="ok", access_reason=""), waited


def _change_state(storage: Storage, installation_id: str, state: str, action: str) -> InstallationRecord:
    with storage.database.write() as connection:
        record = _standing(connection, installation_id)
        if record.state == "installing":
            raise UsageError(f"installation {installation_id!r} is still being installed")
        change_installation(connection, installation_id, _moment(connection, storage), state=state)
        _audit(connection, storage, action, installation_id)
        return replace(record, state=state)


def _standing(connection: Connection, installation_id: str) -> InstallationRecord:
    record = require_installation(connection, installation_id)
    if record.state == "removed":
        raise UsageError(f"installation {installation_id!r} was removed; add the store again")
    return record


def _moment(connection: Connection, storage: Storage) -> datetime:
    """Now, but later than every change before: running servers notice changes by the newest time of one."""
    newest = last_change(connection)[1]
    now = storage.now()
    return now if newest is None or now > newest else newest + _STEP


def _token(text: str) -> str:
    """An access token as TikTok hears it: spaces around it came with copying, and no header could carry them."""
    token = _given(text, "access token").strip()
    if not token.isprintable():
        raise UsageError("the access token on standard input holds control characters")
    return token


def _given(text: str, what: str) -> str:
    if not text.strip():
        raise UsageError(f"the {what} on standard input is empty")
    return text


def _audit(connection: Connection, storage: Storage, action: str, installation_id: str, target: str = "") -> None:
    audit_in(connection, storage, ACTOR, action, installation_id=installation_id, target=target)
