"""Writes rows as the road would have: one store, its orders at every stage."""

import base64
import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from connector.core.installation_settings import InstallationSettings
from connector.settings import Settings
from connector.storage.installations import InstallationRecord, insert_installation
from connector.storage.opening import Storage
from connector.storage.search import add_terms, search_terms
from connector.storage.tables import AttemptEvent, DeliveryAttempt, Event, EventWork, Webhook, WebhookKey

SAMPLES = Path(__file__).resolve().parents[2] / "webhook_samples" / "woocommerce"
KEY = "k" * 40
PASSWORD = "correct horse battery"
SUPPORT, ADMIN = "support@staff.example", "admin@staff.example"


def sample(name: str) -> tuple[str, bytes, dict[str, str]]:
    """Topic, body and headers of a recorded webhook."""
    request = json.loads((SAMPLES / f"{name}.json").read_text())["request"]
    headers = {key.lower(): value for key, value in request["headers"].items()}
    return headers.get("x-wc-webhook-topic", ""), base64.b64decode(request["body_base64"]), headers


class World:
    """Writes rows as the road would have."""

    def __init__(self, storage: Storage, settings: Settings) -> None:
        self.storage = storage
        self.settings = settings
        self.installation = "inst1"

    def add_installation(self, installation_id: str = "inst1", **values: Any) -> InstallationRecord:
        now = self.storage.now()
        record = InstallationRecord(
            id=installation_id, public_id=f"pub-{installation_id}", platform="woocommerce",
            store_url="https://shop.example", store_name="Shop <b>One</b>", state="active", access="ok",
            access_reason="", pixel_code="C4SAMPLEPIXEL00000001", currency="EUR",
            settings=InstallationSettings(), created_at=now, updated_at=now,
        )  # fmt: skip
        record = replace(record, **values)
        with self.storage.database.write() as connection:
            insert_installation(connection, record)
        return record

    def add_webhook(self, topic: str, body: bytes, headers: dict[str, str] | None = None, **values: Any) -> int:
        row = {
            "id": self.storage.new_id(), "installation_id": self.installation, "topic": topic,
            "received_at": self.storage.now(), "digest": self.storage.new_id().to_bytes(16, "big"),
            "headers": json.dumps(headers or {}), "body": body, "body_encoding": "raw", "source": "store",
            "state": "processed", "reason": "", "order_id": None, "processed_at": self.storage.now(),
        } | values  # fmt: skip
        with self.storage.database.write() as connection:
            connection.execute(insert(Webhook.__table__), row)
            connection.execute(
                insert(WebhookKey.__table__), {"digest": row["digest"], "webhook_id": row["id"], "copies": 0}
            )
        return row["id"]

    def add_event(self, webhook_id: int, **values: Any) -> int:
        now = self.storage.now()
        row = {
            "id": self.storage.new_id(), "installation_id": self.installation, "webhook_id": webhook_id,
            "event_id": f"{self.storage.new_id():x}", "name": "CompletePayment", "state": "delivered",
            "reason": "", "value": None, "currency": None, "order_id": None, "event_time": now,
            "pixel_code": "C4SAMPLEPIXEL00000001", "test_event_code": None, "payload": b"{}",
            "match_keys": "email,ttclid", "warnings": "", "consent": "consent_granted",
            "consent_policy": "by_region", "country": "DE", "visitor_subject": None, "order_subject": None,
            "browser_copy": False, "attempts": 1, "next_attempt_at": None, "created_at": now, "updated_at": now,
            "delivered_at": None,
        } | values  # fmt: skip
        with self.storage.database.write() as connection:
            connection.execute(insert(Event.__table__), row)
        return row["id"]

    def add_attempt(self, event_ids: list[int], **values: Any) -> int:
        row = {
            "id": self.storage.new_id(), "installation_id": self.installation, "pixel_code": "C4",
            "started_at": self.storage.now(), "duration_ms": 84, "event_count": len(event_ids), "is_test": False,
            "http_status": 200, "code": 0, "message": "OK", "request_id": "req-123", "result": "accepted",
            "reason": "",
        } | values  # fmt: skip
        with self.storage.database.write() as connection:
            connection.execute(insert(DeliveryAttempt.__table__), row)
            rows = [{"event_row_id": one, "attempt_id": row["id"]} for one in event_ids]
            connection.execute(insert(AttemptEvent.__table__), rows)
        return row["id"]

    def add_work(self, event_id: int, run_at: datetime, lane: str = "retry") -> None:
        with self.storage.database.write() as connection:
            connection.execute(
                insert(EventWork.__table__),
                {"id": event_id, "installation_id": self.installation, "lane": lane, "run_at": run_at},
            )

    def add_terms(self, webhook_id: int, **facts: Any) -> None:
        terms = search_terms(self.storage.hash_key, self.installation, **facts)
        with self.storage.database.write() as connection:
            add_terms(connection, [(term, webhook_id) for term in terms])

    def add_order(
        self, order_id: str = "30", *, name: str = "order_stamped_consent_granted", **event: Any
    ) -> tuple[int, int]:
        """An order with its webhook, event and accepted attempt."""
        topic, body, headers = sample(name)
        at = event.get("created_at", self.storage.now())
        times = {"received_at": at - timedelta(seconds=2), "processed_at": at - timedelta(seconds=1)}
        webhook = self.add_webhook(topic, body, headers, order_id=order_id, **times)
        contents = [{"content_id": "MUG-1", "content_name": "Mug", "price": 12.5, "quantity": 2}]
        payload = {
            "event": "CompletePayment",
            "page": {"url": "https://shop.example/?ttclid=SECRETCLICK"},
            "properties": {"contents": contents},
        }
        row = self.add_event(
            webhook,
            **{
                "order_id": order_id,
                "value": Decimal("35.58"),
                "currency": "EUR",
                "delivered_at": self.storage.now(),
                "payload": json.dumps(payload).encode(),
                **event,
            },
        )
        return webhook, row
