"""Our webhooks at the store stay exactly one per topic, active, ours; those of others are never touched."""

from dataclasses import replace
from datetime import timedelta

import pytest

from connector.demo.store_stand_in import StandInStore, StoreWebhook
from connector.install.subscriptions import (
    SECRET_OVERLAP,
    check_subscriptions,
    rotate_secret,
    subscriptions_of,
    webhook_url,
)
from connector.platforms.woocommerce.store_api import ORDER_TOPICS
from connector.storage.installations import InstallationRecord, all_installations, open_credentials
from connector.storage.notices import open_notices
from tests.install.conftest import Running
from tests.install.walking import installed


@pytest.fixture
def installation(connector: Running, store: StandInStore) -> InstallationRecord:
    installed(connector, store)
    with connector.services.storage.database.read() as connection:
        return all_installations(connection)[0]


def webhook(store: StandInStore, topic: str) -> StoreWebhook:
    (found,) = (one for one in store.webhooks.values() if one.topic == topic)
    return found


def notices(connector: Running, installation: InstallationRecord) -> set[str]:
    with connector.services.storage.database.read() as connection:
        return {one.kind for one in open_notices(connection, installation.id)}


def test_a_healthy_store_is_left_alone(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    before = {one.id: replace(one) for one in store.webhooks.values()}

    check = check_subscriptions(connector.services, installation)

    assert (check.mended, check.waiting, check.gap_since, check.fault) == ((), (), None, "")
    assert store.webhooks == before
    assert notices(connector, installation) == set()


@pytest.mark.parametrize("status", ["disabled", "paused"])
def test_a_silent_webhook_is_revived_and_the_gap_is_told(
    connector: Running, store: StandInStore, installation: InstallationRecord, status: str
) -> None:
    last_good = connector.clock()
    check_subscriptions(connector.services, installation)
    connector.clock.move(hours=5)
    webhook(store, "order.updated").status = status

    check = check_subscriptions(connector.services, installation)

    assert check.revived == ("order.updated",)
    assert webhook(store, "order.updated").status == "active"
    assert check.gap_since is not None
    assert abs(check.gap_since - last_good) < timedelta(minutes=2)
    assert notices(connector, installation) == {"webhooks_mended"}


def test_nothing_is_revived_while_our_own_receiver_is_sick(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    """One more failure would switch it off again."""
    webhook(store, "order.created").status = "disabled"
    connector.receiver_status = 503

    sick = check_subscriptions(connector.services, installation)

    assert (sick.revived, sick.waiting) == ((), ("order.created",))
    assert webhook(store, "order.created").status == "disabled"
    assert notices(connector, installation) == {"receiver_unhealthy"}
    connector.receiver_status = 200
    assert check_subscriptions(connector.services, installation).revived == ("order.created",)
    assert "receiver_unhealthy" not in notices(connector, installation)


def test_a_deleted_webhook_is_made_again_with_the_same_secret(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    gone = webhook(store, "order.created")
    del store.webhooks[gone.id]

    check = check_subscriptions(connector.services, installation)

    assert check.created == ("order.created",)
    assert check.gap_since is not None
    assert webhook(store, "order.created").secret == gone.secret


def test_a_readdressed_webhook_comes_home(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    webhook(store, "order.updated").delivery_url = "https://staging.example/elsewhere"

    check = check_subscriptions(connector.services, installation)

    assert check.readdressed == ("order.updated",)
    assert webhook(store, "order.updated").delivery_url == webhook_url(connector.services, installation.id)


def test_a_twin_is_removed_since_it_would_deliver_each_event_twice(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    mine = webhook(store, "order.updated")
    store.webhooks[999] = replace(mine, id=999)

    check = check_subscriptions(connector.services, installation)

    assert check.removed_twins == ("order.updated",)
    assert [one.topic for one in store.webhooks.values()].count("order.updated") == 1


def test_webhooks_of_other_apps_are_never_touched(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    others = StoreWebhook(500, "order.updated", "https://other.example/hook", "s", "Other app", "disabled")
    store.webhooks[500] = replace(others)

    check_subscriptions(connector.services, installation)
    rotate_secret(connector.services, installation, "f" * 64)

    assert store.webhooks[500] == others


def test_a_new_secret_reaches_every_webhook_and_the_old_one_stays_good_for_a_while(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    old = webhook(store, "order.updated").secret

    rotate_secret(connector.services, installation, "f" * 64)

    assert {one.secret for one in store.webhooks.values()} == {"f" * 64}
    assert live_secrets(connector, installation) == ["f" * 64, old]
    connector.clock.move(seconds=SECRET_OVERLAP.total_seconds() + 1)
    assert live_secrets(connector, installation) == ["f" * 64]


def live_secrets(connector: Running, installation: InstallationRecord) -> list[str]:
    services = connector.services
    with services.storage.database.read() as connection:
        return open_credentials(connection, services.storage.keys, installation.id, "webhook_secret", services.now())


def test_a_rotation_that_the_store_missed_is_made_good_by_the_watchdog(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    store.stop()
    missed = rotate_secret(connector.services, installation, "e" * 64)
    store.start()

    check_subscriptions(connector.services, installation)

    assert missed.fault == "unreachable"
    assert {one.secret for one in store.webhooks.values()} == {"e" * 64}


def test_revoked_keys_are_told_to_the_owner_and_nothing_is_forgotten(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    store.keys.clear()

    check = check_subscriptions(connector.services, installation)

    assert check.fault == "unauthorised"
    assert notices(connector, installation) == {"store_keys_lost"}
    with connector.services.storage.database.read() as connection:
        assert {one.topic for one in subscriptions_of(connection, installation.id)} == set(ORDER_TOPICS)


def test_a_store_that_is_away_raises_no_alarm(
    connector: Running, store: StandInStore, installation: InstallationRecord
) -> None:
    store.stop()

    check = check_subscriptions(connector.services, installation)

    assert check.fault == "unreachable"
    assert notices(connector, installation) == set()
