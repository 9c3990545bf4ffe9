"""The owner's pages, as a browser reads and posts them."""

import httpx
import pytest
from sqlalchemy import update

from connector.core.installation_settings import ConsentPolicy, InstallationSettings
from connector.demo.store_stand_in import StandInStore
from connector.storage.installations import InstallationRecord, all_installations, open_credentials
from connector.storage.tables_install import StoreAccess
from tests.install.conftest import Running
from tests.install.walking import post, signed_in

PIXEL = "CTESTPIXEL0000000001"
PASSWORD = "a long enough password"


def installation(connector: Running) -> InstallationRecord:
    with connector.services.storage.database.read() as connection:
        return all_installations(connection)[0]


def token_of(connector: Running) -> list[str]:
    services = connector.services
    with services.storage.database.read() as connection:
        found = installation(connector).id
        return open_credentials(connection, services.storage.keys, found, "access_token", services.now())


def paste(browser: httpx.Client, code: str = PIXEL, token: str = "good-token") -> httpx.Response:
    return post(browser, "/owner/tiktok", "/owner/tiktok/token", pixel_code=code, access_token=token)


@pytest.fixture
def browser(connector: Running, store: StandInStore) -> httpx.Client:
    return signed_in(connector, store)


PAGES = ["/owner", "/owner/tiktok", "/owner/store", "/owner/settings", "/owner/plugin", "/owner/uninstall"]


def test_every_page_needs_a_session_and_answers_in_four_languages(connector: Running, browser: httpx.Client) -> None:
    for path in PAGES:
        assert connector.browser().get(path).headers["location"] == "/owner/sign-in"
        for language in ("en", "de", "es", "fr"):
            page = browser.get(path, params={"lang": language})
            assert page.status_code == 200
            assert f'<html lang="{language}">' in page.text


def test_the_language_stays_once_chosen(browser: httpx.Client) -> None:
    browser.get("/owner?lang=de")

    assert '<html lang="de">' in browser.get("/owner/settings").text


def test_every_page_forbids_scripts_frames_and_storing(browser: httpx.Client) -> None:
    for path in [*PAGES, "/", "/install", "/owner/sign-in"]:
        headers = browser.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"


def test_no_secret_is_on_any_page(connector: Running, store: StandInStore, browser: httpx.Client) -> None:
    store.has_plugin = True
    paste(browser)
    browser.get("/owner/plugin")
    (key, (secret, _)) = next(iter(store.keys.items()))
    words = [key, secret, "good-token", store.connection["link_secret"]]
    words.append(next(iter(store.webhooks.values())).secret)

    for path in PAGES:
        page = browser.get(path).text
        assert not [word for word in words if word in page]


# The plugin


def test_the_plugin_page_waits_and_then_sets_everything_up(store: StandInStore, browser: httpx.Client) -> None:
    waiting = browser.get("/owner/plugin")
    store.has_plugin = True
    there = browser.get("/owner/plugin")

    assert 'http-equiv="refresh"' in waiting.text
    assert 'http-equiv="refresh"' not in there.text
    assert "cart.item_added" in {one.topic for one in store.webhooks.values()}
    assert "The script is on your storefront" in there.text


def test_a_competing_pixel_is_named(store: StandInStore, browser: httpx.Client) -> None:
    store.has_plugin = True
    store.plugin_conflicts = [{"plugin": "x", "name": "Some other pixel plugin", "pixel_code": "C9"}]
    browser.get("/owner/plugin")

    assert "Some other pixel plugin C9" in browser.get("/owner/store").text


# Settings


def settings_fields(**changes: object) -> dict[str, object]:
    return {
        "consent_policy": "by_region",
        "value_basis": "total",
        "content_id": "sku",
        "purchase_event": "CompletePayment",
        "paid_statuses": ["processing", "completed"],
        "events": ["CompletePayment", "ViewContent"],
        "send_product_names": "1",
        "other_statuses": "",
        "custom_events": "",
        **changes,
    }


def test_settings_are_kept_and_told_to_the_plugin(
    connector: Running, store: StandInStore, browser: httpx.Client
) -> None:
    store.has_plugin = True
    browser.get("/owner/plugin")
    fields = settings_fields(
        consent_policy="required",
        value_basis="without_tax",
        other_statuses="wc-shipped, packed",
        custom_events="action.wc_booking = Booking",
    )

    done = post(browser, "/owner/settings", "/owner/settings", **fields)  # type: ignore[arg-type]

    assert done.headers["location"] == "/owner/settings?done=saved"
    kept = installation(connector).settings
    assert kept.consent_policy is ConsentPolicy.REQUIRED
    assert kept.paid_statuses == ("processing", "completed", "shipped", "packed")
    assert kept.custom_events == {"action.wc_booking": "Booking"}
    assert "AddToCart" in kept.disabled_events
    assert "ViewContent" not in kept.disabled_events
    assert store.connection["settings"]["consent_policy"] == "required"


