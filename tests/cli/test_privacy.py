import json
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from connector.core.states import Lane
from connector.storage.arrivals import Arrival, digest_of
from connector.storage.opening import Storage
from connector.storage.queue import event_queue
from connector.storage.spool import Spool
from connector.storage.tables import AttemptEvent, DeliveryAttempt, Event, SearchTerm, Webhook
from tests.cli.conftest import Answer, Commands, Opener
from tests.cli.road import EMAIL, arrive, paid_order, sample

_event = Event.__table__  # type: ignore[attr-defined]
_webhook = Webhook.__table__  # type: ignore[attr-defined]


def states(cli: Commands, installation_id: str) -> list[tuple[str, str]]:
    listed = cli("events", "list", "--installation", installation_id, "--json").document
    return [(event["state"], event["reason"]) for event in listed]


def person(cli: Commands, command: str, installation_id: str, email: str = EMAIL) -> Answer:
    return cli(command, "--installation", installation_id, "--email-stdin", "--json", stdin=f"{email}\n")


def somebody_else(storage: Storage, **changes: object) -> dict[str, object]:
    order = json.loads(sample(storage))
    billing = order["billing"] | {"email": "other@example.com"}
    return {"billing": billing, **changes}


def test_export_holds_everything_of_one_person_only(both: Commands, opened: Opener) -> None:
    added, elsewhere = both.add()["installation_id"], both.add()["installation_id"]
    storage = opened()
    mine = paid_order(storage, added)
    trash = arrive(storage, added, "order.deleted", b'{"id":40}')
    paid_order(storage, added, **somebody_else(storage, id=41, order_key="wc_order_else"))
    paid_order(storage, added, **somebody_else(storage, order_key="wc_order_after_reset"))
    paid_order(storage, elsewhere)
    document = person(both, "export-person", added, f"  {EMAIL.upper()} ").document
    assert [one["webhook_id"] for one in document["webhooks"]] == [str(mine), str(trash)]
    assert json.loads(document["webhooks"][0]["body"])["billing"]["email"] == EMAIL
    assert [event["order_id"] for event in document["events"]] == ["40"]
    assert "other@example.com" not in json.dumps(document)
    assert person(both, "export-person", added, "nobody@example.com").document["webhooks"] == []


def test_erase_leaves_the_sale_and_nothing_of_the_person(both: Commands, opened: Opener) -> None:
    added = both.add()["installation_id"]
    storage = opened()
    paid_order(storage, added)
    paid_order(storage, added, **somebody_else(storage, id=41, order_key="wc_order_else"))
    with storage.database.write() as connection:
        sent = {"state": "delivered", "delivered_at": storage.now()}
        connection.execute(update(_event).where(_event.c.order_id == "40").values(**sent))
        event_queue.withdraw(connection, list(connection.execute(select(_event.c.id)).scalars()), storage.now())
    answer = person(both, "erase-person", added).document
    assert (answer["webhooks_erased"], answer["events_erased"], answer["events_withdrawn"]) == (1, 1, 0)
    assert [event["event"] for event in answer["tiktok_has"]] == ["CompletePayment"]
    with storage.database.read() as connection:
        row = connection.execute(select(_event).where(_event.c.order_id == "40")).one()
        assert (row.payload, row.match_keys, row.visitor_subject, row.order_subject) == (None, "", None, None)
        assert (row.state, row.reason, str(row.value)) == ("delivered", "erased", "20.71")
        kept = connection.execute(select(_webhook.c.body, _webhook.c.body_encoding).order_by(_webhook.c.id)).all()
        assert (bytes(kept[0].body), kept[0].body_encoding) == (b"", "expired")
        assert kept[1].body_encoding != "expired"
        found = connection.execute(select(SearchTerm.webhook_id)).scalars()
        assert row.webhook_id not in set(found)
    assert person(both, "erase-person", added).document["webhooks_erased"] == 0
    assert person(both, "export-person", added, "other@example.com").document["events"]


@pytest.mark.parametrize(("code", "named"), [(None, [False]), (40002, [])])
def test_a_call_without_an_answer_may_have_arrived(
    both: Commands, opened: Opener, code: int | None, named: list[bool]
) -> None:
    added = both.add()["installation_id"]
    storage = opened()
    paid_order(storage, added)
    with storage.database.write() as connection:
        (event_id,) = connection.execute(select(_event.c.id)).scalars()
        connection.execute(update(_event).values(attempts=1))
        call = {"id": 7, "installation_id": added, "started_at": storage.now(), "duration_ms": 1, "event_count": 1}
        texts = dict.fromkeys(("pixel_code", "message", "request_id", "result", "reason"), "")
        connection.execute(insert(DeliveryAttempt), call | texts | {"is_test": False, "code": code})
        connection.execute(insert(AttemptEvent), {"event_row_id": event_id, "attempt_id": 7})
    answer = person(both, "erase-person", added).document
    assert (answer["events_withdrawn"], [event["answered"] for event in answer["tiktok_has"]]) == (1, named)


