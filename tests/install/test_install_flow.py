"""From an empty browser to an active installation, and every way in which that ends otherwise."""

from pathlib import Path

import httpx
import pytest

from connector.demo.store_stand_in import StandInStore
from connector.install.approving import take_callback
from connector.install.attempts import start_attempt
from connector.install.receiver import webhook_url
from connector.platforms.woocommerce.store_api import COMPANION_TOPICS, ORDER_TOPICS
from connector.storage.installations import InstallationRecord, all_installations, open_credentials
from tests.install.conftest import Running
from tests.install.walking import (
    approve,
    approve_address,
    check_store,
    come_back,
    installed,
    link_with,
    post,
    signed_in,
)


def installations(connector: Running) -> list[InstallationRecord]:
    with connector.services.storage.database.read() as connection:
        return all_installations(connection)


def secrets_of(connector: Running, kind: str) -> list[str]:
    (installation,) = installations(connector)
    services = connector.services
    with services.storage.database.read() as connection:
        return open_credentials(connection, services.storage.keys, installation.id, kind, services.now())


def test_a_store_is_installed_and_its_orders_are_subscribed(connector: Running, store: StandInStore) -> None:
    installed(connector, store)

    (installation,) = installations(connector)
    assert (installation.state, installation.access, installation.currency) == ("active", "lost", "EUR")
    assert {one.topic for one in store.webhooks.values()} == set(ORDER_TOPICS)
    address = webhook_url(connector.services, installation.id)
    assert {one.delivery_url for one in store.webhooks.values()} == {address}
    assert all(not one.unanswered_ping for one in store.webhooks.values())
    assert {one.secret for one in store.webhooks.values()} == set(secrets_of(connector, "webhook_secret"))


def test_with_the_plugin_there_its_topics_connection_and_script_are_set_up(
    connector: Running, store: StandInStore
) -> None:
    store.has_plugin = True

    installed(connector, store)

    (installation,) = installations(connector)
    assert {one.topic for one in store.webhooks.values()} == {*ORDER_TOPICS, *COMPANION_TOPICS}
    assert store.connection["installation_id"] == installation.id
    assert store.connection["link_secret"] == secrets_of(connector, "link_secret")[0]
    assert list(store.script_tags.values()) == [f"{connector.url}/pixel/{installation.public_id}.js"]


def test_a_plain_http_store_is_called_with_signatures(connector: Running, store: StandInStore) -> None:
    installed(connector, store)

    assert len(store.nonces) > len(ORDER_TOPICS)  # each signed call spends one
    assert len(store.webhooks) == len(ORDER_TOPICS)


def test_no_secret_of_an_install_is_in_clear_in_the_database(connector: Running, store: StandInStore) -> None:
    installed(connector, store)

    (key, (secret, _)) = next(iter(store.keys.items()))
    file = Path(connector.services.storage.database.sqlite_path)
    connector.services.storage.database.close()
    content = b"".join(part.read_bytes() for part in file.parent.glob(file.name + "*"))
    assert store.url.encode() in content  # so the right files were read
    assert key.encode() not in content
    assert secret.encode() not in content
    assert next(iter(store.webhooks.values())).secret.encode() not in content


def test_before_half_a_minute_nothing_is_active(connector: Running, store: StandInStore) -> None:
    browser = connector.browser()
    come_back(browser, approve(approve_address(browser, store), store))
    connector.clock.move(seconds=25)

    page = browser.get("/install/progress")

    assert page.status_code == 200
    assert 'http-equiv="refresh"' in page.text
    assert installations(connector) == []


def test_a_return_in_another_browser_burns_the_attempt(connector: Running, store: StandInStore) -> None:
    """Somebody started an install for a stranger's store and sent its owner the approve link."""
    attacker, owner = connector.browser(), connector.browser()
    granted = approve(approve_address(attacker, store), store)
    attacker.get(granted.headers["location"])

    page = come_back(owner, granted)

    assert page.status_code == 403
    assert "You did not start this" in page.text
    assert "Revoke" in page.text
    connector.clock.move(seconds=60)
    assert attacker.get("/install/progress").status_code == 403
    assert installations(connector) == []


def test_the_attackers_own_return_after_the_owners_changes_nothing(connector: Running, store: StandInStore) -> None:
    attacker, owner = connector.browser(), connector.browser()
    granted = approve(approve_address(attacker, store), store)
    come_back(owner, granted)

    come_back(attacker, granted)

    connector.clock.move(seconds=60)
    assert attacker.get("/install/progress").status_code == 403
    assert installations(connector) == []


