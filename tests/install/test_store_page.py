"""What the owner reads of the store: the ping's answer, its version, and who else fires a pixel."""

import httpx
import pytest

from connector.demo.store_stand_in import StandInStore
from tests.install.conftest import Running
from tests.install.walking import post, signed_in


@pytest.fixture
def browser(connector: Running, store: StandInStore) -> httpx.Client:
    return signed_in(connector, store)


def check_now(browser: httpx.Client) -> None:
    assert post(browser, "/owner/store", "/owner/store/check").status_code == 303


def test_what_the_creation_ping_hears_is_shown(
    connector: Running, store: StandInStore, browser: httpx.Client
) -> None:
    assert not any(one.unanswered_ping for one in store.webhooks.values())
    assert "As it must be" in browser.get("/owner/store").text

    connector.receiver_status = 404
    check_now(browser)

    page = browser.get("/owner/store").text
    assert ">404</span> It must be 200" in page
    assert "our own address does not answer them" in browser.get("/owner").text


def test_the_ping_is_right_again_once_it_was_looked_at(connector: Running, browser: httpx.Client) -> None:
    connector.receiver_status = 503
    check_now(browser)
    connector.receiver_status = 200
    check_now(browser)

    assert "As it must be" in browser.get("/owner/store").text
    assert "our own address does not answer them" not in browser.get("/owner").text


def test_a_receiver_that_fails_is_told_while_the_plugin_is_awaited(connector: Running, browser: httpx.Client) -> None:
    connector.receiver_status = 404

    assert "Our own address does not answer as it should" in browser.get("/owner/plugin").text


@pytest.mark.parametrize(("version", "is_told"), [("8.1.3", True), ("8.2.0", False), ("", False)])
def test_a_woocommerce_that_is_too_old_is_told_once_its_keys_say_so(
    connector: Running, store: StandInStore, version: str, is_told: bool
) -> None:
    """Many shops hide the version from their visitors, so the pre-flight cannot know."""
    store.woocommerce = version

    page = signed_in(connector, store).get("/owner").text

    assert ("is too old for our plugin" in page) == is_told


def test_a_competing_plugin_is_named_where_ours_is_not_there(connector: Running, store: StandInStore) -> None:
    store.active_plugins = [
        {"name": "TikTok", "plugin": "tiktok-for-business/tiktok-for-woocommerce.php"},
        {"name": "Akismet", "plugin": "akismet/akismet.php"},
    ]
    browser = signed_in(connector, store)

    for path in ("/owner/store", "/owner/plugin"):
        page = browser.get(path).text
        assert "TikTok. Two that fire the same pixel" in page
        assert "Akismet" not in page


def test_a_check_that_the_store_refused_is_not_called_done(store: StandInStore, browser: httpx.Client) -> None:
    store.keys.clear()

    done = post(browser, "/owner/store", "/owner/store/check").headers["location"]

    assert "Your store refused our key" in browser.get(done).text


def test_a_check_of_a_store_that_is_away_is_not_called_done(store: StandInStore, browser: httpx.Client) -> None:
    store.stop()

    done = post(browser, "/owner/store", "/owner/store/check").headers["location"]

    assert "nothing could be checked" in browser.get(done).text
