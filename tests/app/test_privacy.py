"""WordPress' privacy tools reach the history through the plugin, and only with its signature."""

import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from starlette.applications import Starlette
from starlette.testclient import TestClient

from connector.app.privacy import privacy_routes
from connector.install.services import Services, TikTokApp, calls_at_once
from connector.storage.arrivals import Arrival, digest_of
from connector.storage.installations import add_credential
from connector.storage.opening import Storage
from connector.storage.spool import Spool
from connector.storage.tables import Event
from tests.installations import add_installation
from tests.road.road import arrive_body, events, order_body, process, webhooks

_SECRET = "l" * 40


@pytest.fixture
def client(storage: Storage, tmp_path: Path) -> TestClient:
    add_installation(storage)
    with storage.database.write() as connection:
        add_credential(
            connection,
            storage.keys,
            row_id=storage.new_id(),
            installation_id="installation1",
            kind="link_secret",
            text=_SECRET,
            now=storage.now(),
        )
    services = Services(storage, calls_at_once(), "https://connector.example", TikTokApp("https://x", "https://x"))
    return TestClient(Starlette(routes=privacy_routes(services, tmp_path / "spool")))


def _ask(client: TestClient, storage: Storage, path: str, body: dict[str, Any], secret: str = _SECRET) -> Any:
    raw = json.dumps(body).encode()
    stamp = str(int(storage.now().timestamp()))
    signature = hmac.digest(secret.encode(), stamp.encode() + raw, "sha256").hex()
    headers = {"x-pixel-connector-timestamp": stamp, "x-pixel-connector-signature": signature}
    return client.post(path, content=raw, headers=headers)


_ZOE = {"installation_id": "installation1", "email": "Zoe@example.com"}


def test_a_persons_data_is_given_and_then_erased(client: TestClient, storage: Storage) -> None:
    arrive_body(storage, "order.updated", order_body(7))
    arrive_body(storage, "order.updated", order_body(8, billing={"email": "other@example.com"}))
    process(storage)

    given = _ask(client, storage, "/privacy/export", _ZOE).json()["items"]
    assert {item["group"] for item in given} == {"Webhooks of the store", "Events for TikTok"}
    assert "zoe@example.com" in json.dumps(given)
    assert "other@example.com" not in json.dumps(given)

    done = _ask(client, storage, "/privacy/erase", _ZOE).json()
    assert (done["erased"], done["retained"], done["messages"]) == (2, 0, [])
    assert [webhook.body_encoding for webhook in webhooks(storage)] == ["expired", "zstd"]
    assert [event.payload is None for event in events(storage)] == [True, False]
    assert _ask(client, storage, "/privacy/export", _ZOE).json()["items"] == []


@pytest.mark.parametrize(
    ("locale", "words"),
    [("de_DE", "TikTok hat schon 1"), ("fr_FR", "TikTok a déjà reçu 1"), ("", "TikTok has already received 1")],
)
def test_what_could_not_be_erased_is_said_in_the_owners_language(
    client: TestClient, storage: Storage, locale: str, words: str
) -> None:
    arrive_body(storage, "order.updated", order_body(7))
    process(storage)
    with storage.database.write() as connection:
        connection.execute(update(Event).values(state="delivered", delivered_at=storage.now()))

    done = _ask(client, storage, "/privacy/erase", _ZOE | {"locale": locale}).json()

    assert [message.startswith(words) for message in done["messages"]] == [True]


def test_what_waits_in_the_spool_is_taken_in_first(
    client: TestClient, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.app.privacy._SPOOL_SECONDS", 0.3)
    spool, body = Spool(tmp_path / "spool"), order_body(7)
    digest = digest_of("installation1", "order.updated", body)
    spool.append([Arrival(storage.new_id(), "installation1", "order.updated", storage.now(), digest, "{}", body)])

    for path in ("/privacy/export", "/privacy/erase"):  # its writer, this server, still holds it
        assert _ask(client, storage, path, _ZOE).status_code == 503
    spool.close()
    assert "zoe@example.com" in json.dumps(_ask(client, storage, "/privacy/export", _ZOE).json())
    assert _ask(client, storage, "/privacy/erase", _ZOE).json()["erased"] == 1
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize("path", ["/privacy/export", "/privacy/erase"])
def test_without_the_plugins_signature_nothing_is_told(client: TestClient, storage: Storage, path: str) -> None:
    assert _ask(client, storage, path, _ZOE, secret="x" * 40).status_code == 401
    assert client.post(path, content=b"{}").status_code == 401


def test_what_is_no_address_is_refused(client: TestClient, storage: Storage) -> None:
    body = {"installation_id": "installation1"}
    assert _ask(client, storage, "/privacy/export", body).status_code == 400
    assert _ask(client, storage, "/privacy/export", body | {"email": "nobody"}).status_code == 400
