"""Which requests must and must not happen for each state of consent."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from connector.core.identity import external_id
from connector.core.installation_settings import ConsentPolicy
from connector.demo.tiktok_stand_in import StandInTikTok
from tests.tiktok.pixel.shop import PUBLIC_ID, Shop, eventually

pytestmark = pytest.mark.browser
PRODUCT = "/product/hoodie/"
GRANTED_BY_PAGE = '<script>window.pixelConnector = {choice: "granted"}</script>'
DENIED_BY_PAGE = '<script>window.pixelConnector = {choice: "denied"}</script>'
GPC = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})"


def told(tiktok: StandInTikTok, event: str) -> list[dict[str, object]]:
    return [call for call in tiktok.browser_calls if call.get("event") == event]


def settle(page: Page) -> None:
    """Long enough for anything that would come."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(300)


def assert_silent(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    """Nothing of ours on the device, nothing at TikTok, no event at the store."""
    settle(page)
    assert tiktok.browser_calls == []
    assert page.evaluate("typeof ttq") == "undefined"
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("sessionStorage.length + localStorage.length") == 0
    assert [beacon for beacon in shop.beacons if beacon["name"] != "consent_changed"] == []


def assert_view_told_to_both(shop: Shop, tiktok: StandInTikTok) -> None:
    names = ("Pageview", "ViewContent")  # requests of their own, in either order
    assert eventually(lambda: all(told(tiktok, name) for name in names) and shop.named("ViewContent"))
    assert len(told(tiktok, "Pageview")) == 1
    (view,), (beacon,) = told(tiktok, "ViewContent"), shop.named("ViewContent")
    assert view["event_id"] == beacon["event_id"]
    assert beacon["_type"].startswith("text/plain")  # no preflight


def test_granted_in_the_eea_tells_both_under_one_id(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    shop.head = GRANTED_BY_PAGE
    page.goto(shop.url + PRODUCT)
    assert_view_told_to_both(shop, tiktok)
    assert shop.contexts == 0
    assert [b["consent"]["status"] for b in shop.named("consent_changed")] == ["granted"]


def test_unknown_in_the_eea_is_silent(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    page.goto(shop.url + PRODUCT)
    assert_silent(page, shop, tiktok)
    assert shop.contexts == 1
    assert shop.beacons == []


def test_unknown_country_counts_as_the_eea(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    shop.context = {"country": None}
    page.goto(shop.url + PRODUCT)
    assert_silent(page, shop, tiktok)


def test_denied_in_the_eea_is_silent_and_asks_nobody(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    shop.head = DENIED_BY_PAGE
    page.goto(shop.url + PRODUCT)
    assert_silent(page, shop, tiktok)
    assert (shop.contexts, shop.beacons) == (0, [])


def test_unknown_in_the_us_sends_and_asks_the_store_once_a_visit(
    page: Page, shop: Shop, tiktok: StandInTikTok
) -> None:
    shop.country, shop.consent_required = "US", False
    page.goto(shop.url + PRODUCT)
    assert_view_told_to_both(shop, tiktok)
    page.goto(shop.url + "/")
    assert eventually(lambda: len(told(tiktok, "Pageview")) == 2)
    assert shop.contexts == 1
    assert shop.named("consent_changed") == []


def test_denied_in_the_us_leaves_only_the_refusal(
    page: Page, make_shop: Callable[..., Shop], tiktok: StandInTikTok
) -> None:
    shop = make_shop(ConsentPolicy.OPT_OUT)
    shop.head = DENIED_BY_PAGE
    page.goto(shop.url + PRODUCT)
    settle(page)
    assert tiktok.browser_calls == []
    assert shop.named("ViewContent") == []
    kept = page.evaluate("JSON.parse(decodeURIComponent(document.cookie.split('pixel_connector=')[1]))")
    assert kept["consent"] == "denied"
    assert not {"visitor", "ttclid", "page"} & kept.keys()


def test_gpc_withholds_in_the_eea_even_when_granted(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    page.add_init_script(GPC)
    shop.head = GRANTED_BY_PAGE
    page.goto(shop.url + PRODUCT)
    assert_silent(page, shop, tiktok)


def test_gpc_elsewhere_limits_the_use(page: Page, make_shop: Callable[..., Shop], tiktok: StandInTikTok) -> None:
    shop = make_shop(ConsentPolicy.OPT_OUT)
    page.add_init_script(GPC)
    page.goto(shop.url + PRODUCT)
    assert_view_told_to_both(shop, tiktok)
    assert shop.named("ViewContent")[0]["gpc"] is True
    assert page.evaluate("Object.values(ttq._o)[0].limited_data_use") is True


def test_required_everywhere_asks_no_region(
    page: Page, make_shop: Callable[..., Shop], tiktok: StandInTikTok
) -> None:
    shop = make_shop(ConsentPolicy.REQUIRED)
    shop.country, shop.consent_required = "US", False
    page.goto(shop.url + PRODUCT)
    assert_silent(page, shop, tiktok)
    assert shop.contexts == 0


def test_granted_later_tells_the_page_once(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    page.goto(shop.url + PRODUCT)
    assert_silent(page, shop, tiktok)
    page.evaluate("pixelConnector.consent('granted')")
    assert_view_told_to_both(shop, tiktok)
    page.evaluate("pixelConnector.consent('granted')")
    settle(page)
    assert len(told(tiktok, "ViewContent")) == 1
    (change,) = shop.named("consent_changed")
    assert change["consent"]["source"] == "javascript"
    assert change["visitor"] == shop.named("ViewContent")[0]["visitor"]


def test_withdrawn_later_deletes_everything_and_names_the_visitor(
    page: Page, shop: Shop, tiktok: StandInTikTok
) -> None:
    shop.head = GRANTED_BY_PAGE
    page.goto(shop.url + PRODUCT)
    assert_view_told_to_both(shop, tiktok)
    visitor = shop.named("ViewContent")[0]["visitor"]
    page.evaluate("pixelConnector.consent('denied')")
    assert eventually(lambda: len(shop.named("consent_changed")) == 2)
    change = shop.named("consent_changed")[1]
    assert (change["visitor"], change["consent"]["status"]) == (visitor, "denied")
    assert not {"ttclid", "ttp", "page", "referrer"} & change.keys()
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("sessionStorage.length") == 0
    methods = page.evaluate("__ttq_calls.map(call => call.method)")
    assert "revokeConsent" in methods
    seen = len(tiktok.browser_calls)
    page.click("#add")
    settle(page)
    assert len(tiktok.browser_calls) == seen
    page.evaluate("pixelConnector.consent('granted')")
    assert eventually(lambda: len(shop.named("consent_changed")) == 3)
    assert shop.named("consent_changed")[2]["visitor"] != visitor


@pytest.mark.parametrize(
    ("grant", "source"),
    [
        (
            "document.cookie = 'wp_consent_marketing=allow; path=/';"
            "document.dispatchEvent(new CustomEvent('wp_listen_for_consent_change', {detail: {marketing: 'allow'}}))",
            "wp_consent_api",
        ),
        ("gtag('consent', 'update', {ad_storage: 'granted'})", "google_consent_mode"),
    ],
)
def test_consent_tools_are_heard(page: Page, shop: Shop, tiktok: StandInTikTok, grant: str, source: str) -> None:
    shop.head = """<script>window.dataLayer = window.dataLayer || []; function gtag() { dataLayer.push(arguments); }
    gtag('consent', 'default', {ad_storage: 'denied'});</script>"""
    page.goto(shop.url + PRODUCT)
    assert_silent(page, shop, tiktok)
    page.evaluate(grant)
    assert_view_told_to_both(shop, tiktok)
    assert shop.named("consent_changed")[0]["consent"]["source"] == source


def test_a_refusal_by_one_tool_outweighs_another(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    shop.head = (
        GRANTED_BY_PAGE
        + """<script>window.dataLayer = [];
    (function () { dataLayer.push(arguments); })('consent', 'update', {ad_storage: 'denied'});</script>"""
    )
    page.goto(shop.url + PRODUCT)
    assert_silent(page, shop, tiktok)


def test_a_refusal_where_an_order_is_made_is_told(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    shop.head = DENIED_BY_PAGE
    page.goto(shop.url + "/checkout/order-received/123/?key=wc_order_abc")
    (change,) = eventually(lambda: shop.named("consent_changed"))
    assert (change["consent"]["status"], change["order"]["id"]) == ("denied", 123)
    assert_silent(page, shop, tiktok)


def test_staff_is_not_counted(page: Page, make_shop: Callable[..., Shop], tiktok: StandInTikTok) -> None:
    shop = make_shop(ConsentPolicy.OPT_OUT)
    shop.body_class, shop.context = "home logged-in", {"staff": True}
    page.goto(shop.url + PRODUCT)
    assert_silent(page, shop, tiktok)
    assert shop.contexts == 1


def test_external_id_is_the_one_that_the_server_hashes(
    page: Page, make_shop: Callable[..., Shop], tiktok: StandInTikTok
) -> None:
    shop = make_shop(ConsentPolicy.OPT_OUT)
    page.goto(shop.url + PRODUCT)
    assert_view_told_to_both(shop, tiktok)
    calls = page.evaluate("__ttq_calls.map(call => [call.method, call.args[0]])")
    named = next(arguments for method, arguments in calls if method == "identify")
    visitor = shop.named("ViewContent")[0]["visitor"]
    assert named["external_id"] == external_id(PUBLIC_ID, None, visitor)
    methods = [method for method, _ in calls]
    assert methods.index("identify") < methods.index("page") < methods.index("track")


def test_our_pixel_by_another_tag_is_held_until_consent(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    shop.head = f"""<script>window.held = []; window.ttq = {{_i: {{{"CSTANDIN000000000000"}: []}}}};
    ['holdConsent', 'grantConsent', 'page', 'track', 'identify'].forEach(function (name) {{
      ttq[name] = function () {{ held.push(name); }};
    }});</script>"""
    page.goto(shop.url + PRODUCT)
    assert page.wait_for_function("held.includes('holdConsent')")
    assert page.evaluate("held.includes('track')") is False
    page.evaluate("pixelConnector.consent('granted')")
    page.wait_for_function("held.includes('track')")
    assert page.evaluate("held.indexOf('grantConsent') < held.indexOf('track')")
    assert page.evaluate("document.querySelectorAll('script[src*=\"events.js\"]').length") == 0
