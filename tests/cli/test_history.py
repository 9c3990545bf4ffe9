import json
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import insert

from connector.storage.opening import Storage
from connector.storage.tables import Event
from tests.cli.conftest import Commands, Opener
from tests.cli.road import EMAIL, arrive, paid_order, sample

_event = Event.__table__  # type: ignore[attr-defined]


def add_events(storage: Storage, installation_id: str, count: int) -> None:
    now = storage.now()
    rows = [
        {
            "id": storage.new_id(), "installation_id": installation_id, "webhook_id": 1, "event_id": f"e{number}",
            "name": "ViewContent", "state": "dead" if number % 10 == 0 else "delivered", "value": Decimal("1.50"),
            "event_time": now, "created_at": now + timedelta(milliseconds=number), "updated_at": now,
        }
        for number in range(count)
    ]  # fmt: skip
    with storage.database.write() as connection:
        connection.execute(insert(_event), rows)


def test_events_list_has_exactly_the_contracts_fields(both: Commands, opened: Opener) -> None:
    added = both.add()["installation_id"]
    webhook_id = paid_order(opened(), added)
    (event,) = both("events", "list", "--installation", added, "--json").document
    assert event["created_at"].endswith("Z")
    del event["created_at"]
    assert len(event.pop("event_id")) == 64
    assert event == {
        "event": "CompletePayment",
        "state": "pending",
        "reason": "",
        "value": "20.71",
        "currency": "EUR",
        "order_id": "40",
        "attempts": 0,
        "delivered_at": None,
        "webhook_id": str(webhook_id),
    }


def test_lists_are_complete_oldest_first_and_can_be_limited(both: Commands, opened: Opener) -> None:
    added = both.add()["installation_id"]
    assert both("events", "list", "--installation", added, "--json").document == []
    add_events(opened(), added, 2500)
    command = ["events", "list", "--installation", added, "--json"]
    assert [event["event_id"] for event in both(*command).document] == [f"e{n}" for n in range(2500)]
    dead = [event["event_id"] for event in both(*command, "--state", "dead").document]
    assert dead == [f"e{n}" for n in range(0, 2500, 10)]
    assert len(both(*command, "--limit", "1001").document) == 1001
    assert both("events", "list", "--installation", added, "--limit", "3").out.count("ViewContent") == 3


def test_events_of_another_installation_are_not_listed(cli: Commands, opened: Opener) -> None:
    first, second = cli.add()["installation_id"], cli.add()["installation_id"]
    add_events(opened(), first, 3)
    assert cli("events", "list", "--installation", second, "--json").document == []


def test_webhooks_list_names_the_events_of_each(both: Commands, opened: Opener) -> None:
    first, second = both.add()["installation_id"], both.add()["installation_id"]
    storage = opened()
    paid = paid_order(storage, first)
    again = arrive(storage, first, "order.updated", sample(storage, "order_updated_meta_change"))
    odd = arrive(storage, second, "order.updated", b"not json")
    waiting = arrive(storage, second, "order.updated", sample(storage), process=False)
    listed = both("webhooks", "list", "--json").document
    assert [one["webhook_id"] for one in listed] == [str(paid), str(again), str(odd), str(waiting)]
    assert [one["state"] for one in listed][2:] == ["unreadable", "received"]
    assert listed[2]["reason"]
    assert set(listed[0]) == {
        "webhook_id", "installation_id", "topic", "received_at", "state", "reason", "event_ids",
    }  # fmt: skip
    events = {
        e["event_id"]: e["webhook_id"] for e in both("events", "list", "--installation", first, "--json").document
    }
    assert listed[0]["event_ids"] == [e for e, webhook in events.items() if webhook == str(paid)]
    assert len(listed[0]["event_ids"]) == 1
    assert [len(one["event_ids"]) for one in listed[2:]] == [0, 0]
    mine = both("webhooks", "list", "--installation", second, "--json", "--limit", "1").document
    assert [one["webhook_id"] for one in mine] == [str(odd)]


def test_webhooks_show_masks_who_bought(both: Commands, opened: Opener) -> None:
    added = both.add()["installation_id"]
    webhook_id = paid_order(opened(), added)
    answer = both("webhooks", "show", str(webhook_id), "--json")
    document = answer.document
    assert EMAIL not in answer.out
    assert json.loads(document["body"])["total"] == "20.71"
    assert document["size"] > 1000
    assert document["headers"] == {"content-type": "application/json"}
    assert [event["state"] for event in document["events"]] == ["pending"]
    assert document["event_ids"] == [event["event_id"] for event in document["events"]]
    assert document["attempts"] == []
    for_people = both("webhooks", "show", str(webhook_id))
    assert EMAIL not in for_people.out
    assert "CompletePayment" in for_people.out


@pytest.mark.parametrize("webhook_id", ["12", "abc", "-", "9" * 30, "１２"])
def test_an_unknown_webhook_is_refused(cli: Commands, webhook_id: str) -> None:
    assert "webhooks list" in cli("webhooks", "show", "--", webhook_id).refused()


def test_control_characters_of_a_store_do_not_reach_the_terminal(cli: Commands, opened: Opener) -> None:
    added = cli.add()["installation_id"]
    arrive(opened(), added, "order.\x1b[31mred", b"{}")
    answer = cli("webhooks", "list")
    assert "red" in answer.out
    assert "\x1b" not in answer.out
