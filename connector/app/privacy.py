"""What WordPress' own privacy tools ask of us through the plugin: a person's data, or their erasure.

Signed by the plugin like its other calls. Stands here because it needs both the signature (install) and the
search through the history (operations).
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.errors import UsageError
from connector.install.machines import SignedCall, verify_plugin_call
from connector.install.services import Services
from connector.intake.draining import drain_now
from connector.operations.privacy import erase_person, export_person
from connector.pages.forms import FormRefused, read_body

__all__ = ["privacy_routes"]

_MOST_BYTES = 4 * 1024
_SPOOL_SECONDS = 3.0  # a running server takes its own in within a second or two, once the database is back
_Act = Callable[[Services, SignedCall, str], dict[str, Any]]


def privacy_routes(services: Services, spool: Path) -> list[Route]:
    """`POST /privacy/export` and `POST /privacy/erase`. What waits in the spool folder is the person's too."""
    return [
        Route("/privacy/export", _signed(services, spool, _export), methods=["POST"]),
        Route("/privacy/erase", _signed(services, spool, _erase), methods=["POST"]),
    ]


def _signed(services: Services, spool: Path, act: _Act) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            body = await read_body(request, _MOST_BYTES)
        except FormRefused:
            return JSONResponse({"error": "too_large"}, 413)
        stamp = request.headers.get("x-pixel-connector-timestamp", "")
        signature = request.headers.get("x-pixel-connector-signature", "")
        return await to_thread.run_sync(_answer, services, spool, act, stamp, signature, body)

    return endpoint


def _answer(services: Services, spool: Path, act: _Act, stamp: str, signature: str, body: bytes) -> Response:
    call = verify_plugin_call(services, stamp, signature, body)
    if call is None:
        return JSONResponse({"error": "signature_wrong"}, 401)
    email = json.loads(body).get("email")
    if not isinstance(email, str):
        return JSONResponse({"error": "email_missing"}, 400)
    if not drain_now(services.storage, spool, _SPOOL_SECONDS):
        return JSONResponse({"error": "spool_waits"}, 503, {"Retry-After": "60"})
    try:
        return JSONResponse(act(services, call, email))
    except UsageError:
        return JSONResponse({"error": "email_unusable"}, 400)


def _export(services: Services, call: SignedCall, email: str) -> dict[str, Any]:
    document = export_person(services.storage, call.installation_id, email)
    items = [
        _item("Webhooks of the store", row["webhook_id"], row, ("topic", "received_at", "state", "body"))
        for row in document["webhooks"]
    ]
    items += [
        _item("Events for TikTok", row["event_id"], row, ("event", "event_time", "state", "payload", "delivered_at"))
        for row in document["events"]
    ]
    items += [
        _item("Consent", str(number), row, ("status", "source", "stated_at", "recorded_at"))
        for number, row in enumerate(document["consent"], 1)
    ]
    return {"items": items}


def _item(group: str, item_id: str, row: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    data = [{"name": name, "value": _text(row[name])} for name in names if row[name] not in (None, "")]
    return {"group": group, "id": item_id, "data": data}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _erase(services: Services, call: SignedCall, email: str) -> dict[str, Any]:
    done = erase_person(services.storage, call.installation_id, email)
    counts = {
        "in_flight": done.in_flight,
        "unprocessed": done.unprocessed_webhooks,
        "tiktok_has": len(done.tiktok_has),
    }
    messages = [call.translate(f"privacy.{name}", count=count) for name, count in counts.items() if count]
    found = asdict(done)
    return {
        "erased": found["webhooks_erased"] + found["events_erased"],
        "retained": done.in_flight + len(done.tiktok_has),
        "messages": messages,
    }