def test_what_has_not_left_is_withdrawn_and_never_comes_back(both: Commands, opened: Opener) -> None:
    added = both.add()["installation_id"]
    storage = opened()
    paid_order(storage, added)
    assert person(both, "erase-person", added).document["events_withdrawn"] == 1
    assert states(both, added) == [("withdrawn", "erased")]
    paid_order(storage, added, date_modified_gmt="2099-01-01T00:00:00", status="completed")
    assert states(both, added) == [("withdrawn", "erased")]
    assert both("replay", "--installation", added, "--json").document["replayed"] == 0


def test_held_events_are_withdrawn_too(cli: Commands, opened: Opener) -> None:
    added = cli.add()["installation_id"]
    storage = opened()
    paid_order(storage, added)
    with storage.database.write() as connection:
        connection.execute(update(_event).values(state="held"))
        event_queue.withdraw(connection, list(connection.execute(select(_event.c.id)).scalars()), storage.now())
    assert person(cli, "erase-person", added).document["events_withdrawn"] == 1
    assert states(cli, added) == [("withdrawn", "erased")]


def test_nothing_is_erased_while_an_event_is_being_sent(
    cli: Commands, opened: Opener, environment: pytest.MonkeyPatch
) -> None:
    added = cli.add()["installation_id"]
    storage = opened()
    paid_order(storage, added)
    now = storage.now()
    lease = {"now": now, "lease_until": now.replace(year=now.year + 1), "token": 7, "limit": 10}
    with storage.database.write() as connection:
        assert event_queue.claim(connection, added, Lane.FRESH, **lease)
    environment.setattr("connector.cli.privacy.time.sleep", lambda _seconds: None)
    answer = person(cli, "erase-person", added)
    assert (answer.code, answer.out) == (1, "")
    assert "try again" in answer.one_line()
    assert len(person(cli, "export-person", added).document["webhooks"]) == 1


def test_webhooks_that_wait_and_name_nobody_are_mentioned(cli: Commands, opened: Opener) -> None:
    added = cli.add()["installation_id"]
    arrive(opened(), added, "order.deleted", b'{"id":40}', process=False)
    answer = person(cli, "erase-person", added)
    assert answer.document["unprocessed_webhooks"] == 1
    assert "repeat this later" in answer.err


def test_a_webhook_that_waits_is_given_out_and_erased(both: Commands, opened: Opener) -> None:
    added = both.add()["installation_id"]
    storage = opened()
    mine = arrive(storage, added, "order.updated", sample(storage), process=False)
    other = json.dumps(json.loads(sample(storage)) | somebody_else(storage, id=41, order_key="wc_else")).encode()
    arrive(storage, added, "order.updated", other, process=False)
    assert [one["webhook_id"] for one in person(both, "export-person", added).document["webhooks"]] == [str(mine)]

    answer = person(both, "erase-person", added).document

    assert (answer["webhooks_erased"], answer["unprocessed_webhooks"]) == (1, 1)
    assert person(both, "export-person", added).document["webhooks"] == []
    with storage.database.read() as connection:
        row = connection.execute(select(_webhook).where(_webhook.c.id == mine)).one()
    assert (bytes(row.body), row.body_encoding, row.state, row.reason) == (b"", "expired", "ignored", "erased")
    paid_order(storage, added, date_modified_gmt="2099-01-01T00:00:00")  # processes the other one too
    listed = both("events", "list", "--installation", added, "--json").document
    assert [event["order_id"] for event in listed] == ["41"], "an erased order never makes a purchase"


def test_a_webhook_in_the_spool_is_erased(cli: Commands, opened: Opener, tmp_path: Path) -> None:
    added = cli.add()["installation_id"]
    storage = opened()
    body = sample(storage)
    spool = Spool(tmp_path / "data" / "spool")
    digest = digest_of(added, "order.updated", body)
    spool.append([Arrival(storage.new_id(), added, "order.updated", storage.now(), digest, "{}", body)])
    spool.close()

    answer = person(cli, "erase-person", added).document

    assert answer["webhooks_erased"] == 1
    opened.close()
    assert not any(EMAIL.encode() in file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file())
    assert "damaged" not in person(cli, "erase-person", added).err
    (tmp_path / "data" / "spool" / "1-2-3.damaged").write_bytes(body)
    assert "1 damaged spool files" in person(cli, "erase-person", added).err


