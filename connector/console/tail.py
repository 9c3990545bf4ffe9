"""The live tail: one task per process asks the database twice a second and hands what is new to every viewer.

A viewer has a bounded queue; what does not fit is counted and dropped, so that a slow browser costs nothing. With
no viewer nothing is asked. Rows are committed a little after their ids are made, so each look goes back a while
and passes over what it has seen.
"""

import asyncio
import contextlib
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, func, select
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from connector.console.redaction import masked_text
from connector.console.rendering import ConsolePages
from connector.console.services import ConsoleServices
from connector.core.row_ids import id_at, time_of
from connector.logs import log
from connector.storage.journeys import store_names
from connector.storage.staff import find_session
from connector.storage.tables import DeliveryAttempt, Event, Webhook

__all__ = ["Tail", "TailFilter", "TailPages"]

_EVERY = 0.5
_EVERY_PRESSED = 2.0  # while webhooks press, looking gives way to them
_QUEUE = 1000  # entries that wait for one viewer
_MOST_PER_LOOK = 2000
_MOST_COUNTED = 20_000  # of what a look passes over
_MOST_VIEWERS = 40
_SESSION_CHECK = 30.0
_MISSED_MS = 10 * 60_000  # a browser that was away for longer begins anew
# How far back a look goes, in milliseconds; an attempt's id is made before its call.
_BACK = {"webhook": 3_000, "event": 3_000, "attempt": 25_000}

_webhook = Webhook.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_attempt = DeliveryAttempt.__table__  # type: ignore[attr-defined]
_SOURCES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "webhook": (_webhook, (_webhook.c.id, _webhook.c.installation_id, _webhook.c.received_at, _webhook.c.topic)),
    "event": (
        _event,
        (_event.c.id, _event.c.installation_id, _event.c.created_at, _event.c.name, _event.c.state, _event.c.reason,
         _event.c.order_id),
    ),
    "attempt": (
        _attempt,
        (_attempt.c.id, _attempt.c.installation_id, _attempt.c.started_at, _attempt.c.result, _attempt.c.code,
         _attempt.c.event_count, _attempt.c.message),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TailFilter:
    """What a viewer wants to see; empty means all."""

    installation_id: str = ""
    kind: str = ""
    text: str = ""  # part of the topic, the name, the state or the result

    def takes(self, entry: dict[str, Any]) -> bool:
        """Whether the entry passes."""
        if self.installation_id and entry["installation"] != self.installation_id:
            return False
        if self.kind and entry["kind"] != self.kind:
            return False
        return not self.text or self.text.lower() in f"{entry['what']} {entry['state']} {entry['detail']}".lower()


@dataclass(slots=True, eq=False)
class _Viewer:
    wanted: TailFilter
    waiting: deque[dict[str, Any]] = field(default_factory=deque)
    dropped: int = 0
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, entries: Sequence[dict[str, Any]]) -> None:
        for entry in entries:
            if not self.wanted.takes(entry):
                continue
            if len(self.waiting) >= _QUEUE:
                self.waiting.popleft()
                self.dropped += 1
            self.waiting.append(entry)
        self.woken.set()

    def take(self) -> tuple[list[dict[str, Any]], int]:
        entries, dropped = list(self.waiting), self.dropped
        self.waiting.clear()
        self.dropped = 0
        self.woken.clear()
        return entries, dropped


