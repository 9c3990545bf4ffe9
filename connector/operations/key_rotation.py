"""Sealing every secret anew with the newest secret key, a batch per transaction."""

from collections.abc import Callable
from dataclasses import dataclass

from connector.operations.installations import ACTOR
from connector.storage.audit import audit_in
from connector.storage.opening import Storage
from connector.storage.sealed import reseal, sealed_rows

__all__ = ["Rotation", "rotate_keys"]


@dataclass(frozen=True, slots=True)
class Rotation:
    """`rotated` were sealed anew, the others of `total` had the newest key already."""

    rotated: int
    total: int


def rotate_keys(
    storage: Storage,
    started: Callable[[int], None] = lambda _total: None,
    advanced: Callable[[int], None] = lambda _count: None,
) -> Rotation:
    """Run to the end; breaking off and starting again does no harm. Raises CredentialUnreadable."""
    with storage.database.read() as connection:
        parts = list(sealed_rows(connection))
    total = sum(len(keys) for _, keys in parts)
    started(total)
    rotated = 0
    for field, keys in parts:
        with storage.database.write() as connection:
            rotated += reseal(connection, storage.keys, field, keys)
        advanced(len(keys))
    with storage.database.write() as connection:
        audit_in(connection, storage, ACTOR, "rotate_keys", details={"rotated": rotated, "total": total})
    return Rotation(rotated, total)
