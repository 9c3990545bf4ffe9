"""What the overview tells, and what the owner answers."""

import json
import time
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import insert, select

from connector.demo.store_stand_in import StandInStore
from connector.intake.processing import Processor
from connector.operations.backfill import run_waiting
from connector.pages.translating import LANGUAGES
from connector.storage.arrivals import Arrival, ArrivalWriter, digest_of
from connector.storage.notices import open_notices, raise_notice
from connector.storage.tables import AttemptEvent, DeliveryAttempt, Event
from connector.storage.tables_reconcile import ReconcileRun
from tests.install.conftest import Running
from tests.install.test_owner_pages import PIXEL, installation, paste, settings_fields
from tests.install.walking import post, signed_in
from tests.road.road import events, order_body, process

COPY = "staging.shop.example"


@pytest.fixture
def browser(connector: Running, store: StandInStore) -> httpx.Client:
    made = signed_in(connector, store)
    paste(made)
    return made


def arrive(connector: Running, number: int, host: str = COPY) -> None:
    storage, owner = connector.services.storage, installation(connector).id
    stamp = {"consent": "granted", "consent_at": "2026-11-22T08:00:00Z"}
    body = order_body(number, stamp=stamp)
    writer = ArrivalWriter(storage.database)
    writer.write(
        [
            Arrival(
                id=storage.new_id(),
                installation_id=owner,
                topic="order.updated",
                received_at=storage.now(),
                digest=digest_of(owner, "order.updated", body),
                headers=json.dumps({"x-wc-webhook-source": f"https://{host}/"}),
                body=body,
            )
        ]
    )
    writer.close()


def outcomes(connector: Running) -> dict[str, tuple[str, str]]:
    return {row.order_id: (row.state, row.reason) for row in events(connector.services.storage)}


def notices(connector: Running) -> set[str]:
    with connector.services.storage.database.read() as connection:
        return {one.kind for one in open_notices(connection, installation(connector).id)}


def tell(connector: Running, kind: str, details: str = "") -> None:
    services = connector.services
    with services.storage.database.write() as connection:
        raise_notice(
            connection,
            row_id=services.storage.new_id(),
            installation_id=installation(connector).id,
            kind=kind,
            details=details,
            now=services.now(),
        )


def answer(browser: httpx.Client, kind: str, word: str, host: str = COPY) -> httpx.Response:
    return post(browser, "/owner", "/owner/notices", kind=kind, answer=word, host=host)


@pytest.mark.parametrize(
    ("word", "outcome"), [("copy", ("filtered", "other_address")), ("same_shop", ("pending", ""))]
)
def test_the_owner_says_what_another_address_is_and_the_next_order_follows(
    connector: Running, browser: httpx.Client, word: str, outcome: tuple[str, str]
) -> None:
    storage, processor = connector.services.storage, Processor(connector.services.storage, 30.0)
    arrive(connector, 7)
    process(storage, processor)
    assert outcomes(connector)["7"] == ("pending", "")
    assert COPY in browser.get("/owner").text

    done = answer(browser, "other_address", word)

    assert done.headers["location"] == f"/owner?done={word}"
    assert notices(connector) == set()
    time.sleep(1.5)  # a running processor reads settings anew each second
    arrive(connector, 8)
    process(storage, processor)
    assert outcomes(connector)["8"] == outcome
    assert notices(connector) == set()  # it is not asked again


def test_an_answer_can_be_taken_back_in_the_settings(connector: Running, browser: httpx.Client) -> None:
    tell(connector, "other_address", COPY)
    answer(browser, "other_address", "copy")
    assert f'value="{COPY}"' in browser.get("/owner/settings").text

    changes = {"own_addresses": f"https://www.{COPY}/, other.example", "copy_addresses": ""}
    post(browser, "/owner/settings", "/owner/settings", **settings_fields(**changes))  # type: ignore[arg-type]

    settings = installation(connector).settings
    assert (settings.copy_addresses, settings.own_addresses) == ((), (COPY, "other.example"))
    assert not settings.leaves_out(COPY)


def test_a_third_address_that_came_meanwhile_stays_told(connector: Running, browser: httpx.Client) -> None:
    tell(connector, "other_address", "third.example")

    answer(browser, "other_address", "copy")

    assert notices(connector) == {"other_address"}
    assert installation(connector).settings.copy_addresses == (COPY,)


@pytest.mark.parametrize("host", ["", "a b", "/b", "x" * 300])
def test_what_is_no_address_changes_nothing(connector: Running, browser: httpx.Client, host: str) -> None:
    tell(connector, "other_address", COPY)

    answer(browser, "other_address", "copy", host)

    assert installation(connector).settings.copy_addresses == ()
    assert notices(connector) == {"other_address"}


