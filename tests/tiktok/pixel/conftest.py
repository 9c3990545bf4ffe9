"""One Chromium for all tests of the browser script; a new profile, a shop and a TikTok for each."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from connector.core.installation_settings import ConsentPolicy
from connector.demo.tiktok_stand_in import StandInTikTok
from tests.tiktok.pixel.shop import PIXEL, Shop

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    arguments = ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks", "--enable-features=BackForwardCache"]
    with sync_playwright() as playwright:
        # Without this Playwright switches the back/forward cache off.
        found = playwright.chromium.launch(
            executable_path=CHROMIUM, args=arguments, ignore_default_args=["--disable-back-forward-cache"]
        )
        yield found
        found.close()


@pytest.fixture
def tiktok() -> Iterator[StandInTikTok]:
    with StandInTikTok({"token": {PIXEL}}) as running:
        yield running


@pytest.fixture
def make_shop(tiktok: StandInTikTok) -> Iterator[Callable[..., Shop]]:
    running: list[Shop] = []

    def make(policy: ConsentPolicy = ConsentPolicy.BY_REGION, **config: Any) -> Shop:
        shop = Shop(f"{tiktok.url}/i18n/pixel/events.js", policy, **config)
        running.append(shop.__enter__())
        return running[-1]

    yield make
    for shop in running:
        shop.__exit__()


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    """By region; its visitors are in Germany until a test says otherwise."""
    return make_shop()


@pytest.fixture
def profile(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def page(profile: BrowserContext) -> Page:
    """A tab in which no script may fail."""
    tab = profile.new_page()
    tab.on("pageerror", lambda error: pytest.fail(f"the page saw an error: {error}"))
    return tab
