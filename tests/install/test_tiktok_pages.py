"""The TikTok page: connecting, choosing a pixel, trying it, test mode, disconnecting."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from connector.demo.store_stand_in import StandInStore
from connector.demo.tiktok_stand_in import Advertiser, StandInTikTok
from tests.install.conftest import Running
from tests.install.test_owner_pages import PIXEL, installation, paste, token_of
from tests.install.walking import link_with, post, signed_in


@pytest.fixture
def browser(connector: Running, store: StandInStore) -> httpx.Client:
    return signed_in(connector, store)


def grant(browser: httpx.Client) -> httpx.Response:
    """Say yes on TikTok's page; the answer is that of our return address."""
    portal = browser.get("/owner/tiktok/authorise").headers["location"]
    return browser.get(httpx.get(portal, trust_env=False).headers["location"])


def test_a_token_that_tiktok_takes_is_used_and_told_to_the_plugin(
    connector: Running, store: StandInStore, browser: httpx.Client
) -> None:
    store.has_plugin = True
    browser.get("/owner/plugin")

    done = paste(browser)

    assert done.headers["location"] == "/owner/plugin?done=connected"
    found = installation(connector)
    assert (found.pixel_code, found.access, found.access_reason) == (PIXEL, "ok", "")
    assert token_of(connector) == ["good-token"]
    assert store.connection["settings"]["pixel_code"] == PIXEL


def test_a_token_that_tiktok_refuses_is_not_kept_and_its_words_are_shown(
    connector: Running, browser: httpx.Client
) -> None:
    page = paste(browser, token="bad-token")

    assert page.status_code == 422
    assert "wrong or was revoked" in page.text
    assert "40105" in page.text
    assert token_of(connector) == []
    assert installation(connector).access == "lost"


def test_a_pixel_of_another_account_is_refused(browser: httpx.Client) -> None:
    page = paste(browser, code="CSOMEBODYELSE0000001")

    assert page.status_code == 422
    assert "this pixel" in page.text
    assert "/owner/tiktok?lang=de" in page.text  # the language links lead to a page that can be read


def test_what_cannot_be_tried_now_is_kept_and_said(
    connector: Running, tiktok: StandInTikTok, browser: httpx.Client
) -> None:
    tiktok.stop()

    done = paste(browser)

    assert done.headers["location"].endswith("done=connected_untried")
    assert token_of(connector) == ["good-token"]


def test_test_events_are_no_real_events(tiktok: StandInTikTok, browser: httpx.Client) -> None:
    paste(browser)
    page = post(browser, "/owner/tiktok", "/owner/tiktok/test")

    assert "TikTok took our test event" in page.text
    assert tiktok.accepted == []


def test_an_empty_token_keeps_the_present_one(
    connector: Running, tiktok: StandInTikTok, browser: httpx.Client
) -> None:
    tiktok.add_access("good-token", "CSECONDPIXEL00000001")
    paste(browser)

    paste(browser, code="CSECONDPIXEL00000001", token="")

    assert installation(connector).pixel_code == "CSECONDPIXEL00000001"
    assert token_of(connector) == ["good-token"]


def test_disconnecting_forgets_the_token_and_sending_waits(connector: Running, browser: httpx.Client) -> None:
    paste(browser)

    post(browser, "/owner/tiktok", "/owner/tiktok/disconnect")

    found = installation(connector)
    assert (found.access, found.access_reason, token_of(connector)) == ("lost", "not_connected", [])


def test_tiktoks_own_page_leads_to_the_choice_of_a_pixel(
    connector: Running, tiktok: StandInTikTok, browser: httpx.Client
) -> None:
    portal = browser.get("/owner/tiktok/authorise").headers["location"]
    back = httpx.get(portal, trust_env=False).headers["location"]
    assert browser.get(back).headers["location"] == "/owner/tiktok/pixels"

    page = browser.get("/owner/tiktok/pixels")
    assert "Main pixel" in page.text
    done = post(browser, "/owner/tiktok/pixels", "/owner/tiktok/pixels", pixel=PIXEL)

    assert "connected" in done.headers["location"]
    assert installation(connector).pixel_code == PIXEL
    assert browser.get("/owner/tiktok/pixels").headers["location"] == "/owner/tiktok"


def test_a_new_pixel_can_be_made(connector: Running, tiktok: StandInTikTok, browser: httpx.Client) -> None:
    portal = browser.get("/owner/tiktok/authorise").headers["location"]
    browser.get(httpx.get(portal, trust_env=False).headers["location"])

    post(browser, "/owner/tiktok/pixels", "/owner/tiktok/pixels", pixel="new:7001")

    made = installation(connector).pixel_code
    assert made != PIXEL
    assert made in tiktok.advertisers[-1].pixels


