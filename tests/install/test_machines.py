"""What the plugin's server asks: only with its own signature, fresh, for its own installation."""

import hmac
import json
from typing import Any

import httpx
import pytest

from connector.demo.store_stand_in import StandInStore
from connector.storage.installations import all_installations
from tests.install.conftest import Running
from tests.install.walking import approve, approve_address, come_back, installed


def signed(connector: Running, path: str, secret: str, body: dict[str, Any], **changes: str) -> httpx.Response:
    raw = json.dumps(body).encode()
    stamp = changes.get("stamp", str(int(connector.clock().timestamp())))
    signature = hmac.digest(secret.encode(), stamp.encode() + raw, "sha256").hex()
    headers = {
        "X-Pixel-Connector-Timestamp": stamp,
        "X-Pixel-Connector-Signature": changes.get("signature", signature),
        "Content-Type": "application/json",
    }
    with connector.browser() as plugin:
        return plugin.post(path, content=raw, headers=headers)


@pytest.fixture
def connected(connector: Running, store: StandInStore) -> dict[str, str]:
    store.has_plugin = True
    installed(connector, store)
    return {name: str(store.connection[name]) for name in ("installation_id", "link_secret")}


def test_a_link_signs_in_once(connector: Running, connected: dict[str, str]) -> None:
    body = {"installation_id": connected["installation_id"], "user": "admin"}
    token = signed(connector, "/owner/links", connected["link_secret"], body).json()["token"]
    browser = connector.browser()

    entered = browser.post("/owner/enter", data={"token": token}, headers={"Sec-Fetch-Site": "cross-site"})

    assert entered.headers["location"] == "/owner"
    assert browser.get("/owner").status_code == 200
    again = connector.browser().post("/owner/enter", data={"token": token})
    assert again.headers["location"] == "/owner/sign-in?why=link"


def test_a_link_lives_one_minute(connector: Running, connected: dict[str, str]) -> None:
    body = {"installation_id": connected["installation_id"], "user": "admin"}
    token = signed(connector, "/owner/links", connected["link_secret"], body).json()["token"]
    connector.clock.move(seconds=61)

    late = connector.browser().post("/owner/enter", data={"token": token})

    assert late.headers["location"] == "/owner/sign-in?why=link"


FAULTS: dict[str, dict[str, Any]] = {
    "another secret": {"secret": "f" * 64},
    "an empty secret": {"secret": ""},
    "no signature": {"signature": ""},
    "a cut signature": {"signature": "0" * 63},
    "too old": {"seconds": -400},
    "from the future": {"seconds": 400},
    "no time": {"stamp": ""},
    "a time that is no number": {"stamp": "now"},
    "another installation": {"installation_id": "somebody-else"},
}


@pytest.mark.parametrize("path", ["/owner/links", "/install/confirm"])
@pytest.mark.parametrize("fault", FAULTS)
def test_anything_but_the_plugins_own_fresh_signature_is_refused(
    connector: Running, connected: dict[str, str], path: str, fault: str
) -> None:
    changes = dict(FAULTS[fault])
    if "seconds" in changes:
        changes["stamp"] = str(int(connector.clock().timestamp()) + changes.pop("seconds"))
    secret = changes.pop("secret", connected["link_secret"])
    installation_id = changes.pop("installation_id", connected["installation_id"])

    answer = signed(connector, path, secret, {"installation_id": installation_id, "user": "admin"}, **changes)

    assert answer.status_code == 401


def test_a_confirmation_in_wp_admin_ends_the_wait(connector: Running, store: StandInStore) -> None:
    store.has_plugin = True
    browser = connector.browser()
    come_back(browser, approve(approve_address(browser, store), store))
    assert "http-equiv" in browser.get("/install/progress").text
    body = {"installation_id": store.connection["installation_id"], "user": "admin"}

    confirmed = signed(connector, "/install/confirm", store.connection["link_secret"], body)

    assert (confirmed.status_code, confirmed.json()["status"]) == (200, "confirmed")
    assert browser.get("/install/progress").headers["location"] == "/install/password"
    with connector.services.storage.database.read() as connection:
        assert all_installations(connection)[0].id == body["installation_id"]


def test_confirming_what_is_connected_says_so(connector: Running, connected: dict[str, str]) -> None:
    body = {"installation_id": connected["installation_id"], "user": "admin"}

    answer = signed(connector, "/install/confirm", connected["link_secret"], body)

    assert (answer.status_code, answer.json()["status"]) == (200, "connected")


def test_a_body_that_is_too_large_is_not_read_on(connector: Running) -> None:
    with connector.browser() as plugin:
        assert plugin.post("/owner/links", content=b"x" * 20_000).status_code == 413


def test_the_plugin_is_served_as_a_zip(connector: Running) -> None:
    answer = connector.browser().get("/downloads/woocommerce-plugin.zip")

    assert answer.status_code == 200
    assert answer.content[:2] == b"PK"
    assert "pixel-connector.zip" in answer.headers["content-disposition"]
