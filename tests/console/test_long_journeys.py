"""Orders that a plugin wrote hundreds of times: how it began and how it stands are shown, the rest is counted."""

import re

import pytest

from tests.console.test_pages_render import client_of
from tests.console.world import SUPPORT, World, sample


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_first_and_the_newest_webhooks_are_shown_and_the_rest_is_counted(staffed: World) -> None:
    topic, body, headers = sample("order_created_pending")
    ids = [staffed.add_webhook(topic, body, headers, order_id="35") for _ in range(150)]
    page = client_of(staffed, SUPPORT).get("/console/installations/inst1/orders/35")
    shown = {int(one) for one in re.findall(r'href="/console/webhooks/(\d+)"', page.text)}
    assert shown == {*ids[:20], *ids[-100:]}
    assert "30 more came" in page.text
    listed = client_of(staffed, SUPPORT).get("/console/webhooks?installation=inst1&order_id=35&size=200")
    assert len(re.findall(r"/console/webhooks/\d+", listed.text)) == 150


def test_of_many_attempts_the_newest_are_shown(staffed: World) -> None:
    _, event = staffed.add_order("36", state="pending", delivered_at=None)
    attempts = [staffed.add_attempt([event], result="retry", code=51004) for _ in range(205)]
    page = client_of(staffed, SUPPORT).get("/console/installations/inst1/orders/36").text
    assert f"/console/attempts/{attempts[-1]}" in page
    assert f"/console/attempts/{attempts[0]}" not in page


def test_an_export_goes_on_where_a_rare_filter_stopped(staffed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        staffed.add_webhook("order.updated", b"{}", reason="rare" if number % 10 == 0 else "")
    monkeypatch.setattr("connector.storage.lists.SCAN_SECONDS", -1.0)
    monkeypatch.setattr("connector.storage.lists._FIRST_CHUNK", 2)
    text = client_of(staffed, SUPPORT).get("/console/webhooks/export?format=csv&reason=rare").text
    assert len(text.strip().splitlines()) == 1 + 3
