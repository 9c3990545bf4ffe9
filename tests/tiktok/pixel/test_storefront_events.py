"""Each event once and under one id: carts, checkout, search, purchase; reload, back button, second tab, blockers."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page

from connector.core.installation_settings import ConsentPolicy
from connector.demo.tiktok_stand_in import StandInTikTok
from tests.tiktok.pixel.shop import PURCHASE, Shop, eventually
from tests.tiktok.pixel.test_consent_states import assert_view_told_to_both, settle, told

pytestmark = pytest.mark.browser
PRODUCT = "/product/hoodie/"
THANKS = "/checkout/order-received/123/?key=wc_order_abc"


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    """Where nobody has to be asked."""
    return make_shop(ConsentPolicy.OPT_OUT)


def test_view_carries_price_and_sku(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    page.goto(shop.url + PRODUCT + "?ttclid=E.C.P.abc-1_2&utm_source=tiktok&email=a%40b.example")
    assert_view_told_to_both(shop, tiktok)
    properties = told(tiktok, "ViewContent")[0]["args"][1]
    assert properties["contents"] == [{"content_id": "HOOD", "price": 42.5, "quantity": 1}]
    assert (properties["value"], properties["currency"]) == (42.5, "EUR")
    beacon = shop.named("ViewContent")[0]
    assert (beacon["product_id"], beacon["ttclid"]) == (18, "E.C.P.abc-1_2")
    assert beacon["page"] == shop.url + PRODUCT
    assert not {"price", "sku", "currency"} & beacon.keys()


def test_click_id_and_browser_id_reach_later_pages(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    page.goto(shop.url + PRODUCT + "?ttclid=E.C.P.abc")
    read = "decodeURIComponent(document.cookie.split('pixel_connector=')[1] || '')"
    page.wait_for_function(f"{read}.includes('standin')")  # the library's `_ttp`, some time after it came
    page.goto(shop.url + "/checkout/")
    (beacon,) = eventually(lambda: shop.named("InitiateCheckout"))
    assert beacon["ttclid"] == "E.C.P.abc"
    assert beacon["ttp"].startswith("standin")
    (cookie,) = [c for c in page.context.cookies() if c["name"] == "pixel_connector"]
    assert (cookie["sameSite"], cookie["path"], cookie["secure"]) == ("Lax", "/", False)


def test_a_reload_is_no_second_view_but_a_new_visit_is(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    page.goto(shop.url + PRODUCT)
    assert_view_told_to_both(shop, tiktok)
    page.reload()
    settle(page)
    assert (len(told(tiktok, "ViewContent")), len(shop.named("ViewContent"))) == (1, 1)
    page.goto(shop.url + "/")
    page.goto(shop.url + PRODUCT)
    assert eventually(lambda: len(told(tiktok, "ViewContent")) == 2)
    first, second = (call["event_id"] for call in told(tiktok, "ViewContent"))
    assert first != second


def test_the_back_button_tells_nothing_again(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    page.goto(shop.url + PRODUCT)
    assert_view_told_to_both(shop, tiktok)
    page.click("#home")
    page.go_back(wait_until="commit")
    page.wait_for_timeout(500)
    assert len(told(tiktok, "ViewContent")) == 1


def test_a_page_from_the_back_forward_cache_hears_what_was_said_meanwhile(
    page: Page, shop: Shop, tiktok: StandInTikTok
) -> None:
    page.goto(shop.url + PRODUCT)
    assert_view_told_to_both(shop, tiktok)
    page.evaluate("window.isTheSame = true")
    page.click("#home")
    settle(page)
    page.evaluate("pixelConnector.consent('denied')")
    assert eventually(lambda: shop.named("consent_changed"))
    page.go_back(wait_until="commit")
    page.wait_for_timeout(500)
    if not page.evaluate("window.isTheSame === true"):
        pytest.skip("this Chromium loaded the page anew instead of restoring it")
    assert page.evaluate("__ttq_calls.some(call => call.method === 'revokeConsent')")


def test_ajax_addition_once_under_the_stores_id(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    page.goto(shop.url + PRODUCT)
    assert_view_told_to_both(shop, tiktok)
    page.click("#add")
    (call,) = eventually(lambda: told(tiktok, "AddToCart"))
    assert call["event_id"] == f"{1:032x}"
    assert call["args"][1]["value"] == 85.0
    assert "pixel_connector_cart" not in page.evaluate("document.cookie")
    assert shop.named("AddToCart") == []
    page.reload()
    settle(page)
    assert len(told(tiktok, "AddToCart")) == 1
    page.click("#add")
    assert eventually(lambda: len(told(tiktok, "AddToCart")) == 2)


def test_addition_by_form_is_told_on_the_next_page(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    """The page that is left sees the cookie of the answer already; what it fired could be lost with it."""
    page.goto(shop.url + PRODUCT)
    assert_view_told_to_both(shop, tiktok)
    page.wait_for_timeout(1200)  # it looks again a second after TikTok's library came
    page.click("#form-add")
    (call,) = eventually(lambda: told(tiktok, "AddToCart"))
    assert call["event_id"] == f"{1:032x}"
    assert page.evaluate("(window.__ttq_calls || []).some(call => call.event === 'AddToCart')")


def test_a_form_that_returns_to_its_page_is_no_second_view(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    page.goto(shop.url + PRODUCT)
    assert_view_told_to_both(shop, tiktok)
    page.click("#form-add")
    assert eventually(lambda: told(tiktok, "AddToCart"))
    settle(page)
    assert (len(told(tiktok, "ViewContent")), len(shop.named("ViewContent"))) == (1, 1)


def test_registration_has_the_stores_id(
    page: Page, profile: BrowserContext, shop: Shop, tiktok: StandInTikTok
) -> None:
    profile.add_cookies([{"name": "pixel_connector_registration", "value": f"%22{'b' * 64}%22", "url": shop.url}])
    page.goto(shop.url + "/")
    (call,) = eventually(lambda: told(tiktok, "CompleteRegistration"))
    assert call["event_id"] == "b" * 64
    assert shop.named("CompleteRegistration") == []
    assert "registration" not in page.evaluate("document.cookie")


def test_checkout_payment_and_search(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    page.goto(shop.url + "/checkout/")
    assert eventually(lambda: told(tiktok, "InitiateCheckout") and shop.named("InitiateCheckout"))
    page.evaluate("document.querySelector('[name=payment_method]').click()")  # a script chooses: not meant
    settle(page)
    assert told(tiktok, "AddPaymentInfo") == []
    page.click("[name=payment_method]")
    assert eventually(lambda: told(tiktok, "AddPaymentInfo") and shop.named("AddPaymentInfo"))
    page.click("#place_order")
    page.goto(shop.url + "/search/")
    assert eventually(lambda: told(tiktok, "Search") and shop.named("Search"))
    for name in ("InitiateCheckout", "AddPaymentInfo", "Search"):
        (call,), (beacon,) = told(tiktok, name), shop.named(name)
        assert call["event_id"] == beacon["event_id"]
    assert told(tiktok, "InitiateCheckout")[0]["args"][1]["value"] == 85.0
    assert shop.named("Search")[0]["search"] == "hood"


def test_purchase_once_then_the_store_hears_that_it_was_sent(
    page: Page, profile: BrowserContext, shop: Shop, tiktok: StandInTikTok
) -> None:
    page.goto(shop.url + THANKS)
    (beacon,) = eventually(lambda: shop.named("browser_sent"))
    assert (beacon["order"], beacon["sent"]) == ({"id": 123, "key": "wc_order_abc"}, True)
    (call,) = eventually(lambda: told(tiktok, "CompletePayment"))
    assert (call["event_id"], call["pixel_code"]) == (PURCHASE["event_id"], PURCHASE["pixel_code"])
    properties = call["args"][1]
    assert (properties["value"], properties["num_items"], properties["order_id"]) == (90.4, 2, "123")
    assert properties["contents"][0]["price"] == 42.5
    shop.purchase = PURCHASE  # a page cache that should not be there prints it again
    page.reload()
    settle(page)
    second = profile.new_page()
    second.goto(shop.url + THANKS)  # another tab: the store prints it no more
    settle(second)
    page.go_back()
    settle(page)
    assert len(told(tiktok, "CompletePayment")) == 1
    assert len(shop.named("browser_sent")) == 1


def test_purchase_waits_in_memory_for_consent(
    page: Page, make_shop: Callable[..., Shop], tiktok: StandInTikTok
) -> None:
    shop = make_shop(ConsentPolicy.REQUIRED)
    page.goto(shop.url + THANKS)
    settle(page)
    assert (tiktok.browser_calls, shop.beacons) == ([], [])
    page.evaluate("pixelConnector.consent('granted')")
    assert eventually(lambda: told(tiktok, "CompletePayment") and shop.named("browser_sent"))


def test_purchase_of_another_pixel_is_left_to_the_server(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    shop.purchase = PURCHASE | {"pixel_code": "COTHER00000000000000"}
    page.goto(shop.url + THANKS)
    assert eventually(lambda: told(tiktok, "Pageview"))
    settle(page)
    assert told(tiktok, "CompletePayment") == []
    assert shop.named("browser_sent") == []


def test_a_content_blocker_is_honoured_without_errors(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    page.route("**/events.js*", lambda route: route.abort())
    page.goto(shop.url + THANKS)
    settle(page)
    assert tiktok.browser_calls == []
    (beacon,) = eventually(lambda: shop.named("browser_sent"))
    assert beacon["sent"] is False, "the server alone tells this purchase, however late"
    page.goto(shop.url + PRODUCT)
    assert eventually(lambda: shop.named("ViewContent"))


def test_works_under_a_strict_content_security_policy(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    shop.csp = f"default-src 'none'; script-src {shop.url}/pixel.js {tiktok.url}; connect-src 'self' {tiktok.url}"
    page.goto(shop.url + PRODUCT)
    assert_view_told_to_both(shop, tiktok)


def test_a_policy_without_tiktok_costs_the_pixel_only(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    shop.csp = f"default-src 'none'; script-src {shop.url}/pixel.js; connect-src 'self'"
    page.goto(shop.url + PRODUCT)
    assert eventually(lambda: shop.named("ViewContent"))
    assert tiktok.browser_calls == []
    page.goto(shop.url + THANKS)
    (beacon,) = eventually(lambda: shop.named("browser_sent"))
    assert beacon["sent"] is False


def test_consent_withdrawn_in_another_tab(
    page: Page, profile: BrowserContext, make_shop: Callable[..., Shop], tiktok: StandInTikTok
) -> None:
    shop = make_shop(ConsentPolicy.REQUIRED)
    page.goto(shop.url + PRODUCT)
    page.evaluate("pixelConnector.consent('granted')")
    assert_view_told_to_both(shop, tiktok)
    second = profile.new_page()
    second.goto(shop.url + "/")
    second.wait_for_function("window.__ttq_calls")
    second.evaluate("pixelConnector.consent('denied')")
    second.wait_for_function("!document.cookie.includes('pixel_connector=')")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function("__ttq_calls.some(call => call.method === 'revokeConsent')")
    assert page.evaluate("document.cookie.includes('pixel_connector=')") is False


def test_views_go_straight_to_the_connector_when_set(
    page: Page, make_shop: Callable[..., Shop], tiktok: StandInTikTok
) -> None:
    shop = make_shop(views_direct=True)
    shop.country, shop.consent_required = "US", False
    page.goto(shop.url + PRODUCT)
    assert_view_told_to_both(shop, tiktok)
    (beacon,) = shop.named("ViewContent")
    assert (beacon["_path"], beacon["country"]) == ("/collect", "US")


def test_switched_off_events_are_told_to_nobody(
    page: Page, make_shop: Callable[..., Shop], tiktok: StandInTikTok
) -> None:
    shop = make_shop(ConsentPolicy.OPT_OUT, disabled_events=("ViewContent", "Purchase"))
    page.goto(shop.url + PRODUCT)
    page.goto(shop.url + THANKS)
    assert eventually(lambda: len(told(tiktok, "Pageview")) == 2)
    settle(page)
    assert {call.get("event") for call in tiktok.browser_calls} <= {"Pageview", None}
    assert shop.named("ViewContent") == []


def test_pasted_by_hand_it_views_pages_only(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    shop.with_block = False
    page.goto(shop.url + PRODUCT)
    assert eventually(lambda: told(tiktok, "Pageview"))
    settle(page)
    assert (shop.beacons, shop.contexts) == ([], 0)


def test_the_shops_own_calls(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    page.goto(shop.url + PRODUCT)
    assert_view_told_to_both(shop, tiktok)
    page.evaluate("pixelConnector.track('AddToWishlist', {product_id: 18})")
    page.evaluate("pixelConnector.track('CompletePayment', {})")
    assert eventually(lambda: told(tiktok, "AddToWishlist") and shop.named("AddToWishlist"))
    settle(page)
    assert shop.named("AddToWishlist")[0]["event_id"] == told(tiktok, "AddToWishlist")[0]["event_id"]
    assert told(tiktok, "CompletePayment") == []


def test_nonsense_around_it_breaks_nothing(page: Page, shop: Shop, tiktok: StandInTikTok) -> None:
    shop.head = """<script>document.cookie = 'pixel_connector=%7Bbroken; path=/';
    document.cookie = 'pixel_connector_cart=%E0%A4%A; path=/';
    window.dataLayer = [null, 1, 'x', ['consent', 'update']];
    Storage.prototype.setItem = function () { throw new Error('full'); };</script>"""
    page.goto(shop.url + PRODUCT)
    assert eventually(lambda: shop.named("ViewContent"))
    assert eventually(lambda: told(tiktok, "ViewContent"))
