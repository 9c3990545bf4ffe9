"""The table of install attempts: who started which, where it stands, and the keys in quarantine."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, Row, delete, insert, select, update

from connector.install.services import Services
from connector.pages.cookies import SignedTexts
from connector.platforms.woocommerce.connect import StoreKeys
from connector.storage.encryption import KeyRing
from connector.storage.sealed import attempt_place
from connector.storage.tables_install import InstallAttempt

__all__ = [
    "LIFETIME",
    "Attempt",
    "change_attempt",
    "find_attempt",
    "forget_old_attempts",
    "latest_attempt",
    "open_keys",
    "open_link_secret",
    "read_again",
    "seal_keys",
    "start_attempt",
    "state_reader",
    "waiting_attempts",
]

LIFETIME = timedelta(hours=1)
_KEPT_FOR = timedelta(days=2)
_MOST_WAITING = 100
_table = InstallAttempt.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One row; `status` is started, active, refused, burned or failed."""

    state_hash: bytes
    store_url: str
    browser_hash: bytes
    installation_id: str
    public_id: str
    status: str
    reason: str
    keys: bytes | None
    keys_proven: bool
    authentication: str
    link_secret: bytes | None
    created_at: datetime
    expires_at: datetime
    approved_at: datetime | None
    returned_at: datetime | None

    def is_over(self, now: datetime) -> bool:
        """Whether it is too late for it."""
        return now >= self.expires_at

    def started_in(self, browser: str | None) -> bool:
        """Whether this browser's cookie is the one that started it."""
        return browser is not None and secrets.compare_digest(_digest(browser), self.browser_hash)


def _attempt(row: Row[Any] | None) -> Attempt | None:
    return Attempt(**row._mapping) if row is not None else None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def state_reader(services: Services) -> SignedTexts:
    """Signs and reads the state that travels through the store."""
    return SignedTexts(services.storage.keys.signing_keys("install state"), "woocommerce")


def start_attempt(services: Services, store_url: str, browser: str) -> str:
    """A new attempt of this browser for this store. Returns its signed state, a plain token."""
    now, attempt_id = services.now(), secrets.token_urlsafe(18)
    values = {
        "state_hash": _digest(attempt_id),
        "store_url": store_url,
        "browser_hash": _digest(browser),
        "installation_id": secrets.token_hex(16),
        "public_id": secrets.token_hex(12),
        "status": "started",
        "created_at": now,
        "expires_at": now + LIFETIME,
    }
    with services.storage.database.write() as connection:
        forget_old_attempts(connection, now)
        connection.execute(insert(_table), values)
    return state_reader(services).sign(attempt_id, _store_mark(store_url))


def find_attempt(services: Services, state: str | None) -> Attempt | None:
    """The attempt of a signed state; None when it is forged, too old, or for another store than the row's."""
    parts = state_reader(services).read(state, int(LIFETIME.total_seconds()))
    if parts is None or len(parts) != 2:
        return None
    with services.storage.database.read() as connection:
        found = _attempt(connection.execute(select(_table).where(_table.c.state_hash == _digest(parts[0]))).first())
    return found if found is not None and parts[1] == _store_mark(found.store_url) else None


def latest_attempt(services: Services, browser: str | None) -> Attempt | None:
    """The newest attempt that this browser started."""
    if browser is None:
        return None
    statement = select(_table).where(_table.c.browser_hash == _digest(browser))
    with services.storage.database.read() as connection:
        return _attempt(connection.execute(statement.order_by(_table.c.created_at.desc()).limit(1)).first())


def read_again(services: Services, attempt: Attempt) -> Attempt:
    """The same attempt as it stands now: one that renews an installation gets that one's id."""
    statement = select(_table).where(_table.c.state_hash == attempt.state_hash)
    with services.storage.database.read() as connection:
        return _attempt(connection.execute(statement).first()) or attempt


def attempt_of_installation(services: Services, installation_id: str) -> Attempt | None:
    """The attempt that will be called so."""
    with services.storage.database.read() as connection:
        statement = select(_table).where(_table.c.installation_id == installation_id)
        return _attempt(connection.execute(statement.order_by(_table.c.created_at.desc()).limit(1)).first())


def waiting_attempts(services: Services, since: datetime) -> list[Attempt]:
    """Both the store's keys and the right browser have come, before then, and nobody has finished them."""
    c = _table.c
    ripe = (c.approved_at <= since) & (c.returned_at <= since)
    live = (c.status == "started", c.expires_at > services.now(), c["keys"].is_not(None), ripe)
    statement = select(_table).where(*live).order_by(c.returned_at).limit(_MOST_WAITING)
    with services.storage.database.read() as connection:
        return [found for row in connection.execute(statement) if (found := _attempt(row)) is not None]


def change_attempt(
    connection: Connection, attempt: Attempt, values: Mapping[str, Any], only_from: Sequence[str] = ("started",)
) -> bool:
    """Change it while its status is one of these. False when somebody else was faster."""
    statement = update(_table).where(_table.c.state_hash == attempt.state_hash, _table.c.status.in_(only_from))
    return connection.execute(statement.values(dict(values))).rowcount == 1


def forget_old_attempts(connection: Connection, now: datetime) -> None:
    """Rows of days ago, with whatever keys they held."""
    connection.execute(delete(_table).where(_table.c.expires_at < now - _KEPT_FOR))
    connection.execute(update(_table).where(_table.c.expires_at < now).values(keys=None, link_secret=None))


def seal_keys(ring: KeyRing, attempt: Attempt, keys: StoreKeys) -> bytes:
    """Encrypted and bound to this attempt."""
    text = orjson.dumps([keys.consumer_key, keys.consumer_secret]).decode()
    return ring.seal(text, attempt_place(attempt.state_hash, "keys"))


def open_keys(ring: KeyRing, attempt: Attempt) -> StoreKeys | None:
    """The keys in quarantine, if any."""
    if attempt.keys is None:
        return None
    return StoreKeys(*orjson.loads(ring.open(attempt.keys, attempt_place(attempt.state_hash, "keys"))))


def seal_link_secret(ring: KeyRing, attempt: Attempt, secret: str) -> bytes:
    """The secret with which the plugin may confirm this attempt."""
    return ring.seal(secret, attempt_place(attempt.state_hash, "link_secret"))


def open_link_secret(ring: KeyRing, attempt: Attempt) -> str:
    """The plugin's secret, empty while it has none."""
    if attempt.link_secret is None:
        return ""
    return ring.open(attempt.link_secret, attempt_place(attempt.state_hash, "link_secret"))


def _store_mark(store_url: str) -> str:
    return hashlib.sha256(store_url.encode()).hexdigest()[:16]
