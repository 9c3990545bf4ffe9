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
from connector.intake.bodies import IncomingBody
from connector.intake.deadlines import Deadlines
from connector.intake.directory import Entry, InstallationDirectory
from connector.intake.journal import Journal, Stored
from connector.intake.refusals import Refusals
from connector.intake.sources import RefusedSources
from connector.logs import log, request_id
from connector.platforms import PLATFORMS
from connector.platforms.base import IncomingWebhook, Platform
from connector.storage.arrivals import Arrival, digest_of
from connector.storage.opening import Storage

__all__ = ["WebhookEndpoint"]

_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
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
        self._sources = RefusedSources()
        self._looking: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request."""
        headers = _headers(scope)
        body = IncomingBody(headers, receive)
        try:
            platform, installation_id = _addressed(scope)
            entry = await self._installation(platform, installation_id, _source(scope))
            with self._deadlines.watch():
                content = await body.read(self._limits.body_bytes)
            failpoints.reach("after_read")
            await self._take(PLATFORMS[platform], entry, IncomingWebhook(headers, content), send)
        except WebhookRefused as refused:
            await self._refuse(scope, headers, body, refused, send)
        except Exception as error:
            named = request_id(headers.get("x-request-id"))
            log.error("webhook_failed", request_id=named, exc_info=error)
            answer = _reason("fault", "Something went wrong here: send it again.", request_id=named)
            await _answer(send, 503, answer, close=True)

    async def _refuse(
        self, scope: Scope, headers: Mapping[str, str], body: IncomingBody, refused: WebhookRefused, send: Send
    ) -> None:
        """Note it, say so at once, and listen to the rest of the body: a sender that is still writing when the
        connection closes never reads the answer. A source over its rate gets no sample and is not listened to.
        """
        within_rate = self._sources.count(_source(scope))
        self._refusals.count(refused, _asked_for(scope), _stated_topic(scope, headers), sample=within_rate)
        listens = within_rate and not body.ended and refused.status != 408  # who was too slow had time enough
        answer = _reason(refused.reason, str(refused))
        await _answer(send, refused.status, answer, close=not body.ended, more=listens)
        if listens:
            await body.drain()
            await send({"type": "http.response.body"})

    async def _installation(self, platform: str, installation_id: str, source: str) -> Entry:
        entry = self._directory.get(installation_id)
        if entry is None and not self._sources.is_over(source) and self._directory.may_look_again():
            await self._look_again()
            entry = self._directory.get(installation_id)
        if entry is None or entry.platform != platform:
            raise WebhookRefused(404, "installation_unknown", "No installation has this address.")
        if entry.removed:
            raise WebhookRefused(410, "installation_removed", "This installation was removed: stop sending.")
        return entry

    async def _look_again(self) -> None:
        """Read the installations anew; those who ask meanwhile share the next reading."""
        if self._looking is not None:
            await asyncio.wait({self._looking})  # began before we asked: may not have seen what we look for
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(asyncio.to_thread(self._refresh))
        await asyncio.wait({self._looking})

    def _refresh(self) -> None:
        try:
            self._directory.refresh()
        except Exception as error:  # the database is out of reach: memory decides
            log.warning("installations_not_refreshed", error=type(error).__name__)

    async def _take(self, platform: Platform, entry: Entry, webhook: IncomingWebhook, send: Send) -> None:
        now = self._storage.now()
        verdict = platform.verify(webhook, entry.live_secrets(now), now)
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
        kept = {name: _clean(value) for name, value in webhook.headers.items() if name in platform.kept_headers}
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
    parts = _parts(scope)
    if len(parts) != 2 or parts[0] not in PLATFORMS or not _ID.fullmatch(parts[1]):
        raise WebhookRefused(404, "installation_unknown", "No installation has this address.")
    if scope["method"] != "POST":
        raise WebhookRefused(405, "method_not_allowed", "Webhooks come by POST.")
    return parts[0], parts[1]


def _asked_for(scope: Scope) -> str:
    """The installation that an address names, whether or not there is one; for the sample."""
    name = str(scope.get("path", "")).rstrip("/").rsplit("/", 1)[-1]
    return name if _ID.fullmatch(name) else ""


def _stated_topic(scope: Scope, headers: Mapping[str, str]) -> str:
    name = _parts(scope)[0]
    return PLATFORMS[name].stated_topic(headers) if name in PLATFORMS else ""


def _parts(scope: Scope) -> list[str]:
    return str(scope.get("path", "")).split("/webhooks/", 1)[-1].rstrip("/").split("/")


def _source(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _reason(word: str, text: str, **more: str) -> bytes:
    return orjson.dumps({"error": word, "reason": text, **more})


async def _answer(send: Send, status: int, body: bytes, *, close: bool = False, more: bool = False) -> None:
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    headers += _EXTRA_HEADERS.get(status, [])
    if close:
        headers.append((b"connection", b"close"))
    start: dict[str, Any] = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": more})


_EXTRA_HEADERS: Mapping[int, list[tuple[bytes, bytes]]] = MappingProxyType(
    {
        405: [(b"allow", b"POST")],
        503: [(b"retry-after", b"5")],
    }
)
