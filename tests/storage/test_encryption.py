"""Credentials: sealed for their place, opened by any key of the ring, re-sealed by the newest."""

import secrets
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from connector.errors import ConfigurationError, CredentialUnreadable
from connector.storage.encryption import KeyRing
from connector.storage.installations import (
    live_credentials,
    open_credentials,
    replace_credential,
)
from connector.storage.opening import Storage, open_storage
from connector.storage.tables import Credential
from tests.databases import settings_for
from tests.installations import SECRET, TOKEN, add_installation

_credential = Credential.__table__
OLD, NEW = "o" * 32, "n" * 32


def _ring(*keys: str) -> KeyRing:
    return KeyRing(keys, secrets.token_bytes)


@given(st.text(), st.text(min_size=1, max_size=80))
def test_what_was_sealed_opens_at_its_place_only(text: str, place: str) -> None:
    ring = _ring(OLD)
    if any(0xD800 <= ord(sign) <= 0xDFFF for sign in text + place):
        return
    field = ring.seal(text, place)

    assert ring.open(field, place) == text
    with pytest.raises(CredentialUnreadable):
        ring.open(field, place + "x")


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_no_changed_byte_goes_unnoticed(position: int, change: int) -> None:
    field = bytearray(_ring(OLD).seal("secret", "here"))
    field[position % len(field)] ^= change
    with pytest.raises(CredentialUnreadable):
        _ring(OLD).open(bytes(field), "here")


def test_older_keys_open_and_only_the_newest_seals() -> None:
    field = _ring(OLD).seal("secret", "here")
    both = _ring(NEW, OLD)

    assert both.open(field, "here") == "secret"
    assert not both.is_newest(field)
    assert both.is_newest(both.seal("secret", "here"))
    with pytest.raises(CredentialUnreadable):
        _ring(NEW).open(field, "here")


def test_a_field_copied_to_another_row_does_not_open(storage: Storage) -> None:
    add_installation(storage, "one", token="token-one")
    add_installation(storage, "two", token="token-two")
    with storage.database.write() as connection:
        tokens = {
            row.installation_id: row.ciphertext
            for row in connection.execute(select(_credential).where(_credential.c.kind == "access_token"))
        }
        connection.execute(
            update(_credential)
            .where(_credential.c.installation_id == "two", _credential.c.kind == "access_token")
            .values(ciphertext=tokens["one"])
        )
        with pytest.raises(CredentialUnreadable):
            open_credentials(connection, storage.keys, "two", "access_token", storage.now())


def test_no_secret_stands_in_clear_in_any_row(storage: Storage) -> None:
    add_installation(storage)
    with storage.database.read() as connection:
        rows = connection.execute(select(_credential)).all()
    text = repr([tuple(row) for row in rows]).encode() + b"".join(bytes(row.ciphertext) for row in rows)
    assert len(rows) >= 2
    assert SECRET.encode() not in text
    assert TOKEN.encode() not in text


def test_a_rotated_webhook_secret_overlaps(storage: Storage) -> None:
    add_installation(storage)
    now = storage.now()
    with storage.database.write() as connection:
        replace_credential(
            connection,
            storage.keys,
            row_id=storage.new_id(),
            installation_id="installation1",
            kind="webhook_secret",
            text="the-new-one",
            now=now,
            overlap=timedelta(hours=1),
        )
        both = live_credentials(connection, storage.keys, "webhook_secret", now, ["installation1"])
        later = live_credentials(
            connection, storage.keys, "webhook_secret", now + timedelta(hours=2), ["installation1"]
        )
    assert [text for text, _ in both["installation1"]] == ["the-new-one", SECRET]
    assert [text for text, _ in later["installation1"]] == ["the-new-one"]


def test_made_keys_are_for_their_owner_only_and_stay_the_same(tmp_path: Path) -> None:
    settings = settings_for("sqlite", tmp_path, secret_keys=None)
    first = open_storage(settings)
    again = open_storage(settings)
    path = tmp_path / "secret_keys"

    assert path.stat().st_mode & 0o077 == 0
    assert first.keys.keys == again.keys.keys
    assert first.hash_key == again.hash_key
    first.close()
    again.close()


def test_other_keys_are_refused_with_words(tmp_path: Path) -> None:
    open_storage(settings_for("sqlite", tmp_path, secret_keys=OLD)).close()
    with pytest.raises((CredentialUnreadable, ConfigurationError), match="CONNECTOR_SECRET_KEYS"):
        open_storage(settings_for("sqlite", tmp_path, secret_keys=NEW))
