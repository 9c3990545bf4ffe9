"""From proven keys to an active installation: rows first, in one transaction, then the calls to the store."""

import secrets
from datetime import timedelta

from sqlalchemy import Connection

from connector.core.currencies import LISTED_CURRENCIES
from connector.core.installation_settings import InstallationSettings
from connector.install.attempts import Attempt, change_attempt, open_link_secret
from connector.install.services import Services
from connector.install.stores import remember_store
from connector.logs import log
from connector.platforms.woocommerce.rest import Access
from connector.platforms.woocommerce.store_api import SystemStatus
from connector.storage.installations import (
    InstallationRecord,
    add_credential,
    all_installations,
    insert_installation,
    replace_credential,
)
from connector.storage.notices import resolve_notices

__all__ = ["activate", "installation_of_store"]


def activate(services: Services, attempt: Attempt, access: Access, status: SystemStatus) -> bool:
    """Make the installation, or give the store's present one new keys (then True). Twice changes nothing."""
    with services.storage.database.write() as connection:
        present = installation_of_store(connection, attempt.store_url)
        renewed = present is not None
        installation_id = present.id if present is not None else attempt.installation_id
        ended = {
            "status": "active",
            "reason": "renewed" if renewed else "",
            "installation_id": installation_id,
            "keys": None,
            "link_secret": None,
        }
        if not change_attempt(connection, attempt, ended):
            return attempt.reason == "renewed"
        if not renewed:
            _insert(services, connection, attempt, status)
        _write_keys(services, connection, installation_id, access)
        remember_store(connection, installation_id, access, status, services.now())
        resolve_notices(connection, installation_id, ("store_keys_lost", "store_access_lost"), services.now())
    log.info("installation_active", installation_id=installation_id, renewed=renewed)
    return renewed


def installation_of_store(connection: Connection, store_url: str) -> InstallationRecord | None:
    """The one that is not removed, whether the address was typed with https or not."""
    wanted = _without_scheme(store_url)
    return next(
        (
            one
            for one in all_installations(connection)
            if one.state != "removed" and _without_scheme(one.store_url) == wanted
        ),
        None,
    )


def _without_scheme(url: str) -> str:
    return url.partition("://")[2].rstrip("/")


def _insert(services: Services, connection: Connection, attempt: Attempt, status: SystemStatus) -> None:
    now = services.now()
    record = InstallationRecord(
        id=attempt.installation_id,
        public_id=attempt.public_id,
        platform="woocommerce",
        store_url=attempt.store_url,
        store_name=_without_scheme(attempt.store_url)[:200],
        state="active",
        access="lost",  # nothing leaves before TikTok is connected
        access_reason="not_connected",
        pixel_code="",
        currency=status.currency if status.currency in LISTED_CURRENCIES else "",
        settings=InstallationSettings(),
        created_at=now,
        updated_at=now,
    )
    insert_installation(connection, record)
    link_secret = open_link_secret(services.storage.keys, attempt) or secrets.token_hex(32)
    for kind, text in (("webhook_secret", secrets.token_hex(32)), ("link_secret", link_secret)):
        add_credential(
            connection,
            services.storage.keys,
            row_id=services.storage.new_id(),
            installation_id=record.id,
            kind=kind,
            text=text,
            now=now,
        )


def _write_keys(services: Services, connection: Connection, installation_id: str, access: Access) -> None:
    for kind, text in (
        ("consumer_key", access.keys.consumer_key),
        ("consumer_secret", access.keys.consumer_secret),
    ):
        replace_credential(
            connection,
            services.storage.keys,
            row_id=services.storage.new_id(),
            installation_id=installation_id,
            kind=kind,
            text=text,
            now=services.now(),
            overlap=timedelta(0),
        )
