"""Installations and their credentials: the only place where a secret is opened."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from connector.core.installation_settings import InstallationSettings
from connector.errors import CredentialUnreadable
from connector.logs import log
from connector.storage.encryption import KeyRing
from connector.storage.notices import end_decided
from connector.storage.sealed import credential_place
from connector.storage.tables import Credential, Installation

__all__ = [
    "InstallationRecord",
    "add_credential",
    "all_installations",
    "change_installation",
    "changed_installations",
    "find_installation",
    "insert_installation",
    "live_credentials",
    "open_credentials",
    "remove_credentials",
    "replace_credential",
]

_installation = Installation.__table__  # type: ignore[attr-defined]
_credential = Credential.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class InstallationRecord:
    """One installation as the program uses it; no secret in it."""

    id: str
    public_id: str
    platform: str
    store_url: str
    store_name: str
    state: str
    access: str
    access_reason: str
    pixel_code: str
    currency: str
    settings: InstallationSettings
    created_at: datetime
    updated_at: datetime

    @property
    def sends(self) -> bool:
        """Whether its events may leave now."""
        return self.state == "active" and self.access == "ok"


def _record(row: Row[Any]) -> InstallationRecord:
    values = dict(row._mapping)
    values["settings"] = _settings(values["settings"])
    return InstallationRecord(**values)


def _settings(text: str) -> InstallationSettings:
    """What a newer version of the program wrote beside them is left out: versions run side by side in an upgrade."""
    known = InstallationSettings.model_fields
    return InstallationSettings.model_validate({k: v for k, v in json.loads(text).items() if k in known})


def insert_installation(connection: Connection, record: InstallationRecord) -> None:
    """Write a new installation."""
    values = {name: getattr(record, name) for name in InstallationRecord.__slots__}
    values["settings"] = record.settings.model_dump_json()
    connection.execute(insert(_installation), values)


def find_installation(connection: Connection, installation_id: str) -> InstallationRecord | None:
    """By its id, removed ones too."""
    row = connection.execute(select(_installation).where(_installation.c.id == installation_id)).first()
    return _record(row) if row else None


def all_installations(connection: Connection) -> list[InstallationRecord]:
    """Every installation, oldest first, removed ones too."""
    return [_record(row) for row in connection.execute(select(_installation).order_by(_installation.c.created_at))]


def changed_installations(connection: Connection, since: datetime) -> list[InstallationRecord]:
    """Those changed at that time or later, their credentials' changes included; removed ones too."""
    statement = select(_installation).where(_installation.c.updated_at >= since)
    return [_record(row) for row in connection.execute(statement)]


def change_installation(connection: Connection, installation_id: str, now: datetime, **values: Any) -> bool:
    """Change columns; settings may be given as InstallationSettings, and end the notices that they decide. False when
    there is no such row.
    """
    settings = values.get("settings")
    if isinstance(settings, InstallationSettings):
        end_decided(connection, installation_id, settings, now)
        values["settings"] = settings.model_dump_json()
    statement = update(_installation).where(_installation.c.id == installation_id)
    return connection.execute(statement.values(**values, updated_at=now)).rowcount == 1


def last_change(connection: Connection) -> tuple[int, datetime | None]:
    """Count and newest change of installations: cheap to ask each second, changes whenever anything did."""
    row = connection.execute(select(func.count(), func.max(_installation.c.updated_at))).one()
    return int(row[0]), row[1]


def _touch(connection: Connection, installation_id: str, now: datetime) -> None:
    """Credentials count as changes of their installation, so that running processes notice."""
    connection.execute(update(_installation).where(_installation.c.id == installation_id).values(updated_at=now))


def add_credential(
    connection: Connection, keys: KeyRing, *, row_id: int, installation_id: str, kind: str, text: str, now: datetime
) -> None:
    """Seal one secret and write it; live ones of the same kind stay live."""
    connection.execute(
        insert(_credential),
        {
            "id": row_id,
            "installation_id": installation_id,
            "kind": kind,
            "ciphertext": keys.seal(text, credential_place(row_id, installation_id, kind)),
            "created_at": now,
        },
    )
    _touch(connection, installation_id, now)


def replace_credential(
    connection: Connection,
    keys: KeyRing,
    *,
    row_id: int,
    installation_id: str,
    kind: str,
    text: str,
    now: datetime,
    overlap: timedelta = timedelta(0),
) -> None:
    """Write a new secret; older ones of the kind stay valid for `overlap`, none at all with zero."""
    older = (_credential.c.installation_id == installation_id, _credential.c.kind == kind)
    if overlap:
        still_open = _credential.c.expires_at.is_(None) | (_credential.c.expires_at > now + overlap)
        connection.execute(update(_credential).where(*older, still_open).values(expires_at=now + overlap))
    else:
        connection.execute(delete(_credential).where(*older))
    add_credential(connection, keys, row_id=row_id, installation_id=installation_id, kind=kind, text=text, now=now)


def open_credentials(
    connection: Connection, keys: KeyRing, installation_id: str, kind: str, now: datetime
) -> list[str]:
    """Every live secret of that kind in clear, newest first. Raises CredentialUnreadable."""
    statement = (
        select(_credential)
        .where(_credential.c.installation_id == installation_id, _credential.c.kind == kind)
        .where(_credential.c.expires_at.is_(None) | (_credential.c.expires_at > now))
        .order_by(_credential.c.id.desc())
    )
    return [
        keys.open(row.ciphertext, credential_place(row.id, row.installation_id, row.kind))
        for row in connection.execute(statement)
    ]


def live_credentials(
    connection: Connection, keys: KeyRing, kind: str, now: datetime, installation_ids: Sequence[str]
) -> dict[str, list[tuple[str, datetime | None]]]:
    """Every live secret of that kind of these installations, newest first, each with its expiry.

    A secret that no key opens is left out and the others still work.
    """
    found: dict[str, list[tuple[str, datetime | None]]] = {}
    for start in range(0, len(installation_ids), 500):
        part = installation_ids[start : start + 500]
        found |= _live_credentials(connection, keys, kind, now, part)
    return found


def _live_credentials(
    connection: Connection, keys: KeyRing, kind: str, now: datetime, installation_ids: Sequence[str]
) -> dict[str, list[tuple[str, datetime | None]]]:
    statement = (
        select(_credential)
        .where(_credential.c.kind == kind, _credential.c.installation_id.in_(installation_ids))
        .where(_credential.c.expires_at.is_(None) | (_credential.c.expires_at > now))
        .order_by(_credential.c.id.desc())
    )
    found: dict[str, list[tuple[str, datetime | None]]] = {}
    for row in connection.execute(statement):
        try:
            text = keys.open(row.ciphertext, credential_place(row.id, row.installation_id, row.kind))
        except CredentialUnreadable:
            log.error("credential_unreadable", installation_id=row.installation_id, kind=kind)
            continue
        found.setdefault(row.installation_id, []).append((text, row.expires_at))
    return found


def remove_credentials(connection: Connection, installation_id: str, kinds: Sequence[str] = ()) -> int:
    """Forget secrets: of these kinds, or all of the installation."""
    statement = delete(_credential).where(_credential.c.installation_id == installation_id)
    if kinds:
        statement = statement.where(_credential.c.kind.in_(kinds))
    return connection.execute(statement).rowcount
