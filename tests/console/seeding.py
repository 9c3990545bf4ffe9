"""A console's database with an order in every situation, for the browser and for the screenshots."""

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert

from connector.operations.rollups import EVERYBODY, LATENCY_BOUNDS
from connector.storage.notices import raise_notice
from connector.storage.tables import ConsentRecord, RefusedWebhook, WebhookKey
from connector.storage.tables_console import RollupHour
from tests.console.world import World, sample

__all__ = ["seed"]


def seed(world: World) -> dict[str, Any]:
    """Returns row ids by the name of the situation."""
    now = world.storage.now()
    ids: dict[str, Any] = {}
    subject = b"s" * 16
    ids["delivered"] = webhook, event = world.add_order(
        "30",
        created_at=now - timedelta(seconds=128),
        updated_at=now,
        event_time=now - timedelta(minutes=3),
        order_subject=subject,
        match_keys="email,phone,ttclid,ip,user_agent",
    )
    world.add_terms(
        webhook, email="carla.kundin@example.com", phone="+4915112345678", order_number="30", ttclid="E.C.P.abc"
    )
    with world.storage.database.write() as connection:
        connection.execute(
            WebhookKey.__table__.update()
            .where(WebhookKey.__table__.c.webhook_id == webhook)
            .values(copies=2, last_copy_at=now)
        )
        connection.execute(
            insert(ConsentRecord.__table__),
            {
                "id": world.storage.new_id(),
                "installation_id": "inst1",
                "subject": subject,
                "status": "granted",
                "source": "wp_consent_api",
                "global_privacy_control": False,
                "stated_at": now - timedelta(minutes=9),
                "recorded_at": now - timedelta(minutes=2),
                "webhook_id": webhook,
            },
        )
    world.add_attempt(
        [event],
        code=51004,
        message="Internal service timed out",
        result="retry",
        reason="server_timeout",
        started_at=now - timedelta(minutes=2),
        duration_ms=10012,
        request_id="req-20261122-a",
    )
    ids["attempt"] = world.add_attempt([event], started_at=now - timedelta(minutes=1), request_id="req-20261122-b")
    ids["withheld"] = world.add_order(
        "31",
        name="order_stamped_consent_unknown",
        state="withheld",
        reason="consent_unknown_required",
        payload=None,
        match_keys="",
        consent="consent_unknown_required",
        delivered_at=None,
        attempts=0,
    )
    ids["held"] = world.add_order(
        "32",
        state="held",
        reason="browser_copy_probable",
        browser_copy=True,
        delivered_at=None,
        event_time=now - timedelta(days=3),
    )
    ids["rejected"] = world.add_order("33", state="rejected", reason="invalid_parameter", delivered_at=None)
    world.add_attempt(
        [ids["rejected"][1]],
        code=40002,
        message="data.0.properties.value: must be a number",
        result="rejected",
        reason="invalid_parameter",
        request_id="req-20261122-c",
    )
    ids["pending"] = world.add_order("34", state="pending", reason="", delivered_at=None)
    world.add_attempt(
        [ids["pending"][1]], code=40100, message="Too many requests", result="throttled", reason="too_frequent"
    )
    world.add_work(ids["pending"][1], now + timedelta(minutes=4))
    topic, body, headers = sample("order_created_pending")
    ids["unpaid"] = world.add_webhook(
        topic, body, headers, order_id="35", state="ignored", reason="order_not_paid:pending"
    )
    ids["unreadable"] = world.add_webhook("order.created", b"<html>", headers, state="unreadable", reason="not_json")
    ids["older_delivered"] = world.add_order(
        "36", event_time=now - timedelta(days=4), delivered_at=now - timedelta(days=4)
    )
    topic, body, headers = sample("cart_item_added")
    ids["cart"] = world.add_webhook(topic, body, headers)
    world.add_event(ids["cart"], name="AddToCart", value=Decimal("50.58"), currency="EUR", delivered_at=now)
    world.add_installation(
        "inst2", store_url="https://garden.example", store_name="Garden", access="lost", access_reason="token_revoked"
    )
    world.add_installation("inst3", store_url="https://books.example", store_name="Books", currency="USD")
    _refused(world)
    _rollups(world)
    with world.storage.database.write() as connection:
        raise_notice(
            connection,
            row_id=world.storage.new_id(),
            installation_id="inst2",
            kind="access_lost",
            details="token_revoked",
            now=now,
        )
    return ids


def _refused(world: World) -> None:
    with world.storage.database.write() as connection:
        for number in range(4):
            connection.execute(
                insert(RefusedWebhook.__table__),
                {
                    "id": world.storage.new_id(),
                    "installation_id": "inst1",
                    "received_at": world.storage.now(),
                    "status": 401,
                    "reason": "bad_signature",
                    "topic": "order.created",
                    "size": 4000 + number,
                },
            )


def _rollups(world: World) -> None:
    draw, rows = random.Random(7), []
    start = world.storage.now().replace(minute=0, second=0, microsecond=0)
    for back in range(24 * 8):
        hour = start - timedelta(hours=back)
        base = 40 + int(30 * abs(12 - hour.hour) / -12) + draw.randrange(30)
        counts = {
            "arrived": base * 3,
            "made": base,
            "matchable": base,
            "accepted": base - 6,
            "withheld": draw.randrange(6),
            "filtered": draw.randrange(3),
            "rejected": draw.randrange(2),
            "key_email": base - 4,
            "key_phone": base // 2,
            "key_ttclid": base // 3,
            "key_ip": base - 1,
            "key_user_agent": base - 1,
            "key_external_id": base - 9,
        }
        for _ in range(base):
            bucket = min(int(abs(draw.gauss(3, 1.6))), len(LATENCY_BOUNDS))
            counts[f"latency_{bucket}"] = counts.get(f"latency_{bucket}", 0) + 1
        rows += [
            {"hour": hour, "installation_id": owner, "metric": name, "count": max(count, 0)}
            for name, count in counts.items()
            for owner in ("inst1", EVERYBODY)
        ]
    with world.storage.database.write() as connection:
        connection.execute(insert(RollupHour.__table__), rows)
