"""The audit log: append-only, each entry's keyed hash over the one before, the end sealed.

Somebody who can write to the database but has no secret key can neither change, remove nor insert an entry
without `verify_chain` telling the first number at fault.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text, update

from connector.storage.opening import Storage
from connector.storage.tables_console import AuditEntry, AuditHead

__all__ = ["BrokenChain", "audit", "audit_in", "verify_chain"]

_rows = AuditEntry.__table__  # type: ignore[attr-defined]
_head = AuditHead.__table__  # type: ignore[attr-defined]
_START = bytes(32)
_CHAIN_LOCK = 7_201_517_062  # any constant: writers of the chain take turns on PostgreSQL
_PART = 2000
_REASON_LIMIT = 500
_TARGET_LIMIT = 200


@dataclass(frozen=True, slots=True)
class BrokenChain:
    """The first entry at fault, and what is wrong with it in words."""

    number: int
    fault: str


def audit(
    storage: Storage,
    actor: str,
    action: str,
    *,
    installation_id: str = "",
    target: str = "",
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> int:
    """Append one entry in a transaction of its own. Returns its number."""
    with storage.database.write() as connection:
        return audit_in(
            connection,
            storage,
            actor,
            action,
            installation_id=installation_id,
            target=target,
            reason=reason,
            details=details,
        )


def audit_in(
    connection: Connection,
    storage: Storage,
    actor: str,
    action: str,
    *,
    installation_id: str = "",
    target: str = "",
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> int:
    """Append one entry in the caller's write transaction, so that the deed and its entry are committed together."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CHAIN_LOCK})
    last = connection.execute(select(_rows).order_by(_rows.c.number.desc()).limit(1)).first()
    number = int(last.number) + 1 if last else 1
    entry: dict[str, Any] = {
        "number": number,
        "at": storage.now(),
        "actor": actor,
        "action": action,
        "installation_id": installation_id,
        "target": target[:_TARGET_LIMIT],
        "reason": reason.strip()[:_REASON_LIMIT],
        "details": json.dumps(dict(details or {}), sort_keys=True, default=str),
    }
    chained = _hash(storage.hash_key, bytes(last.hash) if last else _START, entry)
    connection.execute(insert(_rows), {**entry, "hash": chained})
    _seal(connection, storage.hash_key, number, chained)
    return number


def verify_chain(storage: Storage) -> BrokenChain | None:
    """Walk the whole log. None when every entry and the sealed end are as they were written."""
    fault = _walk(storage)
    # An entry that was written between the walk's last look and its look at the end is no fault: look again.
    return _walk(storage) if fault is not None else None


def _walk(storage: Storage) -> BrokenChain | None:
    previous, count = _START, 0
    while True:
        with storage.database.read() as connection:
            part = connection.execute(
                select(_rows).where(_rows.c.number > count).order_by(_rows.c.number).limit(_PART)
            ).all()
        if not part:
            break
        for row in part:
            fault = _fault(storage.hash_key, previous, count + 1, row)
            if fault:
                return BrokenChain(count + 1, fault)
            previous, count = bytes(row.hash), count + 1
    return _fault_of_end(storage, count, previous)


def _fault(key: bytes, previous: bytes, expected: int, row: Row[Any]) -> str | None:
    if row.number != expected:
        return f"entry {expected} is missing"
    if not hmac.compare_digest(bytes(row.hash), _hash(key, previous, dict(row._mapping))):
        return f"entry {expected} was changed, or one before it"
    return None


def _fault_of_end(storage: Storage, count: int, last: bytes) -> BrokenChain | None:
    with storage.database.read() as connection:
        head = connection.execute(select(_head)).first()
    if head is None:
        return BrokenChain(count + 1, "the sealed end is missing") if count else None
    if head.number != count:
        return BrokenChain(count + 1, f"the log ends at {count}, it was sealed at {head.number}")
    if not hmac.compare_digest(bytes(head.seal), _seal_of(storage.hash_key, count, last)):
        return BrokenChain(count, "the sealed end does not fit")
    return None


def _hash(key: bytes, previous: bytes, entry: Mapping[str, Any]) -> bytes:
    at: datetime = entry["at"]
    fields = [
        str(entry["number"]),
        at.isoformat(timespec="microseconds"),
        *(entry[name] for name in ("actor", "action", "installation_id", "target", "reason", "details")),
    ]
    # JSON, so that no two lists of fields give the same bytes.
    return hmac.digest(key, b"audit" + previous + json.dumps(fields).encode(), "sha256")


def _seal(connection: Connection, key: bytes, number: int, last: bytes) -> None:
    values = {"number": number, "seal": _seal_of(key, number, last)}
    if connection.execute(update(_head).where(_head.c.id == 1).values(values)).rowcount == 0:
        connection.execute(insert(_head), {"id": 1, **values})


def _seal_of(key: bytes, number: int, last: bytes) -> bytes:
    return hmac.digest(key, b"audit end" + str(number).encode() + last, "sha256")
