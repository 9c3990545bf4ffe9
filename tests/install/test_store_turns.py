"""Whoever comes at the same second: one webhook for each topic, and none after an uninstall."""

import threading
from collections.abc import Callable

import pytest

from connector.demo.store_stand_in import StandInStore
from connector.install import store_turns
from connector.install.finishing import InstallFinisher
from connector.install.setting_up import set_up_store
from connector.install.store_turns import store_turn
from connector.install.stores import open_store
from connector.install.subscriptions import check_subscriptions, reconcile_subscriptions, remove_subscriptions
from connector.platforms.woocommerce.store_api import COMPANION_TOPICS, ORDER_TOPICS
from connector.storage.installations import InstallationRecord, all_installations
from tests.install.conftest import Running
from tests.install.walking import approve, approve_address, come_back, installed

EVERY_TOPIC = sorted((*ORDER_TOPICS, *COMPANION_TOPICS))


def record(connector: Running) -> InstallationRecord:
    with connector.services.storage.database.read() as connection:
        return all_installations(connection)[0]


def at_once(*works: Callable[[], object]) -> None:
    start = threading.Barrier(len(works))
    failures: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        start.wait()
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def topics(store: StandInStore) -> list[str]:
    return sorted(one.topic for one in store.webhooks.values())


def test_page_and_finisher_at_the_same_second_make_no_twins(connector: Running, store: StandInStore) -> None:
    store.has_plugin = True
    browser = connector.browser()
    come_back(browser, approve(approve_address(browser, store), store))
    connector.clock.move(seconds=45)
    finisher = InstallFinisher(connector.services)

    at_once(*[lambda: browser.get("/install/progress")] * 3, finisher.round)

    assert topics(store) == EVERY_TOPIC
    assert len(store.script_tags) == 1


def test_many_set_ups_and_the_watchdog_make_no_twins(connector: Running, store: StandInStore) -> None:
    installed(connector, store)
    store.has_plugin = True
    store.webhooks.clear()
    services, installation = connector.services, record(connector)

    at_once(
        *[lambda: set_up_store(services, installation)] * 4,
        *[lambda: check_subscriptions(services, installation)] * 2,
    )
    check_subscriptions(services, installation)

    assert topics(store) == EVERY_TOPIC


def test_an_uninstall_is_not_followed_by_new_webhooks(
    connector: Running, store: StandInStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(connector, store)
    services, installation = connector.services, record(connector)
    client = open_store(services, installation)
    assert client is not None
    monkeypatch.setattr(store_turns, "_PATIENCE_SECONDS", 0.0)

    assert remove_subscriptions(services, installation, client)
    late = reconcile_subscriptions(services, installation, companion=False)

    assert (late.fault, late.created, topics(store)) == ("busy", (), [])


def test_a_turn_is_given_back_and_that_of_a_dead_process_runs_out(connector: Running, store: StandInStore) -> None:
    services = connector.services
    with store_turn(services, "i" * 32) as first:
        assert first is not None
        with store_turn(services, "i" * 32, patience=0) as second, store_turn(services, "j" * 32) as other:
            assert (second is None, other is None) == (True, False)
    dead = store_turns.StoreTurn(services, "i" * 32)
    assert dead.renew()

    connector.clock.move(seconds=store_turns.LEASE.total_seconds() + 1)

    with store_turn(services, "i" * 32, patience=0) as next_one:
        assert next_one is not None
        assert not dead.renew()


def test_who_stood_still_for_too_long_changes_nothing_more(
    connector: Running, store: StandInStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(connector, store)
    store.webhooks.clear()
    services, installation = connector.services, record(connector)
    renewed = store_turns.StoreTurn.renew
    calls = 0

    def lost_after_three(turn: store_turns.StoreTurn) -> bool:
        nonlocal calls
        calls += 1
        return renewed(turn) if calls < 4 else False

    monkeypatch.setattr(store_turns.StoreTurn, "renew", lost_after_three)
    check = reconcile_subscriptions(services, installation, companion=False)

    assert (check.fault, len(check.created), len(store.webhooks)) == ("busy", 1, 1)
