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


def test_a_webhook_that_came_by_the_spool_says_why_it_came_that_way(staffed: World) -> None:
    topic, body, headers = sample("order_created_pending")
    staffed.add_webhook(topic, body, headers, order_id="37", source="spool")
    staffed.add_webhook(topic, body, headers, order_id="38")
    client, told = client_of(staffed, SUPPORT), "The database was out of reach when it arrived"
    assert told in client.get("/console/installations/inst1/orders/37").text
    assert told not in client.get("/console/installations/inst1/orders/38").text
    listed = client.get("/console/webhooks?source=spool").text
    assert len(set(re.findall(r"/console/webhooks/(\d+)", listed))) == 1
