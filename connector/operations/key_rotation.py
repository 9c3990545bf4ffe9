"""Sealing every credential anew with the newest secret key, a batch per transaction."""

from collections.abc import Callable
from dataclasses import dataclass

from connector.operations.installations import ACTOR
from connector.storage.audit import audit_in
from connector.storage.installations import credential_ids, rotate_credentials
from connector.storage.opening import Storage

__all__ = ["Rotation", "rotate_keys"]

_BATCH = 200


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
        ids = credential_ids(connection)
    started(len(ids))
    rotated = 0
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        with storage.database.write() as connection:
            rotated += rotate_credentials(connection, storage.keys, batch)
        advanced(len(batch))
    with storage.database.write() as connection:
        audit_in(connection, storage, ACTOR, "rotate_keys", details={"rotated": rotated, "total": len(ids)})
    return Rotation(rotated, len(ids))
