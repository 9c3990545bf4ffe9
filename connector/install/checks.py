"""The pre-flight's checks, one small pure function each: what was seen in, a `Check` with its words' keys out.

The words are in the catalogues under `check.KEY.OUTCOME`: what is wrong, and how to mend it.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from connector.core.http_values import Reply, http_time
from connector.core.json_objects import json_object
from connector.platforms.woocommerce.rest import StoreFault

__all__ = [
    "Answer",
    "Check",
    "Seen",
    "conflicting_plugins",
    "conflicts_in",
    "index_object",
    "is_too_old",
    "may_continue",
    "run_checks",
]

PLUGIN_NAMESPACE = "wc-pixel-connector/v1"
OLDEST_WOOCOMMERCE = (8, 2)
DELIVERY_PORTS = (80, 443, 8080)  # WordPress lets its requests go nowhere else
_OAUTH_SECONDS = 15 * 60
_WARN_SECONDS = 5 * 60

Answer = Reply | StoreFault


@dataclass(frozen=True, slots=True)
class Check:
    """One result. `level` is ok, info, warn or fail; `values` fill the words."""

    key: str
    level: str
    outcome: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that was looked at, before anybody judges it."""

    store_url: str
    own_url: str
    allow_private: bool
    now: datetime
    own: Answer  # our own /healthz, from outside
    index: Answer  # /wp-json/
    plain_index: Answer | None  # /?rest_route=/, asked only when the index failed
    front: Answer  # the front page
    authorisation: Answer  # /wp-json/wp/v2/users/me with a Basic header of nobody


def run_checks(seen: Seen) -> list[Check]:
    """All that can be judged, in the order of the page. When the store is not there, the rest is left out."""
    first = [check_own_address(seen), check_reachable(seen)]
    if first[-1].level == "fail":
        return first
    found = [check(seen) for check in _STORE_CHECKS]
    return first + [check for check in found if check is not None]


def may_continue(checks: Sequence[Check]) -> bool:
    """Whether the store's owner can be sent on to approve."""
    return all(check.level != "fail" for check in checks)


def check_own_address(seen: Seen) -> Check:
    """Our public address as the store will use it: https, an allowed port, no redirect, reachable."""
    parts = urlsplit(seen.own_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    values = {"address": seen.own_url}
    is_excused = seen.allow_private and _is_local(parts.hostname or "")
    if parts.scheme != "https" and not is_excused:
        return Check("own_address", "fail", "not_https", values)
    if port not in DELIVERY_PORTS and not is_excused:
        return Check("own_address", "fail", "bad_port", {**values, "port": port})
    if isinstance(seen.own, StoreFault):
        return Check("own_address", "fail", "unreachable", values)
    if 300 <= seen.own.status < 400:
        return Check("own_address", "fail", "redirects", values)
    if seen.own.status != 200:
        return Check("own_address", "fail", "wrong_answer", {**values, "status": seen.own.status})
    if _is_local(parts.hostname or ""):
        return Check("own_address", "warn", "local", values)
    return Check("own_address", "ok", "ok", values)


def _is_local(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".test"))


def check_reachable(seen: Seen) -> Check:
    """Whether anything answers under the address."""
    values = {"address": seen.store_url}
    answer = seen.front if isinstance(seen.index, StoreFault) else seen.index
    if not isinstance(answer, StoreFault):
        return Check("reachable", "ok", "ok", values)
    outcome = "private" if answer.kind == "address_refused" else "no_answer"
    return Check("reachable", "fail", outcome, values)


def check_https(seen: Seen) -> Check:
    """Plain http works, by signed calls, but everything travels in the open."""
    is_https = seen.store_url.startswith("https://")
    return Check("https", "ok" if is_https else "warn", "ok" if is_https else "plain")


