"""What a service's processes write into their logs: by its lines a webhook is followed to TikTok's request id."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector.app.server import create_app
from connector.settings import Settings
from connector.storage.opening import Storage
from tests.road.service import Service


def _lines(service: Service, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (service.folder / "log.txt").read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_webhook_is_followed_by_its_id_to_tiktoks_request_id(kind: str, tmp_path: Path) -> None:
    service = Service(tmp_path, kind, CONNECTOR_LOG_FORMAT="json")
    try:
        added = service.add("--consent-policy", "opt_out")
        service.start("serve", "--no-delivery")
        service.start("deliver")
        assert service.post(added, "order_updated_completed") == 200
        service.wait(lambda: _lines(service, "tiktok_answered"))
        (webhook,) = service.json("webhooks", "list")
        attempts = service.json("webhooks", "show", webhook["webhook_id"])["attempts"]
    finally:
        service.close()

    (stored,), (answered,) = _lines(service, "webhooks_stored"), _lines(service, "tiktok_answered")
    assert stored["webhook_ids"] == answered["webhook_ids"] == [int(webhook["webhook_id"])]
    assert (answered["result"], answered["installation_id"]) == ("accepted", added)
    assert [answered["tiktok_request_id"]] == [attempt["request_id"] for attempt in attempts] != [""]
    said = (service.folder / "log.txt").read_text()
    assert "zoe@example.com" not in said
    assert "token-of-the-tests" not in said


def test_a_fault_is_found_in_the_log_by_what_its_answer_says(
    settings: Settings, storage: Storage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = create_app(settings, storage, delivery=False)
    monkeypatch.setattr("connector.intake.endpoint._addressed", lambda _scope: 1 / 0)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.post("/webhooks/woocommerce/x", headers={"X-Request-ID": "from-the-proxy-7"})

    reply = asyncio.run(ask())
    assert (reply.status_code, reply.json()["request_id"]) == (503, "from-the-proxy-7")
    assert "from-the-proxy-7" in "".join(capsys.readouterr())