@pytest.mark.parametrize(
    "changes",
    [
        {"consent_policy": "whatever"},
        {"paid_statuses": [], "other_statuses": " , "},
        {"custom_events": "no equals sign"},
        {"custom_events": "topic = 1 bad name"},
    ],
)
def test_settings_that_cannot_be_are_refused_and_nothing_changes(
    connector: Running, browser: httpx.Client, changes: dict[str, object]
) -> None:
    page = post(browser, "/owner/settings", "/owner/settings", **settings_fields(**changes))  # type: ignore[arg-type]

    assert page.status_code == 422
    assert installation(connector).settings == InstallationSettings()


def test_saving_the_page_as_it_is_changes_no_event(connector: Running, browser: httpx.Client) -> None:
    page = browser.get("/owner/settings").text
    shown = [part.split('"')[0] for part in page.split('name="events" value="')[1:]]

    post(browser, "/owner/settings", "/owner/settings", **settings_fields(events=shown))  # type: ignore[arg-type]

    assert installation(connector).settings.disabled_events == ()


def test_a_form_that_is_refused_comes_back_as_it_was_typed(browser: httpx.Client) -> None:
    fields = settings_fields(consent_policy="required", custom_events="nonsense", other_statuses="packed")
    page = post(browser, "/owner/settings", "/owner/settings", **fields).text  # type: ignore[arg-type]

    assert 'value="required" checked' in page
    assert ">nonsense</textarea>" in page
    assert 'value="packed"' in page
    assert page.count('aria-invalid="true"') == 1


@pytest.mark.parametrize(
    "changes", [{"own_addresses": "x" * 300}, {"copy_addresses": "ok.example, a/b/.c|d"}, {"paid_statuses": []}]
)
def test_a_fault_stands_beside_its_field(browser: httpx.Client, changes: dict[str, object]) -> None:
    page = post(browser, "/owner/settings", "/owner/settings", **settings_fields(**changes))  # type: ignore[arg-type]

    (name,) = changes
    field = "other_statuses" if name == "paid_statuses" else name
    assert page.status_code == 422
    assert f'name="{field}"' in page.text[: page.text.index('aria-invalid="true"')].rpartition("<input")[2]


def test_every_setting_can_be_made_on_the_pages(browser: httpx.Client) -> None:
    paste(browser)
    pages = browser.get("/owner/settings").text + browser.get("/owner/tiktok").text
    elsewhere = {"disabled_events": "events", "test_event_code_expires_at": "hours"}

    for name in InstallationSettings.model_fields:
        assert f'name="{elsewhere.get(name, name)}"' in pages, name


def test_a_page_cache_makes_the_pages_suggest_views_straight_from_the_browser(
    store: StandInStore, browser: httpx.Client
) -> None:
    words = "views straight from the browser suit it better"
    store.has_plugin = True
    browser.get("/owner/plugin")
    assert words not in browser.get("/owner").text + browser.get("/owner/settings").text
    store.page_cache = ["WP Rocket"]
    post(browser, "/owner/store", "/owner/store/check")

    assert words in browser.get("/owner").text
    assert words in browser.get("/owner/settings").text
    post(browser, "/owner/settings", "/owner/settings", **settings_fields(views_direct="1"))  # type: ignore[arg-type]
    assert words not in browser.get("/owner").text + browser.get("/owner/settings").text


# Entering and leaving


def test_signing_in_needs_address_and_password(
    connector: Running, store: StandInStore, browser: httpx.Client
) -> None:
    post(browser, "/owner", "/owner/sign-out")
    assert browser.get("/owner").headers["location"] == "/owner/sign-in"

    wrong = post(browser, "/owner/sign-in", "/owner/sign-in", store=store.url, password="not it at all")
    unknown = post(browser, "/owner/sign-in", "/owner/sign-in", store="nobody.example", password=PASSWORD)
    right = post(browser, "/owner/sign-in", "/owner/sign-in", store=store.url + "/wp-admin/", password=PASSWORD)

    assert (wrong.status_code, unknown.status_code) == (403, 403)
    assert right.headers["location"] == "/owner"
    assert browser.get("/owner").status_code == 200


def test_guessing_passwords_is_slowed_down(connector: Running, store: StandInStore, browser: httpx.Client) -> None:
    guesser = connector.browser()

    answers = [
        post(guesser, "/owner/sign-in", "/owner/sign-in", store=store.url, password="guess").status_code
        for _ in range(12)
    ]

    assert answers[0] == 403
    assert answers[-1] == 429


