"""The pre-flight: find the store behind what was typed, look at it, and let `checks` judge."""

import re
from base64 import b64encode
from dataclasses import dataclass
from html import unescape
from urllib.parse import urljoin

from connector.core.http_values import OutgoingRequest
from connector.errors import AddressRefused, SendFailed
from connector.install.checks import Answer, Check, Seen, index_object, may_continue, run_checks
from connector.install.services import Services
from connector.install.store_client import REDIRECTS, fetch, fetch_page
from connector.platforms.woocommerce.connect import read_store_url
from connector.platforms.woocommerce.rest import StoreFault

__all__ = ["Preflight", "preflight"]

_MOST_REDIRECTS = 3
# The whole index lists every route of every plugin, more than a megabyte in a usual shop.
_FIELDS = "_fields=name,url,home,namespaces"
# Somebody waits at the page, and a proxy in front of us waits for a minute at most.
_PATIENCE = 8.0
_LINK_HEADER = re.compile(r"<([^<>]{1,500})>\s*;\s*rel=[\"']?https://api\.w\.org/")
_LINK_TAG = re.compile(
    rb"<link[^>]{0,100}rel=[\"']https://api\.w\.org/[\"'][^>]{0,100}href=[\"']([^\"'<>]{1,500})[\"']"
    rb"|<link[^>]{0,100}href=[\"']([^\"'<>]{1,500})[\"'][^>]{0,100}rel=[\"']https://api\.w\.org/[\"']"
)
_NOBODY = {"Authorization": "Basic " + b64encode(b"pixel-connector-check:nobody").decode()}


@dataclass(frozen=True, slots=True)
class Preflight:
    """What it found. `store_url` is where the store really lives, after its redirects."""

    store_url: str
    checks: list[Check]

    @property
    def passes(self) -> bool:
        """Whether the owner can go on."""
        return may_continue(self.checks)


def preflight(services: Services, typed: str) -> Preflight | None:
    """Look at the store. None when what was typed is no address. Calls it a handful of times; takes seconds."""
    asked = read_store_url(typed)
    if asked is None:
        return None
    store_url, index, front = _find(services, asked, typed)
    answers = not isinstance(index, StoreFault)
    seen = Seen(
        store_url=store_url,
        own_url=services.own_url,
        allow_private=services.allow_private,
        now=services.now(),
        own=_own_address(services),
        index=index,
        plain_index=_plain_index(services, store_url) if answers and not _is_ok(index) else None,
        front=front,
        authorisation=_whoami(services, store_url) if answers else StoreFault("not_asked", 0),
    )
    return Preflight(store_url, run_checks(seen))


def _find(services: Services, asked: str, typed: str) -> tuple[str, Answer, Answer]:
    """Where the store lives, its index and its front page.

    Follows the store's own redirects (www, https), each hop guarded; tries http when https was only our guess; and
    when a page of the shop was typed, asks that page where its REST API is.
    """
    url, index = _followed(services, asked)
    guessed = "://" not in typed
    if isinstance(index, StoreFault) and index.kind == "unreachable" and guessed:
        plain_url, plain = _followed(services, "http" + asked.removeprefix("https"))
        if not isinstance(plain, StoreFault):
            url, index = plain_url, plain
    front = fetch_page(services, url + "/", _PATIENCE)
    told = read_home(index) if _is_ok(index) else _told_by_page(url, front)
    if told is not None and _is_another(told, url):
        home, its_index = _followed(services, told)
        if _is_ok(its_index):
            return home, its_index, fetch_page(services, home + "/", _PATIENCE)
    return url, index, front


def read_home(index: Answer) -> str | None:
    """The home address as WordPress itself knows it: a store signs and sets its cookies under that one."""
    if isinstance(index, StoreFault):
        return None
    home = index_object(index).get("home")
    return read_store_url(home) if isinstance(home, str) else None


def _told_by_page(url: str, page: Answer) -> str | None:
    """The home address behind what any page of WordPress says of its REST API, in a header and in its head."""
    if isinstance(page, StoreFault):
        return None
    header = _LINK_HEADER.search(page.headers.get("link", ""))
    found = header[1] if header else None
    if found is None and (tag := _LINK_TAG.search(page.body)):
        found = (tag[1] or tag[2]).decode("utf-8", "replace")
    return read_store_url(urljoin(url + "/", unescape(found))) if found else None


def _is_another(told: str, url: str) -> bool:
    """Whether it is worth going there: never from https down to http."""
    return told != url and not (url.startswith("https://") and told.startswith("http://"))


def _followed(services: Services, url: str) -> tuple[str, Answer]:
    for _ in range(_MOST_REDIRECTS + 1):
        reply = fetch(services, OutgoingRequest("GET", f"{url}/wp-json/?{_FIELDS}"), _PATIENCE)
        if isinstance(reply, StoreFault) or reply.status not in REDIRECTS:
            break
        target = read_store_url(urljoin(f"{url}/wp-json/", reply.headers.get("location", "")))
        if target is None or not _is_another(target, url):
            break
        url = target
    return url, reply


def _plain_index(services: Services, store_url: str) -> Answer:
    """The same index under the address that works with plain permalinks too."""
    return fetch(services, OutgoingRequest("GET", f"{store_url}/?rest_route=/&{_FIELDS}"), _PATIENCE)


def _own_address(services: Services) -> Answer:
    """Our own address from outside; it is the operator's, so only development may be unguarded here."""
    request = OutgoingRequest("GET", services.own_url + "/healthz")
    try:
        return services.calls(request, timeout_seconds=_PATIENCE, guarded=False)
    except (SendFailed, AddressRefused):
        return StoreFault("unreachable", 0)


def _whoami(services: Services, store_url: str) -> Answer:
    """WordPress' own answer to a Basic header, where it reads one: https only."""
    if not store_url.startswith("https://"):
        return StoreFault("not_asked", 0)
    return fetch(services, OutgoingRequest("GET", f"{store_url}/wp-json/wp/v2/users/me", _NOBODY), _PATIENCE)


def _is_ok(answer: Answer) -> bool:
    return not isinstance(answer, StoreFault) and answer.status == 200
