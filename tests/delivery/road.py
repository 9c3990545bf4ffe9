"""Puts events into a database as the processing of webhooks would, and reads back what became of them."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select, update

from connector.core.conversion_events import Content, ConversionEvent, HashedEmail, UserData
from connector.core.installation_settings import InstallationSettings
from connector.core.states import Lane
from connector.delivery.worker import DeliveryOptions, DeliveryWorker
from connector.demo.tiktok_stand_in import StandInTikTok
from connector.outbound import Outbound
from connector.storage.installations import InstallationRecord, add_credential, insert_installation
from connector.storage.opening import Storage
from connector.storage.queue import NewWork, event_queue
from connector.storage.tables import AttemptEvent, ConsentRecord, DeliveryAttempt, Event, EventWork, Notice
from connector.tiktok.payload import event_bytes

PIXEL = "CTESTPIXEL0000000001"
TOKEN = "a-token-of-the-tests"
EMAIL = HashedEmail("8" * 64)


class Road:
    """One storage with installations and events."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def installation(self, name: str = "store-1", *, pixel: str = PIXEL, token: str | None = TOKEN) -> str:
        now = self.storage.now()
        record = InstallationRecord(
            id=name,
            public_id=f"public-{name}",
            platform="woocommerce",
            store_url="https://shop.example",
            store_name="",
            state="active",
            access="ok",
            access_reason="",
            pixel_code=pixel,
            currency="EUR",
            settings=InstallationSettings(),
            created_at=now,
            updated_at=now,
        )
        with self.storage.database.write() as connection:
            insert_installation(connection, record)
            if token is not None:
                self._token(connection, name, token)
        return name

    def _token(self, connection: Any, name: str, token: str) -> None:
        add_credential(
            connection,
            self.storage.keys,
            row_id=self.storage.new_id(),
            installation_id=name,
            kind="access_token",
            text=token,
            now=self.storage.now(),
        )

    def give_token(self, name: str, token: str) -> None:
        with self.storage.database.write() as connection:
            self._token(connection, name, token)

    def events(
        self, count: int, installation: str = "store-1", *, lane: Lane = Lane.FRESH, **values: Any
    ) -> list[str]:
        """Pending events with their work; returns their event ids."""
        now = self.storage.now()
        ids = self.storage.new_ids(count)
        rows = [self._row(row_id, installation, now, values) for row_id in ids]
        work = [NewWork(row_id, installation, now, lane) for row_id in ids]
        with self.storage.database.write() as connection:
            connection.execute(insert(Event.__table__), rows)
            event_queue.add(connection, work)
        return [row["event_id"] for row in rows]

    def _row(self, row_id: int, installation: str, now: datetime, values: dict[str, Any]) -> dict[str, Any]:
        pixel = values.get("pixel_code", PIXEL)
        row = {
            "id": row_id,
            "installation_id": installation,
            "webhook_id": 1,
            "event_id": f"event-{row_id}",
            "name": "CompletePayment",
            "state": "pending",
            "reason": "",
            "event_time": now,
            "pixel_code": pixel,
            "test_event_code": None,
            "consent": "consent_granted",
            "consent_policy": "required",
            "country": "DE",
            "visitor_subject": None,
            "order_subject": None,
            "browser_copy": False,
            "attempts": 0,
            "match_keys": "email",
            "warnings": "",
            "created_at": now,
            "updated_at": now,
            **values,
        }
        event = ConversionEvent(
            name=row["name"],
            event_id=row["event_id"],
            event_time=row["event_time"],
            pixel_code=pixel,
            page_url="https://shop.example/",
            user=UserData(email=EMAIL),
            value=Decimal("19.90"),
            currency="EUR",
            contents=(Content("SKU-1", price=Decimal("19.90")),),
        )
        return {**row, "payload": event_bytes(event)}

    def replay(self, event_id: str) -> None:
        """As the replay of an event that TikTok has."""
        now, row = self.storage.now(), self.event(event_id)
        with self.storage.database.write() as connection:
            again = {"state": "pending", "reason": "replayed", "next_attempt_at": now}
            connection.execute(update(Event.__table__).where(Event.__table__.c.id == row.id).values(again))
            event_queue.add(connection, [NewWork(row.id, row.installation_id, now, Lane.REPLAY)])

    def consent(self, subject: bytes, status: str, *, after: timedelta = timedelta(0), signal: bool = False) -> None:
        now = self.storage.now()
        row = {
            "id": self.storage.new_id(),
            "installation_id": "store-1",
            "subject": subject,
            "status": status,
            "source": "test",
            "global_privacy_control": signal,
            "stated_at": now + after,
            "recorded_at": now,
            "webhook_id": 1,
        }
        with self.storage.database.write() as connection:
            connection.execute(insert(ConsentRecord.__table__), row)

    def rows(self, table: Any) -> list[Any]:
        with self.storage.database.read() as connection:
            return list(connection.execute(select(table.__table__)).all())

    def event(self, event_id: str) -> Any:
        return next(row for row in self.rows(Event) if row.event_id == event_id)

    def states(self) -> dict[str, int]:
        """How many events are in each state, with its reason."""
        counts: dict[str, int] = {}
        for row in self.rows(Event):
            word = f"{row.state} {row.reason}".strip()
            counts[word] = counts.get(word, 0) + 1
        return counts

    @property
    def attempts(self) -> list[Any]:
        return self.rows(DeliveryAttempt)

    @property
    def attempt_events(self) -> list[Any]:
        return self.rows(AttemptEvent)

    @property
    def work(self) -> list[Any]:
        return self.rows(EventWork)

    @property
    def notices(self) -> list[Any]:
        return self.rows(Notice)


def options(tiktok: StandInTikTok, **values: Any) -> DeliveryOptions:
    defaults: dict[str, Any] = {"api_url": tiktok.url, "interval": 0.02, "retry_base": 1.0, "timeout_seconds": 5.0}
    return DeliveryOptions(**{**defaults, **values})


def rounds(storage: Storage, tiktok: StandInTikTok, count: int = 1, **values: Any) -> list[int]:
    """Run that many rounds of one worker; how many events each sent."""

    async def go() -> list[int]:
        async with Outbound() as outbound:
            worker = DeliveryWorker(storage, outbound, options(tiktok, **values), random=lambda: 0.0)
            return [await worker.run_once() for _ in range(count)]

    return asyncio.run(go())


def accepted_ids(tiktok: StandInTikTok) -> list[str]:
    return sorted(one.event["event_id"] for one in tiktok.accepted)


def copies(tiktok: StandInTikTok) -> Iterable[int]:
    return [one.copies for one in tiktok.accepted]