def test_nothing_is_said_to_be_erased_while_a_running_server_has_spooled(
    cli: Commands, opened: Opener, tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    added = cli.add()["installation_id"]
    storage = opened()
    spool = Spool(tmp_path / "data" / "spool")
    body = sample(storage)
    digest = digest_of(added, "order.updated", body)
    spool.append([Arrival(storage.new_id(), added, "order.updated", storage.now(), digest, "{}", body)])
    environment.setattr("connector.cli.privacy._SPOOL_PATIENCE", 0.3)
    answer = person(cli, "erase-person", added)
    spool.close()
    assert (answer.code, answer.out) == (1, "")
    assert "spool" in answer.one_line()


def test_an_erased_person_is_in_no_file_of_sqlite(cli: Commands, opened: Opener, tmp_path: Path) -> None:
    added = cli.add()["installation_id"]
    storage = opened()
    arrive(storage, added, "order.updated", sample(storage), process=False)
    opened.close()
    assert any(EMAIL.encode() in file.read_bytes() for file in (tmp_path / "data").iterdir())
    storage = opened()
    arrive(storage, added, "product.created", b"{}")
    opened.close()
    person(cli, "erase-person", added)
    assert not any(EMAIL.encode() in file.read_bytes() for file in (tmp_path / "data").iterdir())


@pytest.mark.parametrize("command", ["export-person", "erase-person"])
def test_no_address_no_answer(cli: Commands, command: str) -> None:
    added = cli.add()["installation_id"]
    assert "no e-mail address" in person(cli, command, added, "not an address").refused()
    assert "ends before" in cli(command, "--installation", added, "--email-stdin").refused()


def of_order(cli: Commands, command: str, installation_id: str, number: str) -> Answer:
    return cli(command, "--installation", installation_id, "--order", number, "--json")


def test_a_person_is_named_by_an_order_too(both: Commands, opened: Opener) -> None:
    """By one order all of the buyer is found, by its id or its number, and nobody else."""
    added = both.add()["installation_id"]
    storage = opened()
    paid_order(storage, added, number="R-40")
    paid_order(storage, added, id=42, number="R-42", order_key="wc_order_second")
    paid_order(storage, added, **somebody_else(storage, id=41, number="R-41", order_key="wc_order_else"))
    for asked in ("40", "R-42", "#r-40"):
        document = of_order(both, "export-person", added, asked).document
        assert [event["order_id"] for event in document["events"]] == ["40", "42"]
    answer = of_order(both, "erase-person", added, "R-42").document
    assert (answer["webhooks_erased"], answer["events_withdrawn"]) == (2, 2)
    assert of_order(both, "export-person", added, "41").document["events"][0]["state"] == "pending"


def test_an_order_without_an_address_is_erased_alone(both: Commands, opened: Opener) -> None:
    added = both.add()["installation_id"]
    storage = opened()
    nameless = json.loads(sample(storage))["billing"] | {"email": ""}
    paid_order(storage, added, billing=nameless)
    paid_order(storage, added, id=42, number="42", order_key="wc_order_second")
    assert of_order(both, "erase-person", added, "40").document["events_withdrawn"] == 1
    assert states(both, added) == [("withdrawn", "erased"), ("pending", "")]


def test_a_waiting_order_is_found_by_its_number(both: Commands, opened: Opener) -> None:
    added = both.add()["installation_id"]
    storage = opened()
    arrive(storage, added, "order.updated", sample(storage, number="R-40"), process=False)
    assert of_order(both, "erase-person", added, "R-40").document["webhooks_erased"] == 1
    assert both("webhooks", "list", "--json").document[0]["reason"] == "erased"


def test_a_number_of_several_people_is_not_guessed_at(both: Commands, opened: Opener) -> None:
    added = both.add()["installation_id"]
    storage = opened()
    paid_order(storage, added)
    paid_order(storage, added, **somebody_else(storage, order_key="wc_order_after_reset"))
    answer = both("erase-person", "--installation", added, "--order", "40")
    assert "--email-stdin" in answer.refused()
    assert "--order" in both("export-person", "--installation", added).refused()
    assert of_order(both, "export-person", added, "99").document["webhooks"] == []
