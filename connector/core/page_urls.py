"""Page addresses, reduced to what TikTok may know: the page, the click id and the campaign.

A thank-you page's address holds the order's key, which opens the order to whoever has it. So the query is
built anew from `ttclid` and `utm_*`, and the path ends before an order's number.
"""

import re
from functools import lru_cache
from itertools import takewhile
from urllib.parse import quote, unquote

from connector.core.host_names import ascii_host

__all__ = ["page_url", "reduced_url"]

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?:[^/?#@\\]*@)?"
    r"(?P<host>(?:[\w-][\w.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?)"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?:#.*)?",
    re.IGNORECASE | re.DOTALL,
)
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
# WooCommerce's endpoints whose next segment is an order's number.
_ORDER_PAGE = re.compile(r"(/(?:order-received|order-pay|view-order))(?:/.*)?", re.IGNORECASE | re.DOTALL)
_LAST_NUMBER = re.compile(r"/\d+/?$")
_ORDER_KEY = "wc_order_"
_KEPT_KEY = re.compile(r"ttclid|utm_[a-z0-9_]{1,40}")
# No "=", "&", ";", "?" or "#": nothing that could carry another pair inside a value.
_KEPT_VALUE = re.compile(r"[A-Za-z0-9._~%+*!'(),:@/|{}$-]{1,1024}")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/_.~-]*")
_PATH_SAFE = "/%:@!$&'()*+,;=~"
_LIMIT = 2048


def _names_an_order(text: str) -> bool:
    """Whether an order key is in there, however often it was percent-encoded."""
    for _ in range(5):
        decoded = unquote(text) if "%" in text else text
        if decoded == text:
            return _ORDER_KEY in text.lower()
        text = decoded
    return True  # nobody encodes that often without something to hide


def _kept_query(query: str) -> str:
    if "ttclid" not in query and "utm_" not in query:
        return ""
    kept = []
    for pair in re.split("[&;]", query):
        key, _, value = pair.partition("=")
        if _KEPT_KEY.fullmatch(key) and _KEPT_VALUE.fullmatch(value) and not _names_an_order(value):
            kept.append(pair)
    return "&".join(kept)


def _kept_path(path: str, query: str) -> str:
    path = _ORDER_PAGE.sub(r"\1/", path, count=1)
    if "%" in path or _ORDER_KEY in path.lower():
        segments = path.split("/")
        harmless = takewhile(lambda segment: not _names_an_order(segment), segments)
        kept = list(harmless)
        path = path if len(kept) == len(segments) else "/".join(kept) + "/"
    # Shops rename the endpoints; the order's key in the query tells the page all the same.
    if _ORDER_KEY in query.lower():
        path = _LAST_NUMBER.sub("/", path)
    if _PLAIN_PATH.fullmatch(path) is not None:
        return path
    return quote(path, safe=_PATH_SAFE, errors="replace")


def _ascii_host(host: str) -> str | None:
    """The host as it goes over the wire ("xn--..."), lower case; None when it has no such form."""
    if host.isascii():
        return host.lower()
    name, colon, port = host.partition(":")
    try:
        return ascii_host(name).lower() + colon + port
    except UnicodeError:
        return None


@lru_cache(maxsize=1024)
def reduced_url(address: str | None) -> str | None:
    """scheme://host/path plus `ttclid` and `utm_*`, at most 2,048 characters; None when it is no web address."""
    if not address:
        return None
    found = _ADDRESS.fullmatch(_UNFIT.sub("", address).strip())
    if found is None:
        return None
    query = found["query"] or ""
    host = _ascii_host(found["host"])
    if host is None:
        return None
    origin = f"{found['scheme'].lower()}://{host}"
    page = origin + _kept_path(found["path"] or "/", query)
    if len(page) > _LIMIT:
        return origin + "/"
    kept = _kept_query(query)
    return f"{page}?{kept}" if kept and len(page) + len(kept) < _LIMIT else page


def page_url(address: str | None, store_url: str) -> str:
    """The reduced address, else the store's own: an event always names a page."""
    return reduced_url(address) or reduced_url(store_url) or store_url
