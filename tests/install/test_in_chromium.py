"""The system's Chromium walks the whole install on the stand-in store, and reads the owner's pages."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from connector.demo.store_stand_in import StandInStore
from connector.platforms.woocommerce.store_api import COMPANION_TOPICS, ORDER_TOPICS
from tests.install.conftest import Running
from tests.reach import small_targets, too_wide

pytestmark = pytest.mark.browser

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "a long enough password"
PIXEL = "CTESTPIXEL0000000001"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("no /usr/bin/chromium: apt-get install chromium, then these pages are tested too")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(locale="en-GB")
    made.set_default_timeout(15_000)
    yield made
    made.close()


def approve(page: Page, connector: Running, store: StandInStore) -> None:
    page.goto(connector.url + "/install")
    page.fill("#store", store.url)
    page.keyboard.press("Enter")
    page.click("text=Continue to your store")
    page.click(".wc-auth-approve")
    page.wait_for_url("**/install/progress")


def install(page: Page, connector: Running, store: StandInStore) -> None:
    approve(page, connector, store)
    connector.clock.move(seconds=31)
    page.wait_for_url("**/install/password")  # the page looked again by itself
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("text=Save and go on")


def test_from_an_empty_tab_to_a_connected_store(
    connector: Running, store: StandInStore, context: BrowserContext
) -> None:
    page = context.new_page()
    hosts: set[str] = set()
    faults: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("console", lambda message: faults.append(message.text) if "ontent Security" in message.text else None)

    install(page, connector, store)
    page.fill("#pixel_code", PIXEL)
    page.fill("#access_token", "bad-token")
    page.click("text=Try and connect")
    assert page.get_by_role("alert").inner_text().startswith("The access token is wrong or was revoked.")
    page.fill("#access_token", "good-token")
    page.click("text=Try and connect")
    page.wait_for_url("**/owner/plugin?done=connected")
    store.has_plugin = True
    page.get_by_text("The plugin answers").wait_for()  # the page looked again by itself
    page.click("text=Go to the overview")

    assert page.locator(".check-fail").count() == 0
    assert {one.topic for one in store.webhooks.values()} == {*ORDER_TOPICS, *COMPANION_TOPICS}
    assert len(store.script_tags) == 1
    assert hosts - {""} == {urlsplit(connector.url).netloc, urlsplit(store.url).netloc}
    assert faults == []


def test_the_owner_of_a_store_that_somebody_else_tries_to_install_is_warned(
    connector: Running, store: StandInStore, chromium: Browser, context: BrowserContext
) -> None:
    attacker, owner = context.new_page(), chromium.new_context(locale="en-GB").new_page()
    attacker.goto(connector.url + "/install")
    attacker.fill("#store", store.url)
    attacker.keyboard.press("Enter")
    link = attacker.get_by_text("Continue to your store").get_attribute("href")
    assert link

    owner.goto(link)
    owner.click(".wc-auth-approve")

    assert owner.locator("h1").inner_text() == "You did not start this"
    attacker.goto(connector.url + "/install/progress")
    assert attacker.locator("h1").inner_text() == "You did not start this"


def test_a_refusal_is_told(connector: Running, store: StandInStore, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(connector.url + "/install")
    page.fill("#store", store.url)
    page.keyboard.press("Enter")
    page.click("text=Continue to your store")
    page.click(".wc-auth-deny")

    assert page.locator("h1").inner_text() == "Not connected"


def test_tiktoks_own_page_and_back(connector: Running, store: StandInStore, context: BrowserContext) -> None:
    page = context.new_page()
    install(page, connector, store)

    page.click("text=Continue to TikTok")
    page.wait_for_url("**/owner/tiktok/pixels")
    page.check(f"input[value={PIXEL}]")
    page.click("text=Try and use it")
    page.wait_for_url("**/owner/plugin?done=connected")

    page.goto(connector.url + "/owner/tiktok")
    assert page.locator(".badge").inner_text() == "works"


def test_every_page_fits_a_phone_and_a_desk_in_every_language(
    connector: Running, store: StandInStore, context: BrowserContext
) -> None:
    page = context.new_page()
    install(page, connector, store)
    paths = (
        "/owner", "/owner/tiktok", "/owner/plugin", "/owner/store", "/owner/settings", "/owner/uninstall",
        "/", "/install",
    )  # fmt: skip
    wide = []
    for language in ("en", "de", "es", "fr"):
        for path in paths:
            page.goto(f"{connector.url}{path}?lang={language}")
            for width in (1280, 320, 390):
                page.set_viewport_size({"width": width, "height": 900})
                if too_wide(page) > 0:
                    wide.append((language, path, width))
            assert small_targets(page) == [], (language, path)

    assert wide == []


def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    connector: Running, store: StandInStore, context: BrowserContext
) -> None:
    page = context.new_page()
    install(page, connector, store)
    page.goto(connector.url + "/owner/settings")
    wanted = page.locator("main input:visible, main button:visible, main textarea:visible, main summary").count()

    reached, outlines = set(), set()
    for _ in range(wanted + 40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.name || document.activeElement.tagName"))
        outlines.add(page.evaluate("getComputedStyle(document.activeElement).outlineStyle"))

    fields = {
        "consent_policy",
        "paid_statuses",
        "other_statuses",
        "events",
        "views_direct",
        "old",
        "password",
        "again",
    }
    assert fields <= reached
    assert "SUMMARY" in reached
    assert outlines - {"none", "auto"} == {"solid"}


def test_uninstalling_by_hand(connector: Running, store: StandInStore, context: BrowserContext) -> None:
    page = context.new_page()
    install(page, connector, store)
    page.goto(connector.url + "/owner/store")
    page.click("text=Uninstall")
    page.check("input[value=keep]")
    page.check("input[name=sure]")
    page.click("text=Uninstall now")

    assert page.locator("h1").inner_text() == "Uninstalled"
    assert store.webhooks == {}


def test_a_page_that_waits_looks_again_without_losing_its_place(
    connector: Running, store: StandInStore, context: BrowserContext
) -> None:
    """A reload every few seconds would take the focus, the selection and a screen reader's place with it."""
    page = context.new_page()
    approve(page, connector, store)
    page.wait_for_selector("progress")
    page.evaluate("window.isTheSamePage = true")
    page.focus("footer a[lang=de]")
    connector.clock.move(seconds=15)
    while page.evaluate("document.querySelector('progress').value") < 15:
        page.wait_for_timeout(100)

    assert page.evaluate("window.isTheSamePage && document.activeElement.lang") == "de"

    connector.clock.move(seconds=20)
    page.wait_for_url("**/install/password")


