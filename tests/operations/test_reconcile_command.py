"""The whole of it with real processes: a connector that is down while orders come in, and what heals it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.demo.store_stand_in import StandInStore
from connector.demo.store_stand_in.state import StoreWebhook
from connector.settings import load_settings
from connector.storage.opening import open_storage
from tests.operations.stores import give_keys
from tests.road.service import SECRET, Service


@pytest.fixture
def service(database_kind: str, tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path, database_kind)
    yield running
    running.close()


@pytest.fixture
def store() -> Iterator[StandInStore]:
    with StandInStore() as running:
        yield running


def _connect(service: Service, store: StandInStore, installation_id: str) -> None:
    """The keys that the authorise page would have left, and the store's two webhooks."""
    given = {
        name: service.environment.get(f"CONNECTOR_{name.upper()}")
        for name in ("data_dir", "database_url", "secret_keys")
    }
    storage = open_storage(load_settings({name: value for name, value in given.items() if value}))
    give_keys(storage, store, installation_id)
    storage.close()
    for topic in ("order.created", "order.updated"):
        address = f"{service.url}/webhooks/woocommerce/{installation_id}"
        webhook = StoreWebhook(store.next_id(), topic, address, SECRET, "Pixel Connector", unanswered_ping=False)
        store.webhooks[webhook.id] = webhook


def _accepted(service: Service) -> list[tuple[str, int]]:
    return sorted((one.event["properties"]["order_id"], one.copies) for one in service.tiktok.accepted)


def test_orders_of_a_downtime_reach_tiktok_once(service: Service, store: StandInStore) -> None:
    if "CONNECTOR_DATABASE_URL" in service.environment:
        service.command("migrate")
    installation_id = service.add("--consent-policy", "opt_out")
    _connect(service, store, installation_id)
    running = service.start()
    orders = [store.place_order()]
    store.run_queue()
    service.wait(lambda: len(service.tiktok.accepted) == 1)

    service.stop(running)
    orders += [store.place_order(), store.place_order()]
    store.place_order("checkout-draft")
    store.run_queue()
    assert {delivery.status for delivery in store.deliveries[2:]} == {None}
    running = service.start()

    report: dict[str, Any] = service.json(
        "reconcile", "--installation", installation_id, "--since", "2026-01-01T00:00:00Z"
    )
    assert (report["orders"], report["drafts"], report["paid"], report["accepted"]) == (3, 1, 3, 1)
    assert [(gap["order_id"], gap["state"]) for gap in report["gaps"]] == [(str(n), "fetched") for n in orders[1:]]
    service.wait(lambda: len(service.tiktok.accepted) == 3)

    store.change_order(orders[1], status="completed")  # life goes on
    store.run_queue()
    text = service.command("reconcile", "--installation", installation_id, "--since", "2026-01-01")
    assert text == "The store says 3 paid orders, TikTok accepted 3: nothing is missing.\n"
    assert _accepted(service) == sorted((str(number), 1) for number in orders)
    service.stop(running)


def test_a_store_without_keys_is_told_in_one_line(service: Service) -> None:
    if "CONNECTOR_DATABASE_URL" in service.environment:
        service.command("migrate")
    installation_id = service.add()

    service.command("reconcile", "--installation", installation_id, "--since", "2026-01-01", code=1)
    service.command("reconcile", "--installation", "nobody", "--since", "2026-01-01", code=2)
    service.command("reconcile", "--installation", installation_id, "--since", "yesterday", code=2)
