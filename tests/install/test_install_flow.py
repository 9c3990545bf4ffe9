"""From an empty browser to an active installation, and every way in which that ends otherwise."""


from connector.demo.store_stand_in import StandInStore
from connector.install.subscriptions import webhook_url
from connector.platforms.woocommerce.store_api import ORDER_TOPICS
from connector.storage.installations import all_installations
from tests.install.conftest import Running
from tests.install.walking import installed


def installations(connector: Running):
    with connector.services.storage.database.read() as connection:
        return all_installations(connection)


def test_a_store_is_installed_and_its_orders_are_subscribed(connector: Running, store: StandInStore) -> None:
    installed(connector, store)

    (installation,) = installations(connector)
    assert (installation.state, installation.access, installation.currency) == ("active", "lost", "EUR")
    assert {one.topic for one in store.webhooks.values()} == set(ORDER_TOPICS)
    assert {one.delivery_url for one in store.webhooks.values()} == {
        webhook_url(connector.services, installation.id)
    }
    assert all(not one.unanswered_ping for one in store.webhooks.values())
