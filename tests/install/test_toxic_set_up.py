"""A bad network while webhooks are set up at a store: in the end there is one of each topic."""

import contextlib
import time
from collections import Counter
from dataclasses import replace

import pytest

from connector.demo.store_stand_in import StandInStore
from connector.errors import ConnectorError
from connector.install.subscriptions import check_subscriptions
from connector.platforms.woocommerce.store_api import ORDER_TOPICS
from connector.storage.installations import all_installations, change_installation
from tests.install.conftest import Running
from tests.install.walking import installed
from tests.toxic import TOXINS, ToxicProxy

_PATIENCE = 0.3


@pytest.mark.parametrize("toxin", TOXINS)
def test_one_webhook_of_each_topic_is_there_in_the_end(connector: Running, store: StandInStore, toxin: str) -> None:
    installed(connector, store)
    services, storage = replace(connector.services, store_timeout=_PATIENCE), connector.services.storage
    store.webhooks.clear()
    with ToxicProxy(store.port, toxin) as proxy:
        store.home = proxy.url  # it signs its own name of itself
        with storage.database.write() as connection:
            (known,) = all_installations(connection)
            change_installation(connection, known.id, storage.now(), store_url=proxy.url)
            (record,) = all_installations(connection)
        began = time.monotonic()
        with contextlib.suppress(ConnectorError):
            check_subscriptions(services, record)
        assert time.monotonic() - began < 6 * _PATIENCE + 2
        proxy.mood = "ok"
        proxy.forget()
        for _ in range(2):
            check_subscriptions(connector.services, record)
    topics = Counter(one.topic for one in store.webhooks.values() if one.status == "active")
    assert {topic: topics[topic] for topic in ORDER_TOPICS} == dict.fromkeys(ORDER_TOPICS, 1)
    assert set(topics.values()) == {1}
