"""Steps of an install as a person's browser takes them, over real sockets."""

import html
import re

import httpx

from connector.demo.store_stand_in import StandInStore
from tests.install.conftest import Running


def link_with(page: str, part: str) -> str:
    """The first link or action whose address has this part."""
    found = re.search(rf'(?:href|action)="([^"]*{re.escape(part)}[^"]*)"', page)
    assert found, f"no link with {part!r}"
    return html.unescape(found[1])


def form_token(page: str) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found, "no form token"
    return found[1]


def post(browser: httpx.Client, page_path: str, action: str, **fields: str) -> httpx.Response:
    """Read a page, fill in its form, send it."""
    page = browser.get(page_path)
    return browser.post(action, data={"form_token": form_token(page.text), **fields})


def check_store(browser: httpx.Client, store_url: str) -> httpx.Response:
    return post(browser, "/install", "/install", store=store_url)


def approve_address(browser: httpx.Client, store: StandInStore) -> str:
    """The authorise page's address after a pre-flight that passed."""
    checked = check_store(browser, store.url)
    assert checked.status_code == 200, checked.text
    return link_with(checked.text, "/wc-auth/v1/authorize")


def approve(authorise: str, store: StandInStore, answer: str = "access_granted") -> httpx.Response:
    """Read the store's page and follow one of its links, up to but not into our return address."""
    with httpx.Client(base_url=store.url, trust_env=False, timeout=60) as merchant:
        page = merchant.get(authorise)
        return merchant.get(link_with(page.text, answer))


def come_back(browser: httpx.Client, granted: httpx.Response) -> httpx.Response:
    return browser.get(granted.headers["location"])


def installed(connector: Running, store: StandInStore) -> httpx.Client:
    """A browser that has just installed the store and stands before the password page."""
    browser = connector.browser()
    come_back(browser, approve(approve_address(browser, store), store))
    connector.clock.move(seconds=31)
    done = browser.get("/install/progress")
    assert done.headers.get("location") == "/install/password", done.text
    return browser


def signed_in(connector: Running, store: StandInStore) -> httpx.Client:
    """A browser on the owner's pages of a store that has just been installed."""
    browser = installed(connector, store)
    words = "a long enough password"
    post(browser, "/install/password", "/install/password", password=words, again=words)
    return browser
