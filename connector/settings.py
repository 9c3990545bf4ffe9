"""The environment as one frozen object. Only `cli`, `app` and the migrations read it; all else gets values."""

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from connector import failpoints
from connector.errors import ConfigurationError

__all__ = ["Settings", "load_settings"]

MINIMUM_KEY_LENGTH = 32
_LOCAL_DATABASES = ("sqlite://", "postgresql://", "postgresql+psycopg://")
_IN_MEMORY = re.compile(r"sqlite://(/?|/:memory:.*)(\?.*)?", re.DOTALL)


class Settings(BaseSettings):
    """Every setting, named as in the environment with the prefix `CONNECTOR_`."""

    model_config = SettingsConfigDict(
        env_prefix="CONNECTOR_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,  # `NAME=` in a compose file or a unit means unset
    )

    data_dir: Path = Field(Path("data"), description="Where the SQLite file, the spool and made keys live.")
    database_url: str | None = Field(
        None, description="sqlite:///FILE or postgresql://…; a SQLite file in the data directory when unset."
    )
    secret_keys: SecretStr | None = Field(
        None, description="Comma-separated, newest first, each 32 characters or more."
    )
    public_url: str | None = Field(None, description="The address under which stores reach this service.")
    tiktok_api_url: str = Field("https://business-api.tiktok.com", description="TikTok's API.")
    tiktok_app_id: str | None = Field(None, description="App id for TikTok's OAuth.")
    tiktok_app_secret: SecretStr | None = Field(None, description="App secret for TikTok's OAuth.")
    tiktok_pixel_url: str = Field(
        "https://analytics.tiktok.com/i18n/pixel/events.js", description="TikTok's pixel library."
    )
    allow_private_addresses: bool = Field(
        False, description="Let stores live at private addresses; tests and development only."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    max_body_bytes: int = Field(
        8 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024, description="Largest webhook body taken."
    )
    body_timeout: float = Field(30.0, gt=0, le=600, description="Seconds a sender may take for a body.")
    commit_patience: float = Field(
        2.5, gt=0, le=60, description="Seconds the intake waits for a busy database before a webhook is spooled."
    )
    header_timeout: float = Field(
        15.0, gt=0, le=600, description="Seconds a sender may take for the head of a request."
    )
    delivery_interval: float = Field(
        0.5, gt=0, le=3600, description="Seconds between two looks for work that is due."
    )
    retry_base: float = Field(
        5.0, gt=0, le=3600, description="Seconds; every wait (backoff, throttle, breaker) scales with it."
    )
    lease_seconds: float = Field(30.0, gt=0, le=3600, description="How long a worker owns what it took.")
    log_format: Literal["text", "json"] = Field("text", description="text or json.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severity logged.")
    failpoints: str = Field(
        "", description="Where the process kills itself, such as after_commit=kill@7; tests and development only."
    )
    traces_url: str | None = Field(
        None, description="OTLP collector for traces, such as http://127.0.0.1:4318/v1/traces; none when unset."
    )
    traces_ratio: float = Field(1.0, ge=0, le=1, description="Share of webhooks that are traced.")
    forwarded_allow_ips: str = Field(
        "127.0.0.1", description="Proxies whose X-Forwarded-* headers are believed, comma-separated."
    )

    keep_bodies_days: int = Field(30, ge=1, le=3650, description="Days that bodies and payloads are kept.")
    keep_metadata_days: int = Field(
        400, ge=30, le=3650, description="Days that webhooks, events and attempts stay listed."
    )
    keep_audit_days: int = Field(1825, ge=30, le=36500, description="Days that consent records are kept.")
    reconcile_interval: float = Field(
        3600, ge=60, le=86400, description="Seconds between two comparisons with each store's orders."
    )
    oidc_issuer: str | None = Field(
        None, description="OpenID Connect issuer for staff; single sign-on is off when unset."
    )
    oidc_client_id: str | None = Field(None, description="Client id at that issuer.")
    oidc_client_secret: SecretStr | None = Field(None, description="Client secret at that issuer.")
    smtp_host: str | None = Field(None, description="Mail server for alerts; none are mailed when unset.")
    smtp_port: int = Field(25, ge=1, le=65535, description="Its port.")
    smtp_user: str | None = Field(None, description="Login at the mail server, after STARTTLS.")
    smtp_password: SecretStr | None = Field(None, description="Password at the mail server.")
    smtp_from: str | None = Field(None, description="Sender of alert mails.")

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(_LOCAL_DATABASES):
            raise ValueError("must start with sqlite:// or postgresql://")
        if value is not None and _IN_MEMORY.fullmatch(value):
            raise ValueError("must name a file after sqlite:///, since a database in memory is gone with its process")
        return value or None

    @field_validator("public_url", "tiktok_api_url", "tiktok_pixel_url", "traces_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        if not _is_web_address(value):
            raise ValueError("must be a host, and a path at most, such as https://connector.example")
        return value.rstrip("/")

    @field_validator("failpoints")
    @classmethod
    def _known_places(cls, value: str) -> str:
        failpoints.parse(value)
        return value

    @field_validator("secret_keys")
    @classmethod
    def _long_keys(cls, value: SecretStr | None) -> SecretStr | None:
        keys = split_keys(value.get_secret_value()) if value else ()
        if value and not keys:
            raise ValueError("holds no key")
        if any(len(key) < MINIMUM_KEY_LENGTH for key in keys):
            raise ValueError(f"each key needs {MINIMUM_KEY_LENGTH} characters or more")
        return value

    @model_validator(mode="after")
    def _postgresql_needs_keys(self) -> "Settings":
        if not self.uses_sqlite and not self.given_keys:
            raise ValueError("CONNECTOR_SECRET_KEYS must be set when the database is PostgreSQL")
        return self

    @model_validator(mode="after")
    def _clocks_in_order(self) -> "Settings":
        if not self.keep_bodies_days <= self.keep_metadata_days <= self.keep_audit_days:
            raise ValueError("keep CONNECTOR_KEEP_BODIES_DAYS <= ..._METADATA_DAYS <= ..._AUDIT_DAYS")
        return self

    @cached_property
    def given_keys(self) -> tuple[str, ...]:
        """The keys of the environment, newest first; empty when unset."""
        return split_keys(self.secret_keys.get_secret_value() if self.secret_keys else "")

    @property
    def resolved_database_url(self) -> str:
        """The database address, with the default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir / 'connector.sqlite3'}"

    @property
    def spool_dir(self) -> Path:
        """Where webhooks wait while the database is out of reach."""
        return self.data_dir / "spool"

    @property
    def uses_sqlite(self) -> bool:
        """Whether the database is a SQLite file."""
        return self.resolved_database_url.startswith("sqlite:")

    @property
    def own_url(self) -> str:
        """The public address, or the local one while none is set."""
        return self.public_url or f"http://{self.host}:{self.port}"


def _is_web_address(text: str) -> bool:
    """Scheme, host, perhaps a port and a path: no user name, no query, nothing that a header could not hold."""
    if not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    only_these = parts.username is None and not parts.query and not parts.fragment
    return bool(parts.hostname) and port != 0 and only_these


def split_keys(text: str) -> tuple[str, ...]:
    """Comma-separated keys, spaces trimmed, empty ones left out."""
    return tuple(key for part in text.split(",") if (key := part.strip()))


def load_settings(overrides: Mapping[str, object] | None = None) -> Settings:
    """Read the environment. Raises ConfigurationError with one line that names the setting at fault."""
    try:
        return Settings(**(overrides or {}))  # type: ignore[arg-type]
    except ValidationError as error:
        raise ConfigurationError(_first_fault(error)) from None


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_input=False, include_url=False)[0]
    text = fault["msg"].removeprefix("Value error, ")
    name = f"CONNECTOR_{str(fault['loc'][0]).upper()}: " if fault["loc"] else ""
    return f"{name}{text}"
