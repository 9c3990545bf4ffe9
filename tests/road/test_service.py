"""The outside contract, driven as an operator and a store would: real processes, real sockets, both databases."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.road.service import PIXEL, SECRET, TOKEN, Service


@pytest.fixture
def service(tmp_path: Path, database_kind: str) -> Iterator[Service]:
    made = Service(tmp_path, database_kind)
    yield made
    made.close()


def test_paid_orders_reach_tiktok_once_and_a_new_token_brings_what_waited(service: Service) -> None:
    shop = service.add("--consent-policy", "opt_out", "--currency", "EUR")
    server = service.start()

    answers = [service.post(shop, order_id=number) for number in (1, 2, 2)]
    service.wait(lambda: len(service.tiktok.accepted) == 2)
    assert answers == [200, 200, 200]

    service.tiktok.mode = "revoked"
    assert service.post(shop, order_id=3) == 200
    service.wait(lambda: service.json("installations", "show", shop)["access"] == "lost")
    assert service.post(shop, order_id=4) == 200
    service.wait(lambda: service.states(shop) == ["delivered", "delivered", "pending", "pending"])
    assert [event["attempts"] for event in service.events(shop)][2:] == [0, 0]

    service.tiktok.mode = "ok"
    service.tiktok.add_access("the-new-token", PIXEL)
    service.command("installations", "reconnect", shop, "--access-token-stdin", stdin="the-new-token\n")
    service.wait(lambda: len(service.tiktok.accepted) == 4)
    service.wait(lambda: service.states(shop) == ["delivered"] * 4)
    assert all(one.copies == 1 for one in service.tiktok.accepted)
    assert service.stop(server) == 0


def test_an_outage_heals_by_itself_and_survives_a_kill(service: Service) -> None:
    shop = service.add("--consent-policy", "opt_out")
    service.tiktok.mode = "down"
    server = service.start()
    assert [service.post(shop, order_id=number) for number in range(1, 11)] == [200] * 10
    service.wait(lambda: service.tiktok.summary()["calls"] >= 1)

    service.stop(server, signal.SIGKILL)
    service.start()
    service.tiktok.mode = "ok"

    service.wait(lambda: len(service.tiktok.accepted) == 10)
    service.wait(lambda: service.states(shop) == ["delivered"] * 10)
    assert service.accepted() == sorted(("CompletePayment", str(number)) for number in range(1, 11))


@pytest.mark.parametrize("mode", ["garbage", "partial", "server_error", "throttle", "bad_gateway"])
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_no_bad_answer_loses_or_doubles_a_purchase(service: Service, mode: str) -> None:
    shop = service.add("--consent-policy", "opt_out")
    service.tiktok.set_mode(mode, count=3)
    service.start()

    for number in range(1, 6):
        assert service.post(shop, order_id=number) == 200

    service.wait(lambda: len(service.tiktok.accepted) == 5)
    service.wait(lambda: service.states(shop) == ["delivered"] * 5)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_change_reaches_the_running_server(service: Service) -> None:
    shop = service.add("--consent-policy", "opt_out")
    service.start()

    service.command("installations", "pause", shop)
    assert service.post(shop, order_id=1) == 200  # a paused installation still takes its webhooks
    service.command("installations", "resume", shop)
    service.wait(lambda: len(service.tiktok.accepted) == 1)

    service.command("installations", "set", shop, "paid_statuses=completed")
    service.command("installations", "set", shop, "consent_policy=required", "content_id=id")
    later = service.add()  # an installation made while the server runs
    assert service.post(later, order_id=9) == 200

    service.command("installations", "remove", shop)
    service.wait(lambda: service.post(shop, order_id=2) == 410)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_age_rules_at_sending(service: Service) -> None:
    shop = service.add("--consent-policy", "opt_out")
    service.start()
    now = datetime.now(UTC)

    for order_id, days in ((1, 1), (2, 3), (3, 8)):
        assert service.post(shop, order_id=order_id, at=now - timedelta(days=days)) == 200
    service.wait(lambda: "pending" not in service.states(shop) and len(service.states(shop)) == 3)

    found = {event["order_id"]: (event["state"], event["reason"]) for event in service.events(shop)}
    assert found == {"1": ("delivered", ""), "2": ("delivered", ""), "3": ("dead", "too_old")}


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_two_processes_receive_and_deliver(service: Service) -> None:
    shop = service.add("--consent-policy", "opt_out")
    service.start("serve", "--no-delivery")
    worker = service.start("deliver")

    for number in range(1, 21):
        assert service.post(shop, order_id=number) == 200

    service.wait(lambda: len(service.tiktok.accepted) == 20)
    assert service.stop(worker) == 0


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_lone_receiver_shows_what_came_of_its_webhooks(service: Service) -> None:
    shop = service.add("--consent-policy", "opt_out")
    service.start("serve", "--no-delivery")
    service.post(shop, order_id=1)
    service.wait(lambda: service.states(shop) == ["pending"])

    service.post(shop, "order_updated_cancelled", order_id=1)

    service.wait(lambda: service.states(shop) == ["withdrawn"])
    assert service.tiktok.summary()["calls"] == 0


def test_no_secret_is_in_any_file_or_output(service: Service) -> None:
    shop = service.add("--consent-policy", "opt_out")
    server = service.start()
    service.post(shop, order_id=1)
    service.post(shop, order_id=2, secret="wrong")
    service.wait(lambda: len(service.tiktok.accepted) == 1)
    outputs = "".join(
        service.command(*words)
        for words in (
            ("installations", "list", "--json"),
            ("installations", "show", shop),
            ("webhooks", "list", "--json"),
            ("events", "list", "--installation", shop),
        )
    )
    service.stop(server)

    found = outputs.encode() + b"".join(path.read_bytes() for path in service.folder.rglob("*") if path.is_file())
    for secret in (TOKEN, SECRET):
        assert secret.encode() not in found


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_health_addresses(service: Service) -> None:
    service.start()

    assert httpx.get(f"{service.url}/healthz").status_code == 200
    assert httpx.get(f"{service.url}/readyz").json()["ready"] is True
    assert "connector_commits_total" in httpx.get(f"{service.url}/metrics").text
    assert httpx.get(f"{service.url}/nowhere").status_code == 404
