"""Every sealed field of the database in one table: where it is, and the place it is bound to.

A field that is not in this table would be lost when an old secret key is taken away; a test compares it with the
tables.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Table, select, update

from connector.storage.encryption import KeyRing
from connector.storage.tables import Credential
from connector.storage.tables_console import AlertRule
from connector.storage.tables_install import InstallAttempt

__all__ = [
    "SEALED_FIELDS",
    "SealedField",
    "alert_place",
    "attempt_place",
    "credential_place",
    "reseal",
    "sealed_rows",
]

_PART = 200
_credential = Credential.__table__  # type: ignore[attr-defined]
_attempt = InstallAttempt.__table__  # type: ignore[attr-defined]
_rule = AlertRule.__table__  # type: ignore[attr-defined]


def credential_place(credential_id: int, installation_id: str, kind: str) -> str:
    """Where a credential stands."""
    return f"credential/{credential_id}/{installation_id}/{kind}"


def attempt_place(state_hash: bytes, field: str) -> str:
    """Where an install attempt's secret stands."""
    return f"install_attempt/{state_hash.hex()}/{field}"


def alert_place(rule_id: int) -> str:
    """Where an alert rule's secret stands."""
    return f"alert_rule/{rule_id}/secret"


@dataclass(frozen=True, slots=True)
class SealedField:
    """One sealed column. `place` gives, from a row of its table, the place it is bound to."""

    table: Table
    column: Column[Any]
    place: Callable[[Any], str]

    @property
    def key(self) -> Column[Any]:
        """The table's primary key."""
        (column,) = self.table.primary_key.columns
        return column


SEALED_FIELDS = (
    SealedField(
        _credential, _credential.c.ciphertext, lambda row: credential_place(row.id, row.installation_id, row.kind)
    ),
    SealedField(_attempt, _attempt.c["keys"], lambda row: attempt_place(bytes(row.state_hash), "keys")),
    SealedField(_attempt, _attempt.c.link_secret, lambda row: attempt_place(bytes(row.state_hash), "link_secret")),
    SealedField(_rule, _rule.c.secret, lambda row: alert_place(row.id)),
)


def sealed_rows(connection: Connection) -> Iterator[tuple[SealedField, Sequence[Any]]]:
    """The keys of all rows with something sealed in them, in parts."""
    for field in SEALED_FIELDS:
        keys = (
            connection.execute(select(field.key).where(field.column.is_not(None)).order_by(field.key)).scalars().all()
        )
        for start in range(0, len(keys), _PART):
            yield field, keys[start : start + _PART]


def reseal(connection: Connection, ring: KeyRing, field: SealedField, keys: Sequence[Any]) -> int:
    """Seal this field of these rows anew with the newest key. Returns how many changed.

    Raises CredentialUnreadable when one does not open.
    """
    changed = 0
    rows = connection.execute(select(field.table).where(field.key.in_(keys), field.column.is_not(None))).all()
    for row in rows:
        sealed = bytes(row._mapping[field.column.name])
        if ring.is_newest(sealed):
            continue
        place = field.place(row)
        again = ring.seal(ring.open(sealed, place), place)
        key = row._mapping[field.key.name]
        # What was changed meanwhile by somebody else was sealed with the newest key already.
        where = (field.key == key, field.column == sealed)
        changed += connection.execute(update(field.table).where(*where).values({field.column.name: again})).rowcount
    return changed
