"""TikTok's authorisation and the pixels behind it, as requests and read replies (Marketing API v1.3).

Order of the calls: send the owner to `authorise_url`; take `auth_code` and `state` from the return
address; `token_request`; `advertisers_request`; `pixels_request` per advertiser, page by page. The
long-term token does not expire, it ends when either side revokes it (TikTok: "Obtain a long-term access
token"). Readers return a value of their own or an `ApiFault`, and never raise.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from unicodedata import category
from urllib.parse import urlencode

import orjson

from connector.core.http_values import OutgoingRequest, Reply
from connector.core.results import Accepted, RetryLater, Throttled
from connector.tiktok.replies import read_reply

__all__ = [
    "AccessGrant",
    "Advertiser",
    "ApiFault",
    "Pixel",
    "PixelPage",
    "Revoked",
    "advertisers_request",
    "authorise_url",
    "create_pixel_request",
    "pixel_name",
    "pixels_request",
    "read_advertisers",
    "read_created_pixel",
    "read_pixels",
    "read_revoked",
    "read_token",
    "revoke_request",
    "token_request",
]

_API = "/open_api/v1.3"
PIXEL_PAGE_SIZE = 20  # the most that pixel/list gives at once
PIXEL_NAME_LIMIT = 40

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class ApiFault:
    """A call that brought nothing. `reason` is a key of `explanations.EXPLANATIONS`."""

    reason: str
    may_retry: bool
    code: int | None
    message: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class AccessGrant:
    """A long-term token and what it opens. The token is kept out of `repr`."""

    access_token: str = field(repr=False)
    advertiser_ids: tuple[str, ...]
    scope: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Advertiser:
    """One advertiser account that the token may use."""

    advertiser_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Pixel:
    """One pixel. `code` goes into events and scripts; `pixel_id` is TikTok's number for it."""

    code: str
    name: str
    pixel_id: str | None = None


@dataclass(frozen=True, slots=True)
class PixelPage:
    """One page of pixels; `next_page` is None on the last."""

    pixels: tuple[Pixel, ...]
    next_page: int | None


@dataclass(frozen=True, slots=True)
class Revoked:
    """The token is dead now."""


def authorise_url(portal_url: str, *, app_id: str, state: str, redirect_uri: str) -> str:
    """Where the owner says yes. Scopes come from the app's registration, there is no parameter for them."""
    query = urlencode({"app_id": app_id, "state": state, "redirect_uri": redirect_uri})
    return f"{portal_url.rstrip('/')}/portal/auth?{query}"


def token_request(api_url: str, *, app_id: str, secret: str, auth_code: str) -> OutgoingRequest:
    """Exchange the code of the return address, once and within an hour."""
    fields = {"app_id": app_id, "secret": secret, "auth_code": auth_code}
    return _post(api_url, "/oauth2/access_token/", fields)


def read_token(reply: Reply) -> AccessGrant | ApiFault:
    """The token of `token_request`."""
    return _read(reply, _grant)


def advertisers_request(api_url: str, *, app_id: str, secret: str, access_token: str) -> OutgoingRequest:
    """The advertiser accounts of a token. TikTok wants the app's secret in the query: log no address."""
    return _get(api_url, "/oauth2/advertiser/get/", {"app_id": app_id, "secret": secret}, access_token)


def read_advertisers(reply: Reply) -> tuple[Advertiser, ...] | ApiFault:
    """The accounts of `advertisers_request`, in TikTok's order."""
    return _read(reply, lambda data: tuple(_advertisers(data)))


def pixels_request(
    api_url: str, *, access_token: str, advertiser_id: str, page: int = 1, page_size: int = PIXEL_PAGE_SIZE
) -> OutgoingRequest:
    """One page of an account's pixels, at most 20."""
    query = {"advertiser_id": advertiser_id, "page": str(page), "page_size": str(page_size)}
    return _get(api_url, "/pixel/list/", query, access_token)


def read_pixels(reply: Reply) -> PixelPage | ApiFault:
    """The page of `pixels_request`. Pixels without a code cannot be used and are left out."""
    return _read(reply, _pixel_page)


