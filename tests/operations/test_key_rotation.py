"""After a rotation nothing needs the old key any more."""

import secrets
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import LargeBinary, insert, select
from sqlmodel import SQLModel

from connector.operations.alerts import add_rule
from connector.operations.key_rotation import Rotation, rotate_keys
from connector.storage.encryption import KeyRing
from connector.storage.installations import open_credentials
from connector.storage.opening import Storage
from connector.storage.sealed import SEALED_FIELDS, attempt_place
from connector.storage.tables_install import InstallAttempt
from tests.installations import TOKEN, add_installation

_NEW = "n" * 40
_attempt = InstallAttempt.__table__  # type: ignore[attr-defined]
# Bytes that are no secret: digests, bodies, payloads, and the seal of the audit log's end, which is a keyed hash.
_NOT_SEALED = {
    "webhook.digest", "webhook.body", "webhook_key.digest", "order_ledger.digest", "event.payload",
    "event.visitor_subject", "event.order_subject", "consent_record.subject", "search_term.term",
    "staff_session.digest",
    "audit_log.hash", "audit_head.seal", "install_attempt.state_hash",
    "install_attempt.browser_hash", "owner_session.token_hash", "owner_link.token_hash",
}  # fmt: skip


def _begin_an_installation(storage: Storage) -> bytes:
    state_hash, now = b"s" * 32, storage.now()
    values = {
        "state_hash": state_hash, "store_url": "https://shop.example", "browser_hash": b"b",
        "installation_id": "later",
        "public_id": "later", "status": "started", "created_at": now, "expires_at": now + timedelta(hours=1),
        "keys": storage.keys.seal('["ck_1","cs_1"]', attempt_place(state_hash, "keys")),
        "link_secret": storage.keys.seal("of the plugin", attempt_place(state_hash, "link_secret")),
    }  # fmt: skip
    with storage.database.write() as connection:
        connection.execute(insert(_attempt), values)
    return state_hash


def _with_keys(storage: Storage, *keys: str) -> Storage:
    return replace(storage, keys=KeyRing(keys, secrets.token_bytes))


def _opened(storage: Storage) -> list[str]:
    """Everything sealed, in clear."""
    found = []
    with storage.database.read() as connection:
        for field in SEALED_FIELDS:
            for row in connection.execute(select(field.table).where(field.column.is_not(None))):
                found.append(storage.keys.open(bytes(row._mapping[field.column.name]), field.place(row)))
    return found


def test_everything_opens_with_the_new_key_alone(storage: Storage) -> None:
    add_installation(storage)
    _begin_an_installation(storage)
    add_rule(
        storage, installation_id="", kind="silence", threshold=3, channel="webhook", target="https://shop.example/told",
        secret="signs alerts", actor="test",
    )  # fmt: skip
    before = sorted(_opened(storage))

    both = _with_keys(storage, _NEW, *storage.keys.keys)
    rotation, again = rotate_keys(both), rotate_keys(both)

    assert (rotation, again) == (Rotation(6, 6), Rotation(0, 6))
    alone = _with_keys(storage, _NEW)
    assert sorted(_opened(alone)) == before
    assert {TOKEN, "signs alerts", "of the plugin", '["ck_1","cs_1"]'} < set(before)
    with storage.database.read() as connection:
        assert open_credentials(connection, alone.keys, "installation1", "access_token", storage.now()) == [TOKEN]


def test_no_sealed_column_is_forgotten() -> None:
    sealed = {f"{field.table.name}.{field.column.name}" for field in SEALED_FIELDS}
    bytes_columns = {
        f"{table.name}.{column.name}"
        for table in SQLModel.metadata.tables.values()
        for column in table.c
        if isinstance(column.type, LargeBinary)
    }
    assert bytes_columns - _NOT_SEALED == sealed
