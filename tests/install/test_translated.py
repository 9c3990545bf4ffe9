"""No page of installing or of the owner's shows English to somebody who reads German, Spanish or French."""

import html
import re
from pathlib import Path

import httpx
import pytest

from connector.demo.store_stand_in import StandInStore
from connector.install import routes
from connector.pages.translating import catalogue
from tests.install.conftest import Running
from tests.install.test_machines import signed
from tests.install.walking import approve, approve_address, check_store, come_back, form_token, post, signed_in

PAGES = ("/", "/install", "/install/progress", "/install/woocommerce/return?success=1&user_id=x", "/owner/sign-in")
OWNER_PAGES = ("/owner", "/owner/tiktok", "/owner/store", "/owner/settings", "/owner/plugin", "/owner/uninstall")
_TEMPLATES = sorted((Path(routes.__file__).parent / "templates").rglob("*.html"))
_NAMES = {"WooCommerce", "WordPress, PHP"}  # the same in every language


def english_in(page: str, language: str) -> set[str]:
    """Texts of the English catalogue that stand on the page although the language says them differently."""
    shown = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page, flags=re.DOTALL)
    parts = {html.unescape(part).strip() for part in re.split(r"<[^>]+>", shown)}
    own = set(catalogue(language).values())
    return {
        text
        for key, text in catalogue("en").items()
        if text in parts and catalogue(language).get(key) != text and text not in own
    }


def keys_in(page: str) -> list[str]:
    """Keys of texts that nobody has written."""
    return re.findall(r">\s*((?:owner|install|base|live|check|setting|notice|reason|gap)\.[a-z_.]+)\s*<", page)


def test_no_template_has_words_of_its_own() -> None:
    assert _TEMPLATES
    for template in _TEMPLATES:
        # Two blocks hold an address and a class, not words.
        plain = re.sub(
            r"{% block (home|width) %}.*?{% endblock %}|{#.*?#}|{%.*?%}|{{.*?}}",
            "",
            template.read_text("utf-8"),
            flags=re.DOTALL,
        )
        words = {part.strip() for part in re.split(r"<[^>]+>", plain) if re.search(r"[A-Za-z]{2}", part)}
        assert words <= _NAMES, template.name


@pytest.fixture(params=["de", "es", "fr"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def told(pages: list[httpx.Response], language: str) -> dict[str, object]:
    wrong: dict[str, object] = {}
    for page in pages:
        assert f'<html lang="{language}">' in page.text, page.request.url
        if found := [*english_in(page.text, language), *keys_in(page.text)]:
            wrong[str(page.request.url)] = found
    return wrong


def test_installing(connector: Running, store: StandInStore, language: str) -> None:
    browser = connector.browser(headers={"accept-language": language})
    pages = [browser.get(path) for path in PAGES]
    pages += [check_store(browser, typed) for typed in ("", "my shop", store.url)]
    store.plain_permalinks = True
    pages.append(check_store(browser, store.url))
    store.plain_permalinks, store.has_woocommerce = False, False
    pages.append(check_store(browser, store.url))
    store.has_woocommerce = True
    pages.append(browser.post("/install", data={"store": "x"}))
    authorise = approve_address(browser, store)
    state = authorise.split("user_id=")[1].split("&")[0]
    browser.get(f"/install/woocommerce/return?success=1&user_id={state}")
    pages.append(browser.get("/install/progress"))
    connector.clock.move(seconds=100)
    pages.append(browser.get("/install/progress"))
    granted = approve(authorise, store)
    come_back(browser, granted)
    pages.append(browser.get("/install/progress"))
    connector.clock.move(seconds=31)
    browser.get("/install/progress")
    pages.append(browser.get("/install/password"))
    pages.append(post(browser, "/install/password", "/install/password", password="a", again="b"))
    pages.append(come_back(connector.browser(headers={"accept-language": language}), granted))

    assert told(pages, language) == {}


def test_the_owners_pages(connector: Running, store: StandInStore, language: str) -> None:
    browser = signed_in(connector, store)
    browser.headers["accept-language"] = language
    pages = [browser.get(path) for path in OWNER_PAGES]
    token = form_token(pages[1].text)
    bad = {"form_token": token, "pixel_code": "CTESTPIXEL0000000001", "access_token": "bad-token"}
    pages.append(browser.post("/owner/tiktok/token", data=bad))
    pages.append(browser.post("/owner/tiktok/token", data={**bad, "pixel_code": "?"}))
    pages.append(browser.post("/owner/tiktok/token", data={**bad, "access_token": ""}))
    pages.append(browser.post("/owner/settings", data={"form_token": token}))
    pages.append(browser.post("/owner/settings/password", data={"form_token": token}))
    browser.post("/owner/tiktok/token", data={**bad, "access_token": "good-token"})
    store.has_plugin = True
    pages += [browser.get(path) for path in ("/owner/plugin", *OWNER_PAGES)]
    pages.append(browser.post("/owner/tiktok/test", data={"form_token": token}))
    pages.append(browser.post("/owner/tiktok/test-mode", data={"form_token": token, "test_event_code": "?"}))
    for word in ("saved", "copy", "same_shop", "seen", "comparing", "no_keys", "rotated", "test_on"):
        pages.append(browser.get("/owner/store", params={"done": word}))
    pages.append(browser.post("/owner/uninstall", data={"form_token": token}))
    pages.append(browser.post("/owner/uninstall", data={"form_token": token, "data": "keep", "sure": "1"}))

    assert told(pages, language) == {}


@pytest.mark.parametrize(
    ("locale", "words"),
    [("de_DE", "Bestätigt."), ("fr_CA", "C’est confirmé."), ("es_ES", "Confirmado."), ("", "Confirmed."), (7, "Co")],
)
def test_what_the_plugin_shows_is_in_its_users_language(
    connector: Running, store: StandInStore, locale: object, words: str
) -> None:
    store.has_plugin = True
    browser = connector.browser()
    come_back(browser, approve(approve_address(browser, store), store))
    browser.get("/install/progress")
    body = {"installation_id": store.connection["installation_id"], "user": "admin", "locale": locale}

    confirmed = signed(connector, "/install/confirm", store.connection["link_secret"], body)

    assert confirmed.json()["message"].startswith(words)
