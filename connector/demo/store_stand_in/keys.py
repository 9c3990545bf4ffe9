"""How the stand-in knows a key: Basic and query over https, OAuth 1.0a anywhere, plain permalinks never."""

from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connector.demo.store_stand_in.state import StoreState
from connector.platforms.woocommerce.rest import oauth_signature

__all__ = ["key_of", "refuse_key"]

_CLOCK_SECONDS = 15 * 60
_WRITES = frozenset({"POST", "PUT", "DELETE", "PATCH"})


def refuse_key(state: StoreState, request: Request) -> Response | None:
    """The 401 that the store answers, or None when the key is good for this call."""
    found = _oauth(state, request) if "oauth_signature" in request.query_params else _plain(state, request)
    if found is None:
        return _unauthorised("woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
    if isinstance(found, Response):
        return found
    writes = request.method in _WRITES
    if writes and found == "read":
        return _unauthorised(
            "woocommerce_rest_authentication_error", "The API key provided does not have write permissions."
        )
    if not writes and found == "write":
        return _unauthorised(
            "woocommerce_rest_authentication_error", "The API key provided does not have read permissions."
        )
    return None


def _plain(state: StoreState, request: Request) -> str | Response | None:
    """Basic, else the query; in silence ignored on plain http."""
    if not state.looks_https:
        return None
    key, secret = _basic(request) if not state.drops_authorization else ("", "")
    if not key:
        key = request.query_params.get("consumer_key", "")
        secret = request.query_params.get("consumer_secret", "")
    known = state.keys.get(key)
    if known is None:
        return None
    if known[0] != secret:
        return _unauthorised("woocommerce_rest_authentication_error", "Consumer secret is invalid.")
    return known[1]


def _basic(request: Request) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        key, _, secret = b64decode(encoded).decode().partition(":")
    except ValueError:
        return "", ""
    return key, secret


def key_of(state: StoreState, request: Request) -> str:
    """The consumer key that a call which was not refused came with."""
    told = request.query_params
    basic = "" if state.drops_authorization else _basic(request)[0]
    return told.get("oauth_consumer_key") or basic or told["consumer_key"]


def _oauth(state: StoreState, request: Request) -> str | Response | None:
    parameters = dict(parse_qsl(request.url.query, keep_blank_values=True))
    known = state.keys.get(parameters.get("oauth_consumer_key", ""))
    if known is None:
        return None
    problem = _oauth_problem(state, request, parameters, known[0])
    return _unauthorised("woocommerce_rest_authentication_error", problem) if problem else known[1]


def _oauth_problem(state: StoreState, request: Request, parameters: Mapping[str, str], secret: str) -> str:
    rest = {name: value for name, value in parameters.items() if name != "oauth_signature"}
    # Its own name of itself, whatever was called, with the scheme that PHP believes in.
    host = state.home.partition("://")[2]
    url = ("https://" if state.looks_https else "http://") + host + request.url.path
    expected = oauth_signature(secret, request.method, unquote(url), rest)
    if expected != parameters["oauth_signature"]:
        return "Invalid signature - provided signature does not match."
    stamp = parameters.get("oauth_timestamp", "")
    if not stamp.isdigit() or abs(int(stamp) - state.clock().timestamp()) > _CLOCK_SECONDS:
        return "Invalid timestamp."
    with state.lock:
        if parameters.get("oauth_nonce", "") in state.nonces:
            return "Invalid nonce - nonce has already been used."
        state.nonces.add(parameters.get("oauth_nonce", ""))
    return ""


def _unauthorised(code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message, "data": {"status": 401}}, 401)