def test_a_notice_that_was_read_goes_and_one_whose_cause_stands_stays(
    connector: Running, browser: httpx.Client
) -> None:
    tell(connector, "webhooks_mended", "order.created")
    tell(connector, "receiver_unhealthy", "order.created")

    answer(browser, "webhooks_mended", "seen")
    answer(browser, "receiver_unhealthy", "seen")
    answer(browser, "nonsense", "seen")

    assert notices(connector) == {"receiver_unhealthy"}


def test_the_same_pixel_twice_is_worse_than_another_one(connector: Running, browser: httpx.Client) -> None:
    tell(connector, "pixel_conflict", "TikTok pixel CANOTHER000000000001")
    assert "may fire a TikTok pixel" in browser.get("/owner").text

    tell(connector, "pixel_conflict", f"TikTok pixel {PIXEL}")
    assert "Your pixel is fired twice" in browser.get("/owner").text


KINDS = (
    "store_keys_lost",
    "webhooks_mended",
    "receiver_unhealthy",
    "foreign_return",
    "other_address",
    "store_access_lost",
    "orders_fetched",
    "credential_unreadable",
    "pixel_conflict",
    "script_missing",
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_notice_has_words(connector: Running, browser: httpx.Client, language: str) -> None:
    for kind in KINDS:
        tell(connector, kind, "4")

    page = browser.get("/owner", params={"lang": language}).text

    assert not [kind for kind in KINDS if kind in page.replace(f'value="{kind}"', "")]


def test_sums_are_written_as_the_language_writes_them(connector: Running, browser: httpx.Client) -> None:
    arrive(connector, 7, host="")
    process(connector.services.storage)
    with connector.services.storage.database.write() as connection:
        connection.exec_driver_sql("UPDATE event SET state = 'delivered', value = '1234.5', currency = 'EUR'")
        (event,) = connection.execute(select(Event.id, Event.installation_id)).all()  # type: ignore[call-overload]
        attempt = {"id": event.id, "installation_id": event.installation_id, "result": "accepted", "event_count": 1}
        connection.execute(insert(DeliveryAttempt), {**attempt, "started_at": connector.services.now()})
        connection.execute(insert(AttemptEvent), {"event_row_id": event.id, "attempt_id": event.id})

    assert "1.234,50" in browser.get("/owner?lang=de").text
    assert "1,234.50" in browser.get("/owner?lang=en").text


# Comparing with the store's orders


def compare(connector: Running, browser: httpx.Client) -> str:
    """Press the button, let the periodic task work, read the page."""
    assert post(browser, "/owner", "/owner/compare").headers["location"].startswith("/owner?done=comparing")
    services = connector.services
    run_waiting(services.storage, services.calls, lambda _: None, lambda: True)
    return browser.get("/owner").text


def test_the_overview_says_what_the_store_sold_what_tiktok_took_and_why_the_rest_is_missing(
    connector: Running, store: StandInStore, browser: httpx.Client
) -> None:
    store.webhooks.clear()  # so that nothing arrives
    lost = store.place_order()
    page = compare(connector, browser)

    assert "Your store has 1 paid order; TikTok accepted 0." in page
    assert f"Order {lost}:" in page
    assert "it never arrived; it was fetched and is on its way." in page
    assert "Changes of orders that never arrived: 1." in page


def test_what_was_accepted_since_is_missing_no_more(
    connector: Running, store: StandInStore, browser: httpx.Client
) -> None:
    store.webhooks.clear()
    store.place_order()
    compare(connector, browser)
    process(connector.services.storage)
    assert "the visitor&#39;s consent is missing." in browser.get("/owner").text
    with connector.services.storage.database.write() as connection:
        connection.exec_driver_sql("UPDATE event SET state = 'delivered'")

    page = browser.get("/owner").text

    assert "Your store has 1 paid order; TikTok accepted 1." in page
    assert "Nothing is missing." in page


def test_one_press_asks_once_and_reaches_back_seven_days(connector: Running, browser: httpx.Client) -> None:
    for _ in range(3):
        post(browser, "/owner", "/owner/compare")

    with connector.services.storage.database.read() as connection:
        (run,) = connection.execute(ReconcileRun.__table__.select()).all()  # type: ignore[attr-defined]
    assert (run.state, run.reason) == ("asked", "asked")
    assert abs(connector.clock() - timedelta(days=7) - run.since) < timedelta(minutes=1)
    assert "being compared" in browser.get("/owner").text


def test_a_comparison_that_failed_says_so(connector: Running, store: StandInStore, browser: httpx.Client) -> None:
    store.keys.clear()

    assert "the store refused our key" in compare(connector, browser)
