"""Encryption of credentials and keyed hashes, all from one ring of secret keys, newest first.

A field is `key id (4 bytes) | nonce (12) | AES-256-GCM ciphertext`, bound to its place (table, row, column):
moved to another row it does not open. Every purpose has its own key, derived with HKDF.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from connector.errors import CredentialUnreadable

__all__ = ["KeyRing", "derive"]

_KEY_ID_BYTES = 4
_NONCE_BYTES = 12
SUBJECT_BYTES = 16


@lru_cache(maxsize=64)
def derive(key: str, purpose: str) -> bytes:
    """32 bytes for one purpose from one secret key."""
    return HKDF(SHA256(), 32, b"connector", purpose.encode()).derive(key.encode())


class KeyRing:
    """Opens with any key, seals with the newest. `draw` gives that many random bytes."""

    def __init__(self, keys: Sequence[str], draw: Callable[[int], bytes]) -> None:
        if not keys:
            raise ValueError("a key ring needs at least one key")
        self.keys = tuple(keys)
        self._draw = draw
        self._ciphers = {_key_id(key): AESGCM(derive(key, "fields")) for key in reversed(self.keys)}
        self._newest = _key_id(self.keys[0])

    def seal(self, text: str, place: str) -> bytes:
        """Encrypt for that place, for example `credential/7/webhook_secret`."""
        nonce = self._draw(_NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, text.encode(), place.encode())
        return self._newest + nonce + sealed

    def open(self, field: bytes, place: str) -> str:
        """Decrypt. Raises CredentialUnreadable when the key is gone or the field was moved or damaged."""
        cipher = self._ciphers.get(bytes(field[:_KEY_ID_BYTES]))
        if cipher is None:
            raise CredentialUnreadable("a credential was sealed with a key that is not in CONNECTOR_SECRET_KEYS")
        nonce = field[_KEY_ID_BYTES : _KEY_ID_BYTES + _NONCE_BYTES]
        try:
            return cipher.decrypt(nonce, field[_KEY_ID_BYTES + _NONCE_BYTES :], place.encode()).decode()
        except InvalidTag:
            raise CredentialUnreadable("a credential does not open: it was damaged or moved") from None

    def is_newest(self, field: bytes) -> bool:
        """Whether this field is sealed with the newest key."""
        return field[:_KEY_ID_BYTES] == self._newest

    def signing_keys(self, purpose: str) -> tuple[bytes, ...]:
        """Keys for itsdangerous, oldest first as it wants them."""
        return tuple(derive(key, purpose) for key in reversed(self.keys))


def subject_digest(hash_key: bytes, *parts: str) -> bytes:
    """A keyed hash of 16 bytes that stands for a visitor, an order or a search term."""
    return hmac.digest(hash_key, "\x1f".join(parts).encode("utf-8", "surrogatepass"), "sha256")[:SUBJECT_BYTES]


def _key_id(key: str) -> bytes:
    return hashlib.sha256(b"key id" + derive(key, "id")).digest()[:_KEY_ID_BYTES]
