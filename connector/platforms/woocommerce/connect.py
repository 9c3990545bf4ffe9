"""Connecting a store: its address, its authorise page and the callback with the keys.

Facts: WooCommerce 9.9.5, recorded. The page cleans `user_id` and decodes both addresses once more than it
should, so none of them may hold anything but plain tokens. The callback is not signed and does not name its
store: nothing in it is to be believed before the keys worked against that store.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit, urlunsplit

from connector.core.host_names import ascii_host
from connector.errors import UnreadablePayload
from connector.platforms.json_bodies import read_object

__all__ = ["AuthoriseCallback", "StoreKeys", "authorise_url", "read_callback", "read_return", "read_store_url"]

SCOPE = "read_write"  # a key that may only write cannot list its own webhooks
_TOKEN = re.compile(r"[A-Za-z0-9_.-]{1,300}")
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9_.~/-]*)?")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.IGNORECASE)
# WooCommerce makes 40 hexadecimal digits; whether a key is one is told by the store that is asked with it.
_KEY = re.compile(r"ck_[A-Za-z0-9]{16,128}")
_SECRET = re.compile(r"cs_[A-Za-z0-9]{16,128}")
# What people copy out of the address bar of their shop's administration.
_NOT_THE_HOME = re.compile(r"/(wp-admin|wp-login\.php|wp-json|index\.php)(/.*)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StoreKeys:
    """A consumer key and its secret; neither is in `repr`."""

    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthoriseCallback:
    """What the store posted. `reference` is our own `user_id`, come back."""

    keys: StoreKeys
    reference: str
    permissions: str


def read_store_url(typed: str) -> str | None:
    """The store's home address from what a person typed: scheme and host, its folder if any, no final slash.

    https is assumed when no scheme is given. None when it cannot be an address of a store: another scheme,
    a user name in it, no host.
    """
    text = typed.strip().strip("<>\"'")
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        text = "https://" + text.lstrip("/")
    try:
        parts = urlsplit(text)
        host, port = ascii_host((parts.hostname or "").removesuffix(".")), parts.port
    except (ValueError, UnicodeError):
        return None
    if parts.scheme.lower() not in ("http", "https") or parts.username is not None or not _is_host(host):
        return None
    path = _NOT_THE_HOME.sub("", parts.path).rstrip("/")
    if not re.fullmatch(r"[A-Za-z0-9_.~/%-]*", path):
        return None
    return urlunsplit((parts.scheme.lower(), _netloc(host, port, parts.scheme.lower()), path, "", ""))


def _is_host(host: str) -> bool:
    is_ipv6 = re.fullmatch(r"[0-9a-f:.]*:[0-9a-f:.]*", host) is not None
    return is_ipv6 or _HOST.fullmatch(host) is not None


def _netloc(host: str, port: int | None, scheme: str) -> str:
    name = f"[{host}]" if ":" in host else host.lower()
    usual = {"http": 80, "https": 443}[scheme]
    return name if port in (None, usual) else f"{name}:{port}"


def authorise_url(store_url: str, *, app_name: str, reference: str, return_url: str, callback_url: str) -> str:
    """The store's page where its owner approves. All four values are required by the store.

    Raises ValueError for a reference or an address that the store would change on its way.
    """
    if not _TOKEN.fullmatch(reference) or reference == "0":
        raise ValueError("the reference may hold only letters, digits, _ . and -")
    for url in (return_url, callback_url):
        if not _PLAIN_URL.fullmatch(url):
            raise ValueError("return and callback addresses may hold no query and no escapes")
    query = {
        "app_name": app_name,
        "scope": SCOPE,
        "user_id": reference,
        "return_url": return_url,
        "callback_url": callback_url,
    }
    return f"{store_url}/wc-auth/v1/authorize?{urlencode(query)}"


def read_callback(body: bytes) -> AuthoriseCallback:
    """The callback's JSON. Raises UnreadablePayload with the reason `keys_missing` or `reference_missing`."""
    fields = read_object(body)
    key, secret, reference = (fields.get(name) for name in ("consumer_key", "consumer_secret", "user_id"))
    if not (isinstance(key, str) and _KEY.fullmatch(key) and isinstance(secret, str) and _SECRET.fullmatch(secret)):
        raise UnreadablePayload("keys_missing", "the callback has no pair of store keys")
    if not (isinstance(reference, str) and _TOKEN.fullmatch(reference)):
        raise UnreadablePayload("reference_missing", "the callback does not say which connection it answers")
    permissions = fields.get("key_permissions")
    return AuthoriseCallback(StoreKeys(key, secret), reference, permissions if isinstance(permissions, str) else "")


def read_return(success: str | None, reference: str | None) -> tuple[bool, str]:
    """What the browser brought back: whether the owner approved, and our reference (empty when it is none).

    Anybody can make such an address: it proves nothing but which attempt is meant.
    """
    known = reference is not None and _TOKEN.fullmatch(reference) is not None
    return success == "1", reference if known and reference else ""
