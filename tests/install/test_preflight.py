"""The pre-flight over real sockets: stores that live elsewhere than was typed, and stores that answer badly."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from connector.demo.listening import Listening
from connector.demo.store_stand_in import StandInStore
from connector.install.preflight import Preflight, preflight
from connector.install.services import calls_at_once
from connector.install.store_client import find_access
from connector.platforms.woocommerce.connect import StoreKeys
from connector.platforms.woocommerce.rest import StoreFault
from tests.install.conftest import Running
from tests.install.through_a_proxy import behind_tls, hanging

_GENERATOR = '<meta name="generator" content="WooCommerce 9.9.5">'


class Site(Listening):
    """A site whose answers a test writes down, path by path; what is not there is WordPress' own 404 page."""

    def __init__(self) -> None:
        self.answers: dict[str, Response] = {}
        self.asked: list[str] = []
        super().__init__(lambda: Starlette(routes=[Route("/{path:path}", self._answer)]))

    def index(self, home: str | None = None) -> Response:
        index = {"home": home or self.url, "namespaces": ["wp/v2", "wc/v3"]}
        return Response(json.dumps(index), media_type="application/json")

    async def _answer(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return self.answers.get(request.url.path, PlainTextResponse("not found", 404))


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def look(connector: Running, typed: str) -> Preflight:
    looked = preflight(connector.services, typed)
    assert looked is not None
    return looked


def level(looked: Preflight, key: str) -> str:
    (found,) = (one for one in looked.checks if one.key == key)
    return found.level


@pytest.mark.parametrize("where", ["header", "tag", "tag turned round"])
def test_a_page_of_the_shop_leads_to_its_home(connector: Running, site: Site, where: str) -> None:
    root = f"{site.url}/wp-json/"
    tags = {
        "tag": f'<link rel="https://api.w.org/" href="{root}" />',
        "tag turned round": f"<link href='{root}' rel='https://api.w.org/'>",
    }
    headers = {"link": f'<{root}>; rel="https://api.w.org/"'} if where == "header" else {}
    site.answers["/product/hoodie/"] = Response(tags.get(where, ""), media_type="text/html", headers=headers)
    site.answers["/wp-json/"] = site.index()

    looked = look(connector, f"{site.url}/product/hoodie/?color=red#reviews")

    assert looked.store_url == site.url
    assert looked.passes


def test_the_stores_own_name_of_itself_is_taken(connector: Running, site: Site) -> None:
    """A store on http signs its own address: calls to another name of it are never understood."""
    home = site.url.replace("127.0.0.1", "localhost")
    site.answers["/wp-json/"] = site.index(home)

    assert look(connector, site.url).store_url == home


@pytest.mark.parametrize("home", ["http://127.0.0.1:1", "javascript:alert(1)", "", "https://user@shop.example"])
def test_a_name_under_which_nobody_answers_is_not_taken(connector: Running, site: Site, home: str) -> None:
    site.answers["/wp-json/"] = site.index(home)

    assert look(connector, site.url).store_url == site.url


def test_a_front_page_behind_a_redirect_is_read(connector: Running, site: Site) -> None:
    pixel = '<script src="https://analytics.tiktok.com/i18n/pixel/events.js?sdkid=CABCDEFGH01234567890"></script>'
    site.answers["/wp-json/"] = site.index()
    site.answers["/"] = RedirectResponse("/en/", 302)
    site.answers["/en/"] = Response(_GENERATOR + pixel, media_type="text/html")

    looked = look(connector, site.url)

    assert level(looked, "conflicts") == "warn"
    assert next(one for one in looked.checks if one.key == "woocommerce").values["version"] == "9.9.5"


def test_a_very_large_front_page_is_read(connector: Running, site: Site) -> None:
    site.answers["/wp-json/"] = site.index()
    site.answers["/"] = Response(_GENERATOR + "x" * 2_000_000, media_type="text/html")

    assert next(one for one in look(connector, site.url).checks if one.key == "woocommerce").outcome == "ok"


def test_redirects_without_an_end_are_told(connector: Running, site: Site) -> None:
    site.answers["/wp-json/"] = RedirectResponse(f"{site.url}/a/wp-json/", 301)
    site.answers["/a/wp-json/"] = RedirectResponse(f"{site.url}/wp-json/", 301)
    site.answers["/"] = RedirectResponse("/", 302)

    looked = look(connector, site.url)

    assert level(looked, "rest_api") == "fail"
    assert len(site.asked) < 20


def test_a_redirect_to_a_private_address_is_not_followed(connector: Running, site: Site) -> None:
    """The guard looks at each hop: with it on, not even the first one is called here."""
    guarded = replace(connector.services, allow_private=False, calls=calls_at_once())

    looked = preflight(guarded, site.url)

    assert looked is not None
    assert [(one.level, one.outcome) for one in looked.checks if one.key == "reachable"] == [("fail", "private")]
    assert site.asked == []


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"[]", b'{"namespaces":"wc/v3"}', b"<html>" * 1000])
def test_garbage_is_no_rest_api(connector: Running, site: Site, body: bytes) -> None:
    site.answers["/wp-json/"] = Response(body, media_type="application/json")

    looked = look(connector, site.url)

    assert level(looked, "rest_api") == "fail"
    assert not looked.passes


def test_a_store_that_hangs_is_given_up_in_time(connector: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody waits at the page; a proxy in front gives up after a minute."""
    monkeypatch.setattr("connector.install.preflight._PATIENCE", 0.4)
    with hanging() as url:
        started = time.monotonic()
        looked = look(connector, url)

    assert level(looked, "reachable") == "fail"
    assert time.monotonic() - started < 4


def test_an_https_store_whose_proxy_hides_its_tls_is_called_as_it_signs(
    connector: Running, store: StandInStore
) -> None:
    """PHP believes in http there: Basic and query keys are ignored, and the signed address begins with http."""
    store.home = "https://shop.example"
    services = replace(connector.services, calls=behind_tls(store.url, "shop.example"))

    found = find_access(services, "https://shop.example", StoreKeys(*store.new_keys()))

    assert not isinstance(found, StoreFault)
    assert found[0].authentication == "proxied"
