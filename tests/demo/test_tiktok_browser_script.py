"""The recorder script in a real browser, loaded as TikTok's own base code loads the library."""

import shutil
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from connector.demo.tiktok_stand_in import StandInTikTok

PIXEL = "CPIXEL00000000000001"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

# The queue that a pixel's base code makes, then calls before and after the library is there.
PAGE = """<!doctype html><title>shop</title><script>
window.TiktokAnalyticsObject = 'ttq';
var ttq = window.ttq = [];
ttq.setAndDefer = function (t, e) { t[e] = function () { t.push([e].concat([].slice.call(arguments))); }; };
['page', 'track', 'identify', 'holdConsent', 'grantConsent', 'revokeConsent'].forEach(function (name) {
  ttq.setAndDefer(ttq, name);
});
ttq._i = {'%(pixel)s': []};
%(early)s
ttq.track('CompletePayment', {value: 9.5, currency: 'EUR'}, {event_id: 'id-1'});
var script = document.createElement('script');
script.src = '%(url)s/i18n/pixel/events.js?sdkid=%(pixel)s&lib=ttq';
document.head.appendChild(script);
</script>"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    # A page that the test makes up has no address of its own, and Chromium keeps such from local servers.
    arguments = ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser.new_page()
        browser.close()


def open_shop(page: Page, tiktok: StandInTikTok, early: str) -> None:
    html = PAGE % {"pixel": PIXEL, "url": tiktok.url, "early": early}
    page.unroute_all()
    page.context.clear_cookies()
    page.route("http://shop.test/", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto("http://shop.test/")
    page.wait_for_function("window.__ttq_calls && window.__ttq_calls.some(c => c.method === 'track')")


def browser_ids(tiktok: StandInTikTok, wanted: int) -> list[object]:
    deadline = time.monotonic() + 10
    while len(tiktok.browser_calls) < wanted and time.monotonic() < deadline:
        time.sleep(0.02)
    return [call.get("event_id") for call in tiktok.browser_calls]


def test_queued_and_later_calls_are_recorded_and_reported(page: Page) -> None:
    with StandInTikTok({"t": {PIXEL}}) as tiktok:
        open_shop(page, tiktok, "")
        page.evaluate("code => ttq.instance(code).track('AddToCart', {}, {event_id: 'id-2'})", PIXEL)
        assert sorted(map(str, browser_ids(tiktok, 2))) == ["id-1", "id-2"]
        assert {call["pixel_code"] for call in tiktok.browser_calls} == {PIXEL}
        assert "_ttp=" in page.evaluate("document.cookie")


def test_held_consent_reports_nothing_until_it_is_granted(page: Page) -> None:
    with StandInTikTok({"t": {PIXEL}}) as tiktok:
        open_shop(page, tiktok, "ttq.holdConsent();")
        assert page.evaluate("document.cookie") == ""
        assert page.evaluate("__ttq_calls.filter(c => c.sent).length") == 0
        page.evaluate("ttq.grantConsent()")
        assert browser_ids(tiktok, 1) == ["id-1"]