def check_rest_api(seen: Seen) -> Check:
    """Pretty permalinks and the REST API: without them no key is known and no authorise page is there."""
    if _index(seen.index) is not None:
        return Check("rest_api", "ok", "ok")
    if seen.plain_index is not None and _index(seen.plain_index) is not None:
        return Check("rest_api", "fail", "plain_permalinks")
    if isinstance(seen.index, StoreFault):
        return Check("rest_api", "fail", "no_answer")
    status = seen.index.status
    if status in (401, 403) and _code(seen.index):
        return Check("rest_api", "warn", "closed")
    if status in (401, 403, 406, 429, 503):
        return Check("rest_api", "fail", "blocked", {"status": status})
    if 300 <= status < 400:
        return Check("rest_api", "fail", "redirects")
    return Check("rest_api", "fail", "missing", {"status": status})


def check_woocommerce(seen: Seen) -> Check | None:
    """Whether WooCommerce is there, and new enough as far as the front page tells."""
    namespaces = _namespaces(seen)
    if namespaces is None:
        return None
    if "wc/v3" not in namespaces:
        return Check("woocommerce", "fail", "missing")
    version = _generator(seen.front)
    if not version:
        return Check("woocommerce", "ok", "no_version")
    if is_too_old(version):
        return Check("woocommerce", "fail", "too_old", {"version": version})
    return Check("woocommerce", "ok", "ok", {"version": version})


def check_authorisation(seen: Seen) -> Check | None:
    """Whether the web server hands the Authorization header on. WordPress itself names the unknown user then."""
    if _namespaces(seen) is None or not seen.store_url.startswith("https://"):
        return None
    code = _code(seen.authorisation)
    if code in ("invalid_username", "invalid_email", "incorrect_password", "invalid_application_password"):
        return Check("authorisation", "ok", "ok")
    return Check("authorisation", "info", "unknown")


def check_clock(seen: Seen) -> Check | None:
    """Signed calls to a plain http store are refused when the clocks differ by a quarter of an hour."""
    theirs = None if isinstance(seen.index, StoreFault) else http_time(seen.index.headers.get("date"))
    if theirs is None:
        return None
    seconds = abs((theirs - seen.now).total_seconds())
    values = {"minutes": round(seconds / 60)}
    if seconds < _WARN_SECONDS:
        return Check("clock", "ok", "ok")
    signed = seen.store_url.startswith("http://") and seconds >= _OAUTH_SECONDS
    return Check("clock", "fail" if signed else "warn", "signed" if signed else "differs", values)


def check_plugin(seen: Seen) -> Check | None:
    """Our plugin is not needed to start, but much hangs on it."""
    namespaces = _namespaces(seen)
    if namespaces is None:
        return None
    present = PLUGIN_NAMESPACE in namespaces
    return Check("plugin", "ok" if present else "info", "ok" if present else "missing")


def check_conflicts(seen: Seen) -> Check | None:
    """Others that fire a TikTok pixel on the front page already."""
    if isinstance(seen.front, StoreFault):
        return None
    names = conflicts_in(seen.front.body)
    if not names:
        return Check("conflicts", "ok", "ok")
    return Check("conflicts", "warn", "found", {"names": ", ".join(names)})


def check_page_cache(seen: Seen) -> Check | None:
    """A page cache hides views from the store's server; the script then tells them straight to us."""
    if isinstance(seen.front, StoreFault):
        return None
    names = [name for name, mark in _CACHES.items() if mark(seen.front)]
    return Check("page_cache", "info", "found", {"names": ", ".join(names)}) if names else None


_STORE_CHECKS: tuple[Callable[[Seen], Check | None], ...] = (
    check_https,
    check_rest_api,
    check_woocommerce,
    check_authorisation,
    check_clock,
    check_plugin,
    check_conflicts,
    check_page_cache,
)

