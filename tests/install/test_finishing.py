"""An install whose browser has gone is finished all the same, and a second return still ends it."""

import pytest

from connector.demo.store_stand_in import StandInStore
from connector.install.finishing import InstallFinisher
from connector.platforms.woocommerce.store_api import COMPANION_TOPICS, ORDER_TOPICS
from connector.storage.installations import all_installations
from tests.install.conftest import Running
from tests.install.walking import approve, approve_address, come_back, post

WORDS = "a long enough password"


@pytest.fixture
def finisher(connector: Running) -> InstallFinisher:
    return InstallFinisher(connector.services)


def states(connector: Running) -> list[str]:
    with connector.services.storage.database.read() as connection:
        return [one.state for one in all_installations(connection)]


def test_a_closed_tab_is_finished_after_the_wait_with_its_webhooks(
    connector: Running, store: StandInStore, finisher: InstallFinisher
) -> None:
    store.has_plugin = True
    browser = connector.browser()
    come_back(browser, approve(approve_address(browser, store), store))

    connector.clock.move(seconds=29)
    assert (finisher.round(), states(connector)) == (0, [])
    connector.clock.move(seconds=12)
    assert (finisher.round(), states(connector)) == (1, ["active"])

    assert {one.topic for one in store.webhooks.values()} == {*ORDER_TOPICS, *COMPANION_TOPICS}
    assert len(store.script_tags) == 1
    assert finisher.round() == 0


@pytest.mark.parametrize("hours", [0, 3, 23])
def test_who_closed_the_tab_chooses_the_password_later(
    connector: Running, store: StandInStore, finisher: InstallFinisher, hours: int
) -> None:
    browser = connector.browser()
    come_back(browser, approve(approve_address(browser, store), store))
    connector.clock.move(seconds=45)
    finisher.round()
    connector.clock.move(hours=hours)

    assert browser.get("/install/progress").headers["location"] == "/install/password"
    done = post(browser, "/install/password", "/install/password", password=WORDS, again=WORDS)

    assert done.headers["location"] == "/owner/tiktok"
    assert len(store.webhooks) == len(ORDER_TOPICS)


def test_who_comes_back_after_days_installs_again_and_is_not_locked_out(
    connector: Running, store: StandInStore, finisher: InstallFinisher
) -> None:
    first = connector.browser()
    come_back(first, approve(approve_address(first, store), store))
    connector.clock.move(seconds=45)
    finisher.round()
    connector.clock.move(days=3)
    browser = connector.browser()
    come_back(browser, approve(approve_address(browser, store), store))
    connector.clock.move(seconds=31)

    assert browser.get("/install/progress").headers["location"] == "/install/password"
    assert post(browser, "/install/password", "/install/password", password=WORDS, again=WORDS).status_code == 303
    assert states(connector) == ["active"]


def test_a_second_return_within_the_wait_still_burns_it(
    connector: Running, store: StandInStore, finisher: InstallFinisher
) -> None:
    attacker = connector.browser()
    granted = approve(approve_address(attacker, store), store)
    come_back(attacker, granted)
    connector.clock.move(seconds=20)
    come_back(connector.browser(), granted)
    connector.clock.move(minutes=5)

    assert (finisher.round(), states(connector)) == (0, [])


def test_without_the_browsers_return_nothing_is_finished(
    connector: Running, store: StandInStore, finisher: InstallFinisher
) -> None:
    approve(approve_address(connector.browser(), store), store)
    connector.clock.move(minutes=10)

    assert (finisher.round(), states(connector)) == (0, [])


def test_a_store_that_is_away_is_asked_again_later(
    connector: Running, store: StandInStore, finisher: InstallFinisher
) -> None:
    browser = connector.browser()
    come_back(browser, approve(approve_address(browser, store), store))
    connector.clock.move(seconds=45)
    store.stop()
    assert finisher.round() == 0
    store.start()

    assert finisher.round() == 0  # not at once
    connector.clock.move(seconds=21)
    assert (finisher.round(), states(connector)) == (1, ["active"])


def test_an_attempt_that_is_an_hour_old_is_not_finished(
    connector: Running, store: StandInStore, finisher: InstallFinisher
) -> None:
    browser = connector.browser()
    come_back(browser, approve(approve_address(browser, store), store))
    connector.clock.move(minutes=61)

    assert (finisher.round(), states(connector)) == (0, [])


def test_a_store_that_was_known_gets_its_new_keys(
    connector: Running, store: StandInStore, finisher: InstallFinisher
) -> None:
    for _ in range(2):
        browser = connector.browser()
        come_back(browser, approve(approve_address(browser, store), store))
        connector.clock.move(seconds=45)
        assert finisher.round() == 1

    assert states(connector) == ["active"]
    assert len(store.webhooks) == len(ORDER_TOPICS)