def test_an_answer_of_tiktok_that_was_not_asked_for_is_refused(connector: Running, browser: httpx.Client) -> None:
    for state in ("", "forged", "a.b.c"):
        back = browser.get("/install/tiktok/return", params={"auth_code": "x", "state": state})
        assert back.headers["location"] == "/owner/tiktok?done=tiktok_state"
    stranger = connector.browser().get("/install/tiktok/return", params={"auth_code": "x", "state": "s"})
    assert stranger.headers["location"] == "/owner/sign-in"
    assert token_of(connector) == []


def test_test_mode_ends_by_itself(connector: Running, browser: httpx.Client) -> None:
    paste(browser)

    post(browser, "/owner/tiktok", "/owner/tiktok/test-mode", test_event_code="TEST123", hours="8")

    settings, now = installation(connector).settings, connector.clock()
    assert settings.live_test_event_code(now) == "TEST123"
    assert settings.live_test_event_code(now + timedelta(hours=8, minutes=1)) is None
    assert "Test mode is on" in browser.get("/owner").text
    post(browser, "/owner/tiktok", "/owner/tiktok/test-mode", test_event_code="TEST123", hours="8", off="1")
    assert installation(connector).settings.test_event_code is None


@pytest.mark.parametrize("fields", [{"test_event_code": "a b"}, {"test_event_code": "T", "hours": "9999"}])
def test_a_test_mode_without_end_or_with_an_odd_code_is_refused(
    connector: Running, browser: httpx.Client, fields: dict[str, str]
) -> None:
    paste(browser)

    page = post(browser, "/owner/tiktok", "/owner/tiktok/test-mode", **{"hours": "8", **fields})

    assert page.status_code == 422
    assert installation(connector).settings.test_event_code is None


def test_a_no_on_tiktoks_page_is_told_and_nothing_is_asked_for(connector: Running, browser: httpx.Client) -> None:
    portal = browser.get("/owner/tiktok/authorise").headers["location"]
    (state,) = parse_qs(urlsplit(portal).query)["state"]

    back = browser.get("/install/tiktok/return", params={"state": state})

    assert back.headers["location"] == "/owner/tiktok?done=tiktok_refused"
    assert "without giving access" in browser.get(back.headers["location"]).text


def test_a_code_that_tiktok_does_not_know_is_told_in_its_words(connector: Running, browser: httpx.Client) -> None:
    portal = browser.get("/owner/tiktok/authorise").headers["location"]
    (state,) = parse_qs(urlsplit(portal).query)["state"]

    back = browser.get("/install/tiktok/return", params={"state": state, "auth_code": "used"})

    assert back.status_code == 422
    assert "40110" in back.text
    assert token_of(connector) == []


def test_without_an_advertiser_account_it_says_what_to_do(tiktok: StandInTikTok, browser: httpx.Client) -> None:
    grant(browser)
    tiktok.advertisers.clear()

    page = browser.get("/owner/tiktok/pixels").text

    assert "has no advertiser account" in page
    assert "Try and use it" not in page


def test_of_many_accounts_one_is_chosen_first(
    connector: Running, tiktok: StandInTikTok, browser: httpx.Client
) -> None:
    """An agency opens hundreds; asking each for its pixels would take minutes."""
    tiktok.advertisers.extend(
        Advertiser(str(8000 + number), f"Client {number}", {f"CCLIENT{number:013d}": f"Pixel {number}"})
        for number in range(40)
    )
    grant(browser)

    accounts = browser.get("/owner/tiktok/pixels")
    chosen = browser.get(link_with(accounts.text, "account=8033"))

    assert "Client 39" in accounts.text
    assert "Pixel 33" in chosen.text
    assert "Pixel 34" not in chosen.text
    done = post(browser, "/owner/tiktok/pixels?account=8033", "/owner/tiktok/pixels", pixel=f"CCLIENT{33:013d}")
    assert "connected" in done.headers["location"]
    assert installation(connector).pixel_code == f"CCLIENT{33:013d}"


def test_an_account_that_names_no_pixels_is_not_taken_for_an_empty_one(
    tiktok: StandInTikTok, browser: httpx.Client
) -> None:
    tiktok.advertisers.append(Advertiser("7002", "Closed account", {}, is_closed=True))
    grant(browser)

    page = browser.get("/owner/tiktok/pixels").text

    assert "did not list all pixels" in page
    assert "new:7001" in page
    assert "new:7002" not in page
