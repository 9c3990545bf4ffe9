"""WooCommerce's webhook signature: base64 of HMAC-SHA256 over the raw body, under `X-WC-Webhook-Signature`.

WooCommerce 9.9.5 signs with the secret after WordPress' `wp_specialchars_decode(secret, ENT_QUOTES)`. A
secret is therefore tried as it is and decoded. There is no time in the signature: a replay stays valid.
"""

import hmac
import re
from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Sequence
from functools import lru_cache

from connector.platforms.base import IncomingWebhook, Verdict

__all__ = ["decode_entities", "sign", "verify"]

_ENTITIES = re.compile(r"&(?:amp|lt|gt|quot|#0*(?:34|38|39|60|62)|#[xX]0*(?:22|26|27));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"'}
_PING = re.compile(rb"webhook_id=[0-9]{1,20}")
_FORM = "application/x-www-form-urlencoded"
_DIGEST_BYTES = 32
_LONGEST_TOPIC = 200

_MISSING = Verdict("refused", "", "signature_missing", "the X-WC-Webhook-Signature header is missing")
_MALFORMED = Verdict("refused", "", "signature_malformed", "the signature is not base64 of 32 bytes")
_WRONG = Verdict("refused", "", "signature_wrong", "the signature does not fit this webhook's secret")
_CREATION_PING = Verdict("ping")


def verify(webhook: IncomingWebhook, secrets: Sequence[str]) -> Verdict:
    """Whether the raw bytes were signed with one of `secrets`; constant time, never raises.

    The unsigned ping that WooCommerce sends when a webhook is created has the kind `ping`.
    """
    sent = webhook.headers.get("x-wc-webhook-signature")
    if not sent or not (sent := sent.strip(" \t")):  # blanks around a value are none of it (RFC 9110, 5.5)
        return _CREATION_PING if sent is None and _is_ping(webhook) else _MISSING
    try:
        digest = a2b_base64(sent, strict_mode=True)
    except (Base64Error, ValueError):
        return _MALFORMED
    if len(digest) != _DIGEST_BYTES:
        return _MALFORMED
    if not _fits(digest, webhook.body, _keys(tuple(secrets))):
        return _WRONG
    return Verdict("authentic", webhook.headers.get("x-wc-webhook-topic", "").strip().lower()[:_LONGEST_TOPIC])


def sign(body: bytes, secret: str) -> str:
    """The header's value as WooCommerce computes it."""
    key = _encoded(decode_entities(secret))
    return b64encode(hmac.digest(key, body, "sha256")).decode()


def decode_entities(secret: str) -> str:
    """WordPress' `wp_specialchars_decode` with ENT_QUOTES: one pass, five characters, no other entity."""
    return _ENTITIES.sub(lambda found: _character(found[0][1:-1]), secret)


def _character(entity: str) -> str:
    if entity in _NAMED:
        return _NAMED[entity]
    digits = entity[1:]
    return chr(int(digits[1:], 16) if digits[0] in "xX" else int(digits))


def _is_ping(webhook: IncomingWebhook) -> bool:
    kind = webhook.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == _FORM and _PING.fullmatch(webhook.body) is not None


def _fits(digest: bytes, body: bytes, keys: tuple[bytes, ...]) -> bool:
    """Every key is tried, also after one has fitted: the time taken tells nothing."""
    fits = False
    for key in keys:
        fits |= hmac.compare_digest(hmac.digest(key, body, "sha256"), digest)
    return fits


@lru_cache(maxsize=4096)
def _keys(secrets: tuple[str, ...]) -> tuple[bytes, ...]:
    """Each secret as it is and decoded. An empty one is no key: anybody could sign with it."""
    spellings = (text for secret in secrets for text in (secret, decode_entities(secret)) if text)
    return tuple(dict.fromkeys(_encoded(text) for text in spellings))


def _encoded(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")