def create_pixel_request(api_url: str, *, access_token: str, advertiser_id: str, name: str) -> OutgoingRequest:
    """A new pixel in developer mode, its name cut to what TikTok takes."""
    fields = {"advertiser_id": advertiser_id, "pixel_name": pixel_name(name)}
    return _post(api_url, "/pixel/create/", fields, access_token)


def read_created_pixel(reply: Reply) -> Pixel | ApiFault:
    """The pixel of `create_pixel_request`; its name is empty when TikTok does not repeat it."""
    return _read(reply, _pixel)


def revoke_request(api_url: str, *, app_id: str, secret: str, access_token: str) -> OutgoingRequest:
    """End a token, when an owner disconnects."""
    fields = {"app_id": app_id, "secret": secret, "access_token": access_token}
    return _post(api_url, "/oauth2/revoke_token/", fields)


def read_revoked(reply: Reply) -> Revoked | ApiFault:
    """Whether `revoke_request` was done."""
    return _read(reply, lambda data: Revoked())


def pixel_name(name: str) -> str:
    """A name that pixel/create takes: 40 characters, no emoji, never empty."""
    plain = "".join(sign for sign in name if sign.isprintable() and not _is_pictorial(sign))
    return " ".join(plain.split())[:PIXEL_NAME_LIMIT].strip() or "Store pixel"


def _is_pictorial(sign: str) -> bool:
    """An emoji, its skin tone or its variation selector."""
    return category(sign) in {"So", "Sk"} or sign == "\ufe0f"


def _post(api_url: str, path: str, fields: Mapping[str, str], access_token: str = "") -> OutgoingRequest:
    headers = {"Content-Type": "application/json"}
    if access_token:
        headers["Access-Token"] = access_token
    return OutgoingRequest("POST", api_url.rstrip("/") + _API + path, headers, orjson.dumps(dict(fields)))


def _get(api_url: str, path: str, query: Mapping[str, str], access_token: str) -> OutgoingRequest:
    url = f"{api_url.rstrip('/')}{_API}{path}?{urlencode(query)}"
    return OutgoingRequest("GET", url, {"Access-Token": access_token})


def _read(reply: Reply, build: Callable[[Mapping[str, Any]], _Value | None]) -> _Value | ApiFault:
    read = read_reply(reply.status, reply.headers, reply.body)
    if not isinstance(read.result, Accepted):
        may_retry = isinstance(read.result, RetryLater | Throttled)
        return ApiFault(read.result.reason, may_retry, read.code, read.message, read.request_id)
    data = orjson.loads(reply.body).get("data")
    value = build(data) if isinstance(data, dict) else None
    if value is None:  # code 0, but not the answer to this call
        return ApiFault("garbage_answer", True, read.code, read.message, read.request_id)
    return value


def _grant(data: Mapping[str, Any]) -> AccessGrant | None:
    token = _text(data.get("access_token"))
    if not token:
        return None
    advertisers = tuple(_text(one) for one in _list(data.get("advertiser_ids")) if _text(one))
    scope = tuple(one for one in _list(data.get("scope")) if type(one) is int)
    return AccessGrant(token, advertisers, scope)


def _advertisers(data: Mapping[str, Any]) -> Iterator[Advertiser]:
    for one in _list(data.get("list")):
        if isinstance(one, dict) and (advertiser_id := _text(one.get("advertiser_id"))):
            yield Advertiser(advertiser_id, _text(one.get("advertiser_name")))


def _pixel_page(data: Mapping[str, Any]) -> PixelPage:
    found = (_pixel(one) for one in _list(data.get("pixels")) if isinstance(one, dict))
    info = data.get("page_info")
    info = info if isinstance(info, dict) else {}
    page, pages = info.get("page"), info.get("total_page")
    next_page = page + 1 if isinstance(page, int) and isinstance(pages, int) and 0 < page < pages else None
    return PixelPage(tuple(pixel for pixel in found if pixel), next_page)


def _pixel(data: Mapping[str, Any]) -> Pixel | None:
    code = _text(data.get("pixel_code"))
    return Pixel(code, _text(data.get("pixel_name")), _text(data.get("pixel_id")) or None) if code else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    """Ids come as text or, from older endpoints, as numbers."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()