def test_the_wait_for_the_plugin_ends_by_itself(
    connector: Running, store: StandInStore, context: BrowserContext
) -> None:
    page = context.new_page()
    install(page, connector, store)
    page.goto(connector.url + "/owner/plugin")
    store.has_plugin = True

    page.wait_for_selector("text=The script is on your storefront")


def test_times_are_the_readers_own_with_utc_in_the_tooltip(
    connector: Running, store: StandInStore, chromium: Browser
) -> None:
    """In Kiribati it is fourteen hours later: always another time, and mostly another day."""
    page = chromium.new_context(locale="en-GB", timezone_id="Pacific/Kiritimati").new_page()
    install(page, connector, store)
    page.goto(connector.url + "/owner/store")

    looked = page.locator("dt", has_text="Last looked").locator("xpath=following-sibling::dd[1]/time")
    at = datetime.strptime((looked.get_attribute("title") or "").replace("UTC", "+0000"), "%Y-%m-%d %H:%M %z")
    assert abs(connector.clock() - at) < timedelta(minutes=5)
    assert looked.get_attribute("datetime") == at.strftime("%Y-%m-%dT%H:%MZ")
    own = at + timedelta(hours=14)
    assert looked.inner_text() == f"{own.day} {own:%b %Y, %H:%M}"
    assert "UTC" not in page.locator("main").inner_text()