# What others leave in a page. The pixel code stands in the library's call or in its address.
_CONFLICTS: Mapping[str, re.Pattern[bytes]] = {
    "TikTok for WooCommerce": re.compile(rb"plugins/tiktok-for-business|tiktok_for_woocommerce", re.IGNORECASE),
    "PixelYourSite": re.compile(rb"plugins/pixelyoursite", re.IGNORECASE),
    "Pixel Manager for WooCommerce": re.compile(
        rb"plugins/(woocommerce-google-adwords-conversion-tracking-tag|pixel-manager)", re.IGNORECASE
    ),
    "Conversios": re.compile(rb"plugins/enhanced-e-commerce-for-woocommerce-store", re.IGNORECASE),
    "GTM4WP": re.compile(rb"plugins/duracelltomi-google-tag-manager", re.IGNORECASE),
}
_PIXEL_LIBRARY = re.compile(rb"analytics\.tiktok\.com/i18n/pixel|ttq\.load\(", re.IGNORECASE)
_PIXEL_CODE = re.compile(rb"ttq\.load\(\s*['\"]([A-Z0-9]{10,40})['\"]|[?&]sdkid=([A-Z0-9]{10,40})")
_TAG_MANAGER = re.compile(
    rb"googletagmanager\.com/gtm\.js(?:\?id=(GTM-[A-Z0-9]{4,12}))?|['\"](GTM-[A-Z0-9]{4,12})['\"]"
)

_CACHES: Mapping[str, Callable[[Reply], bool]] = {
    "Cloudflare": lambda page: page.headers.get("cf-cache-status", "").upper() in ("HIT", "MISS", "EXPIRED"),
    "LiteSpeed Cache": lambda page: "x-litespeed-cache" in page.headers,
    "WP Rocket": lambda page: b"wp-rocket" in page.body.lower(),
    "W3 Total Cache": lambda page: b"w3 total cache" in page.body.lower(),
    "WP Super Cache": lambda page: b"wp super cache" in page.body.lower() or b"wp-super-cache" in page.body.lower(),
    "Varnish": lambda page: "x-varnish" in page.headers,
}


def conflicts_in(html: bytes) -> list[str]:
    """Names of what fires a TikTok pixel or may do so, with the pixel's code where it shows."""
    names = [name for name, mark in _CONFLICTS.items() if mark.search(html)]
    if _PIXEL_LIBRARY.search(html):
        codes = {(one or other).decode() for one, other in _PIXEL_CODE.findall(html)}
        names.append("TikTok pixel " + ", ".join(sorted(codes)) if codes else "TikTok pixel")
    if manager := _TAG_MANAGER.search(html):
        names.append(f"Google Tag Manager {(manager[1] or manager[2] or b'').decode()}".strip())
    return names


def index_object(reply: Reply) -> dict[str, Any]:
    """The JSON object of a reply, empty when it is none."""
    return _object(reply.body)


def conflicting_plugins(plugins: Iterable[Sequence[str]]) -> list[str]:
    """Of a store's active plugins, each its name and its `folder/file`, those that may fire a TikTok pixel."""
    return [
        name for name, file in plugins if any(mark.search(f"plugins/{file}".encode()) for mark in _CONFLICTS.values())
    ]


def is_too_old(woocommerce: str) -> bool:
    """Whether our plugin needs a later WooCommerce than this version; an unknown one is not judged."""
    numbers = _numbers(woocommerce)[:2]
    return bool(numbers) and numbers < OLDEST_WOOCOMMERCE


def _index(answer: Answer) -> dict[str, Any] | None:
    if isinstance(answer, StoreFault) or answer.status != 200:
        return None
    value = _object(answer.body)
    return value if isinstance(value.get("namespaces"), list) else None


def _namespaces(seen: Seen) -> list[Any] | None:
    index = _index(seen.index)
    return None if index is None else index["namespaces"]


def _code(answer: Answer) -> str:
    return "" if isinstance(answer, StoreFault) else str(_object(answer.body).get("code", ""))


def _object(body: bytes) -> dict[str, Any]:
    return json_object(body.lstrip(b"\xef\xbb\xbf \t\r\n"))


def _generator(front: Answer) -> str:
    if isinstance(front, StoreFault):
        return ""
    found = re.search(rb"<meta[^>]+content=[\"']WooCommerce ([0-9.]{1,20})", front.body)
    return found[1].decode() if found else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d{1,6}", version))
