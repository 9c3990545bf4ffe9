"""POST /webhooks/{platform}/{installation_id}: count the bytes, verify them, commit them, then answer 200.

A plain ASGI application: nothing stands between the bytes and the journal. Everything that can go wrong ends in
one line of JSON; nothing that is authentic is refused but a body over the limit and, when neither database nor
spool can take it, with 503.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from connector import failpoints
from connector.errors import WebhookRefused
from connector.intake.deadlines import Deadlines
from connector.intake.directory import Entry, InstallationDirectory
from connector.intake.journal import Journal, Stored
from connector.intake.refusals import Refusals
from connector.logs import log
from connector.platforms import PLATFORMS
from connector.platforms.base import IncomingWebhook, Platform
from connector.storage.arrivals import Arrival, digest_of
from connector.storage.opening import Storage

__all__ = ["WebhookEndpoint"]

_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
# What is kept of the headers: an allow-list, so that no credential of a proxy ends in the history.
_KEPT_HEADERS = frozenset(
    {
        "content-type",
        "user-agent",
        "x-wc-webhook-source",
        "x-wc-webhook-topic",
        "x-wc-webhook-id",
        "x-wc-webhook-delivery-id",
    }
)
_DRAIN_BYTES = 64 * 1024 * 1024
_DRAIN_SECONDS = 10.0
_UNREADABLE_IN_TEXT = re.compile(r"[^\x20-\x7e\xa0-\xff]")
_ANSWERS: Mapping[Stored, bytes] = MappingProxyType({kind: orjson.dumps({"status": kind}) for kind in Stored})


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """Bytes of a body, and seconds a sender may take for it."""

    body_bytes: int
    body_seconds: float


class WebhookEndpoint:
    """The ASGI application below `/webhooks`."""

    def __init__(
        self,
        storage: Storage,
        directory: InstallationDirectory,
        journal: Journal,
        refusals: Refusals,
        limits: EndpointLimits,
    ) -> None:
        self._storage = storage
        self._directory = directory
        self._journal = journal
        self._refusals = refusals
        self._limits = limits
        self._deadlines = Deadlines(limits.body_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request."""
        installation_id, headers = "", {}
        try:
            headers = _headers(scope)
            platform, installation_id = _addressed(scope)
            entry = await self._installation(platform, installation_id)
            body = await self._body(headers, receive)
            failpoints.reach("after_read")
            await self._take(PLATFORMS[platform], entry, IncomingWebhook(headers, body), send)
        except WebhookRefused as refused:
            self._refusals.count(refused, installation_id, headers.get("x-wc-webhook-topic", ""))
            await _drain(headers, receive)
            await _answer(send, refused.status, orjson.dumps({"error": refused.reason, "reason": str(refused)}))
        except Exception as error:
            log.error("webhook_failed", installation_id=installation_id, error=type(error).__name__, exc_info=error)
            fault = {"error": "fault", "reason": "Something went wrong here: send it again."}
            await _answer(send, 503, orjson.dumps(fault))

    async def _installation(self, platform: str, installation_id: str) -> Entry:
        entry = self._directory.get(installation_id)
        if entry is None and self._directory.may_look_again():
            await asyncio.to_thread(self._look_again)
            entry = self._directory.get(installation_id)
        if entry is None or entry.platform != platform:
            raise WebhookRefused(404, "installation_unknown", "No installation has this address.")
        if entry.removed:
            raise WebhookRefused(410, "installation_removed", "This installation was removed: stop sending.")
        return entry

    def _look_again(self) -> None:
        try:
            self._directory.refresh()
        except Exception:  # the database is out of reach: memory decides
            return

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        limit = self._limits.body_bytes
        if _declared_length(headers) > limit:
            raise _too_large(limit)
        with self._deadlines.watch():
            return await _read(receive, limit)

    async def _take(self, platform: Platform, entry: Entry, webhook: IncomingWebhook, send: Send) -> None:
        now = self._storage.now()
        verdict = platform.verify(webhook, entry.live_secrets(now))
        if verdict.kind == "ping":
            await _answer(send, 200, b'{"status":"pong"}')
            return
        if verdict.kind != "authentic":
            raise WebhookRefused(401, verdict.reason, verdict.text)
        failpoints.reach("after_verify")
        arrival = self._arrival(platform, entry, webhook, verdict.topic, now)
        stored = await self._journal.store(arrival)
        if stored is Stored.FAILED:
            raise WebhookRefused(503, "not_stored", "Nothing could be stored just now: send it again.")
        failpoints.reach("before_answer")
        await _answer(send, 200, _ANSWERS[stored])

    def _arrival(
        self, platform: Platform, entry: Entry, webhook: IncomingWebhook, topic: str, now: datetime
    ) -> Arrival:
        topic = _clean(topic)[:100]
        kept = {name: _clean(value) for name, value in webhook.headers.items() if name in _KEPT_HEADERS}
        return Arrival(
            id=self._storage.new_id(),
            installation_id=entry.id,
            topic=topic,
            received_at=now,
            digest=digest_of(entry.id, topic, webhook.body),
            headers=orjson.dumps(kept).decode(),
            body=webhook.body,
            deduplicate=platform.deduplicates(webhook.body),
        )


def _clean(value: str) -> str:
    plain = value if value.isascii() and value.isprintable() else _UNREADABLE_IN_TEXT.sub("?", value)
    return plain[:500]


def _headers(scope: Scope) -> dict[str, str]:
    """Names in lower case; of a header that comes twice the first counts."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return found


def _addressed(scope: Scope) -> tuple[str, str]:
    """Platform and installation of the path. Redirecting a trailing slash would lose webhooks, so it is taken."""
    if scope["type"] != "http":
        raise WebhookRefused(404, "not_found", "Only HTTP is spoken here.")
    parts = scope["path"].split("/webhooks/", 1)[-1].rstrip("/").split("/")
    if len(parts) != 2 or parts[0] not in PLATFORMS or not _ID.fullmatch(parts[1]):
        raise WebhookRefused(404, "installation_unknown", "No installation has this address.")
    if scope["method"] != "POST":
        raise WebhookRefused(405, "method_not_allowed", "Webhooks come by POST.")
    return parts[0], parts[1]


def _declared_length(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _too_large(limit: int) -> WebhookRefused:
    return WebhookRefused(413, "body_too_large", f"The body is over the limit of {limit} bytes.")


async def _read(receive: Receive, limit: int) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        return body
    parts, size = [], 0
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()
    raise WebhookRefused(400, "body_cut_short", "The connection closed before the body was whole.")


async def _drain(headers: Mapping[str, str], receive: Receive) -> None:
    """Read on for a while before refusing: a sender that is still writing would never see the answer."""
    if headers.get("expect", "").lower() == "100-continue":
        return
    left = _DRAIN_BYTES
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    headers += _EXTRA_HEADERS.get(status, [])
    start: dict[str, Any] = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})


_EXTRA_HEADERS: Mapping[int, list[tuple[bytes, bytes]]] = MappingProxyType(
    {
        405: [(b"allow", b"POST")],
        408: [(b"connection", b"close")],
        413: [(b"connection", b"close")],
        503: [(b"retry-after", b"5")],
    }
)