class Tail:
    """The shared task and its viewers."""

    def __init__(
        self, services: ConsoleServices, clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self._services = services
        self._clock_ms = clock_ms
        self._viewers: set[_Viewer] = set()
        self._task: asyncio.Task[None] | None = None
        self._seen: dict[str, set[int]] = {}
        self._newest: dict[str, int] = {}

    @property
    def viewers(self) -> int:
        """How many look on."""
        return len(self._viewers)

    async def follow(self, wanted: TailFilter) -> AsyncIterator[tuple[list[dict[str, Any]], int]]:
        """Batches of entries, with how many were dropped before each; an empty batch at least every 15 seconds."""
        viewer = _Viewer(wanted)
        self._viewers.add(viewer)
        if self._task is None or self._task.done():
            self._seen = {}
            self._task = asyncio.create_task(self._run())
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(viewer.woken.wait(), 15.0)
                yield viewer.take()
        finally:
            self._viewers.discard(viewer)

    def place(self) -> str:
        """How far the last look came, as the id of a message: a browser that reconnects says it."""
        return ".".join(f"{self._newest.get(kind, 0):x}" for kind in _SOURCES)

    async def missed(self, place: str, wanted: TailFilter) -> list[dict[str, Any]]:
        """What came since that place, the newest 1,000 of each kind; some of it the browser may have already."""
        marks = _marks(place)
        if marks is None:
            return []
        entries = await self._services.read(lambda connection: _since(connection, marks, self._clock_ms()))
        return [entry for entry in entries if wanted.takes(entry)]

    async def _run(self) -> None:
        while self._viewers:
            try:
                entries, passed_over = await self._services.read(self._look)
            except Exception as error:
                log.warning("tail_failed", error=type(error).__name__)
                entries, passed_over = [], 0
            if entries:
                for viewer in tuple(self._viewers):
                    viewer.dropped += passed_over
                    viewer.offer(entries)
            await asyncio.sleep(_EVERY_PRESSED if self._services.way.pressed else _EVERY)

    def _look(self, connection: Connection) -> tuple[list[dict[str, Any]], int]:
        """What is new, and how many more were new than one look takes: those are announced, never silent."""
        found: list[dict[str, Any]] = []
        passed_over = 0
        for kind, (table, columns) in _SOURCES.items():
            start = id_at(self._clock_ms() - _BACK[kind])
            statement = select(*columns).where(table.c.id > start).order_by(table.c.id.desc()).limit(_MOST_PER_LOOK)
            rows = connection.execute(statement).all()
            seen = self._seen.get(kind)
            self._seen[kind] = {row.id for row in rows}
            if seen is not None:
                found += [_entry(kind, row) for row in rows if row.id not in seen]
                if len(rows) == _MOST_PER_LOOK:
                    passed_over += _count(connection, table, max(self._newest[kind], start), rows[-1].id)
            self._newest[kind] = max(rows[0].id if rows else 0, self._newest.get(kind, 0))
        return sorted(found, key=lambda entry: (str(entry["at"]), int(entry["id"]))), passed_over


def _marks(place: str) -> list[int] | None:
    parts = place.split(".")
    if len(parts) != len(_SOURCES) or not all(re.fullmatch(r"[0-9a-f]{1,15}", part) for part in parts):
        return None
    return [int(part, 16) for part in parts]


def _since(connection: Connection, marks: Sequence[int], now_ms: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    oldest = id_at(now_ms - _MISSED_MS)
    for (kind, (table, columns)), mark in zip(_SOURCES.items(), marks, strict=True):
        back = id_at(time_of(mark) - _BACK[kind])  # rows are committed a little after their ids are made
        statement = select(*columns).where(table.c.id > max(back, oldest)).order_by(table.c.id.desc()).limit(_QUEUE)
        found += [_entry(kind, row) for row in connection.execute(statement)]
    return sorted(found, key=lambda entry: (str(entry["at"]), int(entry["id"])))


def _count(connection: Connection, table: Any, after: int, before: int) -> int:
    between = select(table.c.id).where(table.c.id > after, table.c.id < before).limit(_MOST_COUNTED).subquery()
    return int(connection.execute(select(func.count()).select_from(between)).scalar_one())


def _entry(kind: str, row: Any) -> dict[str, Any]:
    if kind == "webhook":
        at, what, state, detail = row.received_at, row.topic, "", ""
    elif kind == "event":
        at, what, state = row.created_at, row.name, row.state
        detail = " ".join(part for part in (row.reason, f"#{row.order_id}" if row.order_id else "") if part)
    else:
        at, what, state = row.started_at, f"× {row.event_count}", row.result
        detail = f"{row.code if row.code is not None else ''} {row.message}".strip()
    return {
        "kind": kind,
        "id": str(row.id),  # larger than a script's exact numbers
        "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "installation": row.installation_id,
        "what": masked_text(what),
        "state": state,
        "detail": masked_text(detail)[:160],
    }


class TailPages:
    """The page and its stream."""

    def __init__(self, services: ConsoleServices, pages: ConsolePages) -> None:
        self._services = services
        self._pages = pages
        self.tail = Tail(services)

    async def show(self, request: Request) -> Response:
        """The page; a script fills it."""
        stores = await self._services.read(store_names)
        return self._pages.show(request, "tail.html", stores=stores, wanted=_wanted(request))

    async def stream(self, request: Request) -> Response:
        """Server-sent events: one message per half second at most, a JSON object with `entries` and `dropped`."""
        if self.tail.viewers >= _MOST_VIEWERS:
            return Response("too many viewers", 503, {"retry-after": "30"}, media_type="text/plain")
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self._messages(request), media_type="text/event-stream", headers=headers)

    async def _messages(self, request: Request) -> AsyncIterator[bytes]:
        yield b"retry: 3000\n: open\n\n"
        wanted, checked = _wanted(request), time.monotonic()
        if missed := await self.tail.missed(request.headers.get("last-event-id", ""), wanted):
            yield _message(missed, 0, "")
        async for entries, dropped in self.tail.follow(wanted):
            if time.monotonic() - checked > _SESSION_CHECK:
                checked = time.monotonic()
                if not await self._still_signed_in(request):
                    yield b"event: signed_out\ndata: {}\n\n"
                    return
            if await request.is_disconnected():
                return
            if entries or dropped:
                yield _message(entries, dropped, self.tail.place())
            else:
                yield b": still here\n\n"

    async def _still_signed_in(self, request: Request) -> bool:
        token = self._services.session_cookie.read(request) or ""
        now = self._services.storage.now()
        return await self._services.read(lambda connection: find_session(connection, token, now)) is not None


def _message(entries: Sequence[dict[str, Any]], dropped: int, place: str) -> bytes:
    head = f"id: {place}\n".encode() if place else b""
    return head + b"data: " + orjson.dumps({"entries": entries, "dropped": dropped}) + b"\n\n"


def _wanted(request: Request) -> TailFilter:
    params = request.query_params
    kind = params.get("kind", "")
    return TailFilter(
        params.get("installation", "").strip()[:40],
        kind if kind in _SOURCES else "",
        params.get("text", "")[:60].strip(),
    )
