"""Tables of installing and of the owner's pages. When you add a column here, add a migration too."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, Text
from sqlmodel import Field, SQLModel

from connector.storage.columns import BigId, UtcTime

__all__ = [
    "InstallAttempt",
    "OwnerLink",
    "OwnerPassword",
    "OwnerSession",
    "ScriptTag",
    "StoreAccess",
    "WebhookSubscription",
]


class InstallAttempt(SQLModel, table=True):
    """One walk through the store's authorise page. Keys stay here, sealed, until the right browser came back."""

    __tablename__ = "install_attempt"
    __table_args__ = (
        Index("install_attempt_browser", "browser_hash"),
        Index("install_attempt_installation", "installation_id"),
        {"sqlite_with_rowid": False},
    )

    state_hash: bytes = Field(sa_type=LargeBinary, primary_key=True)  # SHA-256 of the id inside the signed state
    store_url: str = Field(max_length=500)
    browser_hash: bytes = Field(sa_type=LargeBinary)  # SHA-256 of the cookie of the browser that started
    installation_id: str = Field(max_length=40)  # what the installation will be called
    public_id: str = Field(max_length=40)
    status: str = Field(max_length=12)  # started, returned, activating, active, refused, burned, failed
    reason: str = Field(default="", max_length=60)
    keys: bytes | None = Field(default=None, sa_type=LargeBinary)  # sealed JSON: the keys in quarantine
    keys_proven: bool = False  # they worked against store_url
    authentication: str = Field(default="", max_length=8)  # basic, query, oauth
    link_secret: bytes | None = Field(default=None, sa_type=LargeBinary)  # sealed, for a confirmation in wp-admin
    created_at: datetime = Field(sa_type=UtcTime)
    expires_at: datetime = Field(sa_type=UtcTime)
    approved_at: datetime | None = Field(default=None, sa_type=UtcTime)  # the store's callback
    returned_at: datetime | None = Field(default=None, sa_type=UtcTime)  # the right browser


class StoreAccess(SQLModel, table=True):
    """How to call an installation's store, and what it said of itself when last asked."""

    __tablename__ = "store_access"

    installation_id: str = Field(primary_key=True, max_length=40)
    authentication: str = Field(max_length=8)
    keys_work: bool = True
    facts: str = Field(default="{}", sa_type=Text)  # system status, as JSON
    plugin: str = Field(default="", sa_type=Text)  # the companion plugin's status as JSON; empty: not there
    checked_at: datetime | None = Field(default=None, sa_type=UtcTime)


class WebhookSubscription(SQLModel, table=True):
    """One webhook that we asked the store for, as it was when last seen."""

    __tablename__ = "webhook_subscription"

    installation_id: str = Field(primary_key=True, max_length=40)
    topic: str = Field(primary_key=True, max_length=100)
    remote_id: int = Field(sa_type=BigId)
    delivery_url: str = Field(max_length=500)
    status: str = Field(max_length=12)  # active, paused, disabled, missing
    secret_id: int = Field(default=0, sa_type=BigId)  # the credential that it was told to sign with
    healthy_at: datetime | None = Field(default=None, sa_type=UtcTime)  # last seen active with our address
    revived_at: datetime | None = Field(default=None, sa_type=UtcTime)
    checked_at: datetime = Field(sa_type=UtcTime)


class ScriptTag(SQLModel, table=True):
    """The pixel script as registered with the store, and whether the storefront was seen to carry it."""

    __tablename__ = "script_tag"

    installation_id: str = Field(primary_key=True, max_length=40)
    remote_id: int = Field(sa_type=BigId)
    src: str = Field(max_length=500)
    seen_at: datetime | None = Field(default=None, sa_type=UtcTime)  # last found on the storefront
    checked_at: datetime | None = Field(default=None, sa_type=UtcTime)


class OwnerPassword(SQLModel, table=True):
    """The password for an installation's owner pages, as an Argon2id hash."""

    __tablename__ = "owner_password"

    installation_id: str = Field(primary_key=True, max_length=40)
    password_hash: str = Field(max_length=200)
    changed_at: datetime = Field(sa_type=UtcTime)


class OwnerSession(SQLModel, table=True):
    """A browser that may see an installation's owner pages. The cookie's value is kept as a hash only."""

    __tablename__ = "owner_session"
    __table_args__ = (Index("owner_session_installation", "installation_id"), {"sqlite_with_rowid": False})

    token_hash: bytes = Field(sa_type=LargeBinary, primary_key=True)
    installation_id: str = Field(max_length=40)
    came_by: str = Field(max_length=12)  # install, password, plugin
    user_name: str = Field(default="", max_length=80)  # the store's login name, when the plugin sent them
    created_at: datetime = Field(sa_type=UtcTime)
    expires_at: datetime = Field(sa_type=UtcTime)


class OwnerLink(SQLModel, table=True):
    """A single-use address that the plugin asked for on a click in wp-admin; lives one minute."""

    __tablename__ = "owner_link"
    __table_args__ = ({"sqlite_with_rowid": False},)

    token_hash: bytes = Field(sa_type=LargeBinary, primary_key=True)
    installation_id: str = Field(max_length=40)
    user_name: str = Field(default="", max_length=80)
    expires_at: datetime = Field(sa_type=UtcTime)
