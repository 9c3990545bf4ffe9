"""Every page of the console with a thumb, by the keyboard alone, and on the narrowest screen (a desk's at 400 %)."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.test_browser import Site, browser, open_page, pictured, places, site
from tests.console.world import ADMIN
from tests.reach import small_targets, too_wide

__all__ = ["browser", "pictured", "site"]  # fixtures
pytestmark = pytest.mark.browser
_STOPS = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]'  # where Tab may stop
# Where the focus is: a mark of its own, a name, whether it is seen. In a field for a time the browser marks the part.
_WHERE = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  if (one === document.body) return ["body", "", true];
  one.dataset.at = one.dataset.at || String(Math.random());
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return [one.dataset.at, one.outerHTML.slice(0, 80), outlined || one.type === "datetime-local"];
}"""


def open_details(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")


def test_everything_is_tapped_with_a_thumb_and_nothing_scrolls_sideways(browser: Browser, pictured: Site) -> None:
    page = open_page(browser, pictured, ADMIN, width=390)
    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_role("link", name="Staff")).to_be_visible()
    assert small_targets(page) == []
    for name, path in places(pictured).items():
        page.set_viewport_size({"width": 390, "height": 860})
        page.goto(path)
        open_details(page)
        assert small_targets(page) == [], name
        page.set_viewport_size({"width": 320, "height": 860})
        assert too_wide(page) <= 0, name


def test_tab_reaches_every_control_and_shows_where_it_is(browser: Browser, pictured: Site) -> None:
    page = open_page(browser, pictured, ADMIN)
    for name, path in places(pictured).items():
        page.goto(path)
        stops = page.locator(_STOPS).locator("visible=true").count()
        seen, unseen = set[str](), set[str]()
        for _ in range(stops + 20):  # a field for a time has several places in it
            page.keyboard.press("Tab")
            at, name_of_it, is_seen = page.evaluate(_WHERE)
            if at == "body":
                break
            seen.add(at)
            unseen |= set() if is_seen else {name_of_it}
        assert unseen == set(), name
        assert len(seen) >= stops, name


def test_on_a_narrow_screen_the_links_that_sort_show_when_the_keyboard_comes_to_them(
    browser: Browser, site: Site
) -> None:
    page = open_page(browser, site, ADMIN, width=640)
    page.goto("/console/events")
    sorts = page.locator("thead a").first
    assert page.locator("thead").evaluate("(one) => one.getBoundingClientRect().height") <= 1

    sorts.focus()

    assert page.locator("thead").evaluate("(one) => one.getBoundingClientRect().height") > 20
    assert too_wide(page) <= 0
