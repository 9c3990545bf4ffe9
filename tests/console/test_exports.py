"""Exports: the columns, filters and order of the list, whatever its length, on both databases."""

import csv
import json
from decimal import Decimal

import pytest

from tests.console.test_pages_render import client_of
from tests.console.world import SUPPORT, World


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a handful of rows comes in several parts."""
    monkeypatch.setattr("connector.console.list_exports._PART", 3)
    monkeypatch.setattr("connector.console.list_exports._NARROW_PART", 4)


def rows_of(world: World, query: str) -> list[dict[str, str]]:
    text = client_of(world, SUPPORT).get(f"/console/{query}").text
    return list(csv.DictReader(text.splitlines()))


def test_an_export_goes_on_where_a_rare_filter_stopped(staffed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        staffed.add_webhook("order.updated", b"{}", reason="rare" if number % 10 == 0 else "")
    monkeypatch.setattr("connector.storage.lists.SCAN_SECONDS", -1.0)
    monkeypatch.setattr("connector.storage.lists._FIRST_CHUNK", 2)
    text = client_of(staffed, SUPPORT).get("/console/webhooks/export?format=csv&reason=rare").text
    assert len(text.strip().splitlines()) == 1 + 3


@pytest.mark.usefixtures("short_parts")
def test_an_export_keeps_the_sorting_the_columns_and_the_filters(staffed: World) -> None:
    webhook = staffed.add_webhook("order.created", b"{}")
    values = ["7.10", "100.00", None, "19.99", "8.00", "100.00", "0.50", "55.00", "12.00", "3.00"]
    for number, value in enumerate(values):
        money = Decimal(value) if value else None
        staffed.add_event(webhook, name="Purchase", order_id=str(number), value=money, currency="EUR")
    staffed.add_event(webhook, name="ViewContent", value=Decimal(1))
    query = "events/export?format={kind}&name=Purchase&cols=order_id,value&sort={sort}"
    upwards = rows_of(staffed, query.format(kind="csv", sort="value"))
    assert [list(row) for row in upwards[:1]] == [["order_id", "value"]]
    assert [row["order_id"] for row in upwards] == ["2", "6", "9", "0", "4", "8", "3", "7", "5", "1"]
    down = json.loads(client_of(staffed, SUPPORT).get(f"/console/{query.format(kind='json', sort='-value')}").text)
    assert [row["order_id"] for row in down] == ["5", "1", "7", "3", "8", "4", "0", "9", "6", "2"]
    by_time = rows_of(staffed, query.format(kind="csv", sort="created_at"))
    assert [row["order_id"] for row in by_time] == [str(number) for number in range(10)]


@pytest.mark.usefixtures("short_parts")
def test_the_export_of_a_sorted_list_is_what_the_page_shows(staffed: World) -> None:
    """Its links name the same columns, filters and order, and the order is the same."""
    for topic in ("order.updated", "cart.item_added", "order.created", "product.updated", "order.deleted"):
        staffed.add_webhook(topic, b"{}", state="ignored")
    staffed.add_webhook("order.restored", b"{}")
    page = client_of(staffed, SUPPORT).get("/console/webhooks?sort=-topic&cols=topic,state&state=ignored").text
    assert "/console/webhooks/export?state=ignored&amp;cols=topic%2Cstate&amp;sort=-topic&amp;format=csv" in page
    found = rows_of(staffed, "webhooks/export?state=ignored&cols=topic,state&sort=-topic&format=csv")
    shown = sorted((row["topic"] for row in found), key=page.index)
    assert [row["topic"] for row in found] == shown
    assert found[0]["topic"] == "product.updated"
    assert len(found) == 5


@pytest.mark.usefixtures("short_parts")
def test_an_export_is_bounded_to_its_newest_rows(staffed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.console.list_exports._EXPORTED", 6)
    for number in range(10):
        staffed.add_webhook("order.updated", b"{}", reason=f"r{9 - number}")
    found = rows_of(staffed, "webhooks/export?format=csv&sort=reason")
    assert [row["reason"] for row in found] == ["r0", "r1", "r2", "r3", "r4", "r5"]