def test_a_foreign_return_after_the_wait_takes_everything_back(connector: Running, store: StandInStore) -> None:
    """Whoever started it is signed in by now, and must neither resume it nor wait for the owner's new keys."""
    store.has_plugin = True
    attacker = connector.browser()
    granted = approve(approve_address(attacker, store), store)
    come_back(attacker, granted)
    connector.clock.move(seconds=31)
    attacker.get("/install/progress")
    words = "a long enough password"
    post(attacker, "/install/password", "/install/password", password=words, again=words)
    assert attacker.get("/owner").status_code == 200

    page = come_back(connector.browser(), granted)

    assert (page.status_code, "You did not start this" in page.text) == (403, True)
    (installation,) = installations(connector)
    assert installation.state == "removed"
    assert secrets_of(connector, "consumer_key") == secrets_of(connector, "link_secret") == []
    assert (store.webhooks, store.script_tags, store.connection) == ({}, {}, {})
    assert attacker.get("/owner").headers["location"] == "/owner/sign-in"
    typed = {"store": store.url, "password": words}
    assert post(attacker, "/owner/sign-in", "/owner/sign-in", **typed).status_code == 403


def test_a_foreign_return_of_a_renewal_stops_the_installation_for_its_owner_to_see(
    connector: Running, store: StandInStore
) -> None:
    owner = signed_in(connector, store)
    somebody = connector.browser()
    granted = approve(approve_address(somebody, store), store)
    come_back(somebody, granted)
    connector.clock.move(seconds=31)
    somebody.get("/install/progress")

    come_back(connector.browser(), granted)

    (installation,) = installations(connector)
    assert installation.state == "paused"
    assert secrets_of(connector, "consumer_key") == []
    assert "Another browser also came back" in owner.get("/owner").text


def test_a_burned_attempt_takes_its_connection_out_of_the_plugin(connector: Running, store: StandInStore) -> None:
    store.has_plugin = True
    attacker = connector.browser()
    granted = approve(approve_address(attacker, store), store)
    come_back(attacker, granted)
    attacker.get("/install/progress")
    assert store.is_connected

    come_back(connector.browser(), granted)

    assert not store.is_connected


def test_a_store_that_belongs_to_another_connection_is_not_touched_in_quarantine(
    connector: Running, store: StandInStore
) -> None:
    store.has_plugin = True
    store.connection = {"installation_id": "somebody's", "link_secret": "s"}
    browser = connector.browser()
    come_back(browser, approve(approve_address(browser, store), store))

    browser.get("/install/progress")

    assert store.connection["installation_id"] == "somebody's"


def test_a_refusal_ends_in_a_page_that_says_so(connector: Running, store: StandInStore) -> None:
    browser = connector.browser()

    page = come_back_refused(browser, approve_address(browser, store), store)

    assert "You chose Deny" in page.text
    assert store.keys == {}
    assert "You chose Deny" in browser.get("/install/progress").text


def come_back_refused(browser: httpx.Client, authorise: str, store: StandInStore) -> httpx.Response:
    with httpx.Client(base_url=store.url, trust_env=False) as merchant:
        page = merchant.get(authorise)
    start = page.text.index('wc-auth-deny" href="') + len('wc-auth-deny" href="')
    return browser.get(page.text[start : page.text.index('"', start)].replace("&amp;", "&"))


def test_success_in_the_address_proves_nothing(connector: Running, store: StandInStore) -> None:
    browser = connector.browser()
    state = approve_address(browser, store).split("user_id=")[1].split("&")[0]
    browser.get(f"/install/woocommerce/return?success=1&user_id={state}")

    waiting = browser.get("/install/progress")
    connector.clock.move(seconds=120)
    given_up = browser.get("/install/progress")

    assert "has not called us" in waiting.text
    assert "firewall" not in waiting.text
    assert "firewall" in given_up.text
    assert installations(connector) == []


@pytest.mark.parametrize("query", ["", "?success=1", "?success=1&user_id=forged", "?success=1&user_id=a.b.c"])
def test_a_forged_return_says_that_this_way_has_ended(connector: Running, query: str) -> None:
    page = connector.browser().get("/install/woocommerce/return" + query)

    assert page.status_code == 410
    assert "This link is no longer valid" in page.text


def test_an_hour_later_the_way_has_ended(connector: Running, store: StandInStore) -> None:
    browser = connector.browser()
    authorise = approve_address(browser, store)
    connector.clock.move(minutes=61)

    refused = approve(authorise, store)

    assert refused.status_code == 401  # the store got no 200, so it threw the key away
    assert store.keys == {}
    assert browser.get("/install/progress").status_code == 410


def test_a_callback_with_keys_of_no_use_is_refused_and_the_real_one_still_counts(
    connector: Running, store: StandInStore
) -> None:
    browser = connector.browser()
    authorise = approve_address(browser, store)
    state = authorise.split("user_id=")[1].split("&")[0]
    forged = {"user_id": state, "consumer_key": "ck_" + "0" * 40, "consumer_secret": "cs_" + "0" * 40}

    answer = connector.browser().post(f"/install/woocommerce/callback/{state}", json=forged)

    assert answer.status_code == 403
    come_back(browser, approve(authorise, store))
    connector.clock.move(seconds=31)
    assert browser.get("/install/progress").headers["location"] == "/install/password"