def test_a_new_password_signs_others_out(connector: Running, store: StandInStore, browser: httpx.Client) -> None:
    other = connector.browser()
    post(other, "/owner/sign-in", "/owner/sign-in", store=store.url, password=PASSWORD)
    fields = {"old": PASSWORD, "password": "an even longer one", "again": "an even longer one"}

    wrong = post(browser, "/owner/settings", "/owner/settings/password", **{**fields, "old": "no"})
    post(browser, "/owner/settings", "/owner/settings/password", **fields)

    assert wrong.status_code == 403
    assert browser.get("/owner").status_code == 200
    assert other.get("/owner").headers["location"] == "/owner/sign-in"


def test_a_session_ends_after_twelve_hours(connector: Running, browser: httpx.Client) -> None:
    connector.clock.move(hours=12, minutes=1)

    assert browser.get("/owner").headers["location"] == "/owner/sign-in"


def test_pausing_and_resuming(connector: Running, browser: httpx.Client) -> None:
    post(browser, "/owner/store", "/owner/store/pause", to="paused")
    assert installation(connector).state == "paused"

    post(browser, "/owner/store", "/owner/store/pause", to="active")
    assert installation(connector).state == "active"


def test_uninstalling_takes_everything_of_ours_out_of_the_store(
    connector: Running, store: StandInStore, browser: httpx.Client
) -> None:
    store.has_plugin = True
    browser.get("/owner/plugin")
    paste(browser)
    others, _ = store.new_keys()

    unsure = post(browser, "/owner/uninstall", "/owner/uninstall", data="keep")
    page = post(browser, "/owner/uninstall", "/owner/uninstall", data="keep", sure="1")

    assert unsure.status_code == 422
    assert page.status_code == 200
    assert (store.webhooks, store.script_tags, store.is_connected) == ({}, {}, False)
    assert list(store.keys) == [others]
    assert "has revoked the key" in page.text
    assert "revoke the key that begins" not in page.text
    assert installation(connector).state == "removed"
    assert token_of(connector) == []
    assert browser.get("/owner").headers["location"] == "/owner/sign-in"
    assert connector.browser().get("/owner/sign-in").status_code == 200


@pytest.mark.parametrize("has_plugin", [False, True], ids=["without the plugin", "with a plugin from before"])
def test_a_key_that_stays_in_the_store_is_named_to_its_owner(
    connector: Running, store: StandInStore, browser: httpx.Client, has_plugin: bool
) -> None:
    store.has_plugin, store.revokes_keys = has_plugin, False
    browser.get("/owner/plugin")

    page = post(browser, "/owner/uninstall", "/owner/uninstall", data="keep", sure="1")

    assert len(store.keys) == 1
    assert store.webhooks == {}
    assert "revoke the key that begins" in page.text


@pytest.mark.parametrize("way", ["basic", "query", "oauth"])
def test_the_key_is_revoked_whichever_way_the_store_knows_it(
    connector: Running, store: StandInStore, browser: httpx.Client, way: str
) -> None:
    store.has_plugin = True
    browser.get("/owner/plugin")
    store.looks_https, store.drops_authorization = way != "oauth", way == "query"
    with connector.services.storage.database.write() as connection:
        connection.execute(update(StoreAccess).values(authentication=way))

    post(browser, "/owner/uninstall", "/owner/uninstall", data="keep", sure="1")

    assert store.keys == {}


def test_a_store_that_is_away_can_be_left_too(connector: Running, store: StandInStore, browser: httpx.Client) -> None:
    store.stop()

    page = post(browser, "/owner/uninstall", "/owner/uninstall", data="erase", sure="1")

    assert "could not be deleted" in page.text
    assert installation(connector).state == "removed"


def test_a_new_store_is_shown_what_is_to_be_done_and_no_noughts(browser: httpx.Client) -> None:
    page = browser.get("/owner").text

    assert "Connect TikTok" in page
    assert 'class="figures"' not in page


@pytest.mark.parametrize(
    ("address", "start"),
    [("/owner/nowhere", "/owner"), ("/owner/settings/password", "/owner"), ("/install/nowhere/at/all", "/install")],
)
def test_an_address_that_is_no_page_leads_to_one(connector: Running, address: str, start: str) -> None:
    """Also one that only takes a form: whoever changes the language of a refusal reads it again."""
    page = connector.browser().get(address + "?lang=de")

    assert page.status_code == 404
    assert "Diese Seite gibt es nicht" in page.text
    assert f'<a class="button" href="{start}">' in page.text


def test_a_slash_at_the_end_is_no_other_page(connector: Running) -> None:
    assert [connector.browser().get(one).headers["location"] for one in ("/owner/", "/install/")] == [
        "/owner",
        "/install",
    ]
