"""Calls of a store's REST API as values, with each of the ways in which WooCommerce knows a key.

WooCommerce 9.9.5, recorded: over https Basic works, unless the web server drops the header, then keys in the
query do. Over plain http both are ignored in silence and only OAuth 1.0a counts. So they are at an https shop whose
proxy does not tell PHP of its TLS; the store then signs its own address with `http` (`get_home_url` with the scheme
of `is_ssl()`), and so must we. The API needs pretty permalinks: through `?rest_route=` no key is known.
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, urlencode

import orjson

from connector.core.http_values import OutgoingRequest, Reply
from connector.platforms.woocommerce.connect import StoreKeys

__all__ = ["Access", "Authentication", "Moment", "StoreFault", "read_fault", "rest_request"]


class Authentication(StrEnum):
    """How the key is told to the store."""

    BASIC = "basic"
    QUERY = "query"
    OAUTH = "oauth"
    PROXIED = "proxied"  # OAuth, signed as if the address began with http


@dataclass(frozen=True, slots=True)
class Access:
    """Everything it takes to call a store. `store_url` has no final slash."""

    store_url: str
    keys: StoreKeys
    authentication: Authentication


@dataclass(frozen=True, slots=True)
class Moment:
    """What OAuth wants to be new each time: a nonce never used before, and Unix seconds (±15 minutes)."""

    nonce: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class StoreFault:
    """A call that brought nothing. `kind` says what to do: unauthorised (reconnect), forbidden (the key may only
    read), not_found, refused (our request was wrong), unavailable (later), garbage (no JSON of WordPress')."""

    kind: str
    status: int
    code: str = ""
    message: str = ""


def rest_request(
    access: Access,
    method: str,
    path: str,
    moment: Moment,
    *,
    query: Mapping[str, str] | None = None,
    body: object | None = None,
) -> OutgoingRequest:
    """A call of `/wp-json` + path. The key travels in a header, in the query or as a signature."""
    url = f"{access.store_url}/wp-json{path}"
    headers = {"Accept": "application/json"}
    parameters = dict(query or {})
    if access.authentication is Authentication.BASIC:
        pair = f"{access.keys.consumer_key}:{access.keys.consumer_secret}"
        headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()
    elif access.authentication is Authentication.QUERY:
        parameters["consumer_key"] = access.keys.consumer_key
        parameters["consumer_secret"] = access.keys.consumer_secret
    else:
        parameters |= _oauth(access.keys, method, _signed_address(access, url), parameters, moment)
    if body is not None:
        headers["Content-Type"] = "application/json"
    full = f"{url}?{urlencode(parameters, quote_via=quote)}" if parameters else url
    return OutgoingRequest(method, full, headers, b"" if body is None else orjson.dumps(body))


def _signed_address(access: Access, url: str) -> str:
    is_proxied = access.authentication is Authentication.PROXIED
    return "http://" + url.removeprefix("https://") if is_proxied else url


def oauth_signature(consumer_secret: str, method: str, url: str, parameters: Mapping[str, str]) -> str:
    """OAuth 1.0a, one-legged, HMAC-SHA256 (RFC 5849 section 3.4; WooCommerce's key is the secret and `&`)."""
    pairs = sorted((_escape(name), _escape(value)) for name, value in parameters.items())
    joined = "&".join(f"{name}={value}" for name, value in pairs)
    base = "&".join((method.upper(), _escape(url), _escape(joined)))
    return b64encode(hmac.digest(f"{consumer_secret}&".encode(), base.encode(), "sha256")).decode()


def _oauth(keys: StoreKeys, method: str, url: str, parameters: Mapping[str, str], moment: Moment) -> dict[str, str]:
    ours = {
        "oauth_consumer_key": keys.consumer_key,
        "oauth_nonce": moment.nonce,
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": str(moment.timestamp),
    }
    signature = oauth_signature(keys.consumer_secret, method, url, {**parameters, **ours})
    return {**ours, "oauth_signature": signature}


def _escape(text: str) -> str:
    return quote(text, safe="~")


_KINDS: Mapping[int, str] = {
    400: "refused",
    401: "unauthorised",
    403: "forbidden",
    404: "not_found",
    409: "refused",
    410: "not_found",
    422: "refused",
    501: "refused",
}


def read_fault(reply: Reply) -> StoreFault | None:
    """None when the reply is a success with JSON in it, else what is wrong. Never raises."""
    value = _json(reply.body)
    if 200 <= reply.status < 300:
        return None if value is not None else StoreFault("garbage", reply.status)
    fields = value if isinstance(value, dict) else {}
    code, message = _text(fields.get("code"), 80), _text(fields.get("message"), 200)
    if reply.status == 401 and "write permissions" in message:
        return StoreFault("forbidden", reply.status, code, message)
    if 300 <= reply.status < 400:
        return StoreFault("moved", reply.status)
    return StoreFault(_KINDS.get(reply.status, "unavailable"), reply.status, code, message)


def _json(body: bytes) -> object | None:
    """The JSON value. Other plugins' notices may stand before it; a byte-order mark too."""
    text = body.lstrip(b"\xef\xbb\xbf \t\r\n")
    try:
        value: object = orjson.loads(text)
    except ValueError:
        return None
    return value


def _text(value: object, limit: int) -> str:
    return value[:limit] if isinstance(value, str) else ""
