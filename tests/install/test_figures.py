"""The overview's numbers, counted from events of known days."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select

from connector.core.row_ids import id_at
from connector.install.owner.figures import figures
from connector.install.services import Services, TikTokApp, calls_at_once
from connector.install.uninstalling import erase_history
from connector.operations.rollups import run_rollup_step
from connector.storage.opening import Storage
from connector.storage.tables import (
    AttemptEvent,
    DeliveryAttempt,
    Event,
    OrderLedger,
    SearchTerm,
    Webhook,
    WebhookKey,
)
from tests.install.conftest import Clock

MINE, OTHERS = "installation-1", "installation-2"


class History:
    """Writes events as if they had happened then."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self.storage, self.clock, self.count = storage, clock, 0

    def event(self, days_ago: int, name: str, state: str = "delivered", **values: object) -> int:
        self.count += 1
        moment = self.clock().replace(hour=12) - timedelta(days=days_ago)
        row = {
            "id": id_at(int(moment.timestamp() * 1000)) + self.count,
            "installation_id": MINE,
            "webhook_id": 1,
            "event_id": f"e{self.count}",
            "name": name,
            "state": state,
            "event_time": moment,
            "created_at": moment,
            "updated_at": moment,
            **values,
        }
        with self.storage.database.write() as connection:
            connection.execute(insert(Event), row)
            if state == "delivered":
                self._attempt(connection, row)
        return int(row["id"])  # type: ignore[call-overload]

    def _attempt(self, connection: Connection, row: dict[str, Any]) -> None:
        values = {"id": row["id"], "installation_id": row["installation_id"], "started_at": row["event_time"]}
        connection.execute(insert(DeliveryAttempt), {**values, "result": "accepted", "event_count": 1})
        connection.execute(insert(AttemptEvent), {"event_row_id": row["id"], "attempt_id": row["id"]})

    def webhook(self, digest: bytes, installation_id: str = MINE) -> int:
        row_id, now = self.storage.new_id(), self.clock()
        row = {"id": row_id, "installation_id": installation_id, "topic": "t", "received_at": now, "digest": digest}
        with self.storage.database.write() as connection:
            connection.execute(insert(Webhook), row)
            connection.execute(insert(WebhookKey), {"digest": digest, "webhook_id": row_id})
            connection.execute(insert(SearchTerm), {"term": digest, "webhook_id": row_id})
        return row_id


@pytest.fixture(params=["from their rows", "from hourly counts", "from both"])
def counting(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def history(storage: Storage, clock: Clock) -> History:
    return History(storage, clock)


def count(storage: Storage, counting: str, now: datetime) -> None:
    """What the periodic task has counted by now: nothing, everything, or all but today's."""
    lags = {"from hourly counts": timedelta(days=-1), "from both": timedelta(hours=now.hour + 2)}
    while counting in lags and run_rollup_step(storage, lags[counting], lags[counting]):
        pass


def found(storage: Storage, now: datetime, days: int = 7):  # type: ignore[no-untyped-def]
    with storage.database.read() as connection:
        return figures(connection, MINE, now, days)


def test_accepted_events_are_counted_on_their_days(
    storage: Storage, clock: Clock, history: History, counting: str
) -> None:
    history.event(0, "ViewContent")
    history.event(2, "ViewContent")
    history.event(2, "ViewContent")
    history.event(2, "AddToCart")
    history.event(2, "ViewContent", "withheld")
    history.event(2, "ViewContent", installation_id=OTHERS)
    history.event(30, "ViewContent")

    count(storage, counting, clock())
    numbers = found(storage, clock())

    assert len(numbers.days) == 7
    assert numbers.days[-1].date == clock().date()
    assert numbers.days[-3].counts == {"ViewContent": 2, "AddToCart": 1}
    assert (numbers.accepted, numbers.states["withheld"]) == (4, 1)
    assert numbers.names == ("ViewContent", "AddToCart")


def test_values_are_summed_per_currency_and_of_purchases_only(
    storage: Storage, clock: Clock, history: History, counting: str
) -> None:
    for name, value, currency in (
        ("CompletePayment", "90.40", "EUR"),
        ("Purchase", "9.60", "EUR"),
        ("CompletePayment", "1500", "JPY"),
        ("AddToCart", "77", "EUR"),
        ("CompletePayment", None, None),
    ):
        history.event(1, name, value=None if value is None else Decimal(value), currency=currency)

    count(storage, counting, clock())
    numbers = found(storage, clock())

    assert numbers.purchases == 4
    assert numbers.currencies == ("EUR", "JPY")
    assert (numbers.total("EUR"), numbers.total("JPY")) == (pytest.approx(100.0), 1500.0)


def test_match_keys_are_shares_of_the_accepted(
    storage: Storage, clock: Clock, history: History, counting: str
) -> None:
    history.event(0, "ViewContent", match_keys="ip,user_agent")
    history.event(0, "ViewContent", match_keys="email,ip,user_agent,ttp")
    history.event(0, "ViewContent", "withheld", match_keys="")

    count(storage, counting, clock())
    shares = {one.key: one.percent for one in found(storage, clock()).match}

    assert shares == {"email": 50, "phone": 0, "external_id": 0, "ttclid": 0, "ttp": 50, "ip": 100, "user_agent": 100}


def test_what_did_not_arrive_is_grouped_by_reason(storage: Storage, clock: Clock, history: History) -> None:
    for _ in range(3):
        history.event(1, "ViewContent", "rejected", reason="invalid_currency")
    history.event(0, "CompletePayment", "held", reason="merge_window_over")
    history.event(0, "ViewContent", "pending")

    problems = found(storage, clock()).problems

    assert [(one.state, one.reason, one.count) for one in problems] == [
        ("held", "merge_window_over", 1),
        ("rejected", "invalid_currency", 3),
    ]


def test_a_store_without_any_event_has_numbers_too(storage: Storage, clock: Clock) -> None:
    numbers = found(storage, clock())

    assert (numbers.accepted, numbers.purchases, numbers.match, numbers.last_webhook_at) == (0, 0, (), None)


def test_erasing_takes_this_stores_history_and_leaves_the_ledger(
    storage: Storage, clock: Clock, history: History
) -> None:
    history.event(0, "CompletePayment")
    history.webhook(b"mine")
    kept = history.webhook(b"theirs", OTHERS)
    with storage.database.write() as connection:
        ledger = {"digest": b"d", "installation_id": MINE, "order_id": "1", "status": "completed"}
        connection.execute(insert(OrderLedger), ledger)
    services = Services(storage, calls_at_once(), "https://c.example", TikTokApp("", ""))

    erase_history(services, MINE)

    with storage.database.read() as connection:
        left = {
            table.__tablename__: connection.execute(select(func.count()).select_from(table)).scalar()
            for table in (Event, AttemptEvent, Webhook, WebhookKey, SearchTerm, OrderLedger)
        }
        assert connection.execute(select(Webhook.id)).scalars().all() == [kept]  # type: ignore[call-overload]
    assert left == {
        "event": 0,
        "attempt_event": 0,
        "webhook": 1,
        "webhook_key": 1,
        "search_term": 1,
        "order_ledger": 1,
    }