def test_keys_of_another_store_are_refused(connector: Running, store: StandInStore) -> None:
    with StandInStore(demands_https_callback=False) as other:
        browser = connector.browser()
        state = approve_address(browser, store).split("user_id=")[1].split("&")[0]
        key, secret = other.new_keys()

        answer = connector.browser().post(
            f"/install/woocommerce/callback/{state}",
            json={"user_id": state, "consumer_key": key, "consumer_secret": secret},
        )

    assert answer.status_code == 403


def test_a_repeated_callback_is_answered_200_and_changes_nothing(connector: Running, store: StandInStore) -> None:
    browser = connector.browser()
    authorise = approve_address(browser, store)
    come_back(browser, approve(authorise, store))
    connector.clock.move(seconds=31)
    browser.get("/install/progress")
    keys, webhooks = secrets_of(connector, "consumer_key"), dict(store.webhooks)

    again = approve(authorise, store)

    assert again.status_code == 302  # the store was content with our 200
    assert len(store.keys) == 2
    assert secrets_of(connector, "consumer_key") == keys
    assert store.webhooks == webhooks


def test_the_callback_must_name_the_same_state_in_path_and_body(connector: Running, store: StandInStore) -> None:
    services = connector.services
    one, other = (start_attempt(services, store.url, "browser") for _ in range(2))
    key, secret = store.new_keys()
    body = f'{{"user_id":"{other}","consumer_key":"{key}","consumer_secret":"{secret}"}}'.encode()

    assert take_callback(services, one, body) == (400, "reference_differs")


def test_a_store_that_cannot_answer_during_its_own_callback_is_proven_later(
    connector: Running, store: StandInStore
) -> None:
    """A store with a single worker: it waits for us and cannot answer us."""
    services = connector.services
    browser = connector.browser()
    state = approve_address(browser, store).split("user_id=")[1].split("&")[0]
    key, secret = store.new_keys()
    store.stop()
    body = f'{{"user_id":"{state}","consumer_key":"{key}","consumer_secret":"{secret}"}}'.encode()

    assert take_callback(services, state, body) == (200, "quarantined")

    store.start()
    browser.get(f"/install/woocommerce/return?success=1&user_id={state}")
    connector.clock.move(seconds=31)
    assert browser.get("/install/progress").headers["location"] == "/install/password"


def test_installing_a_known_store_again_renews_its_keys_and_signs_nobody_in(
    connector: Running, store: StandInStore
) -> None:
    first = installed(connector, store)
    post(first, "/install/password", "/install/password", password="a long enough one", again="a long enough one")
    (before,) = installations(connector)
    old = secrets_of(connector, "consumer_key")
    webhooks = set(store.webhooks)
    second = connector.browser()
    come_back(second, approve(approve_address(second, store), store))
    connector.clock.move(seconds=31)

    page = second.get("/install/progress")

    assert "Connected anew" in page.text
    assert [one.id for one in installations(connector)] == [before.id]
    assert secrets_of(connector, "consumer_key") != old
    assert set(store.webhooks) == webhooks
    assert second.get("/install/password").headers["location"] == "/owner/sign-in"
    assert second.get("/owner").headers["location"] == "/owner/sign-in"


def test_only_the_browser_that_installed_may_choose_the_password(connector: Running, store: StandInStore) -> None:
    browser = installed(connector, store)

    assert connector.browser().get("/install/password").headers["location"] == "/owner/sign-in"
    short = post(browser, "/install/password", "/install/password", password="short", again="short")
    differing = post(browser, "/install/password", "/install/password", password="a" * 12, again="b" * 12)
    assert (short.status_code, differing.status_code) == (422, 422)
    assert browser.get("/owner").headers["location"] == "/owner/sign-in"


def test_a_store_without_rest_api_cannot_go_on(connector: Running, store: StandInStore) -> None:
    store.plain_permalinks = True

    page = check_store(connector.browser(), store.url)

    assert "plain permalinks" in page.text
    assert "/wc-auth/" not in page.text


@pytest.mark.parametrize("typed", ["", "my shop", "ftp://shop.example", "https://user:pw@shop.example"])
def test_what_is_no_address_is_told_so(connector: Running, typed: str) -> None:
    page = check_store(connector.browser(), typed)

    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.text


def test_a_form_from_elsewhere_is_refused(connector: Running) -> None:
    browser = connector.browser()
    browser.get("/install")

    without_token = browser.post("/install", data={"store": "shop.example"})
    foreign = browser.post("/install", data={"store": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
    other_origin = browser.post("/install", data={"store": "x"}, headers={"Origin": "https://evil.example"})

    assert [one.status_code for one in (without_token, foreign, other_origin)] == [403, 403, 403]


def test_many_looks_at_stores_are_limited(connector: Running) -> None:
    browser = connector.browser()

    answers = [check_store(browser, "not an address").status_code for _ in range(15)]

    assert 429 in answers


def test_who_closed_the_stores_page_finds_a_way_on_from_the_waiting_page(
    connector: Running, store: StandInStore
) -> None:
    browser = connector.browser()
    approve_address(browser, store)

    again = link_with(browser.get("/install/progress").text, "/install?store=")

    assert f'value="{store.url}"' in browser.get(again).text
