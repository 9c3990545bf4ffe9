"""The endpoint `event/track/`: a raw ASGI callable, since every benchmark goes through it."""

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from connector.demo.tiktok_stand_in.checks import BadField, check_event
from connector.demo.tiktok_stand_in.state import StandInState

__all__ = ["drop_connection", "respond", "track"]

MAX_EVENTS = 1000
_TOP_KEYS = frozenset(("event_source", "event_source_id", "data", "test_event_code", "partner_name"))
_HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
_GARBAGE = itertools.cycle((_HTML, b'{"code":0,"message":"O', b""))
_REQUEST_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; None in its place means that the connection is dropped."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Refused(Exception):
    """The call as a whole is refused with a code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


async def track(state: StandInState, scope: Scope, receive: Receive, send: Send) -> None:
    """One call, answered as the mode of the moment says."""
    body = await _read(receive)
    state.calls += 1
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    answer = await _MODES[state.next_mode()](state, headers, body)
    if answer is None:
        drop_connection(send)
    else:
        await respond(send, answer)


def drop_connection(send: Send) -> None:
    """Close the socket without an answer. ASGI has no message for it; uvicorn's `send` knows its transport."""
    getattr(send, "__self__").transport.abort()  # noqa: B009 - no type declares it


async def respond(send: Send, answer: Answer) -> None:
    """Send a whole answer, JSON unless its headers say otherwise."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer.body))]
    headers += answer.headers
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _coded(state: StandInState, code: int, message: str, *headers: tuple[bytes, bytes]) -> Answer:
    """TikTok answers 200 whatever the code."""
    state.codes[str(code)] += 1
    request_id = f"standin{next(_REQUEST_NUMBERS):014d}"
    fields = {"code": code, "message": message, "request_id": request_id, "data": {}}
    return Answer(200, orjson.dumps(fields), headers)


def _judge(state: StandInState, headers: Mapping[str, str], body: bytes, keep: slice = slice(None)) -> Answer:
    """Check the call; take its events, all or those of `keep`, if nothing is wrong with any."""
    try:
        call = _checked(state, headers, body)
    except Refused as refused:
        return _coded(state, refused.code, str(refused))
    for key in call.keys() - _TOP_KEYS:
        state.warnings[key] += 1
    state.take(call["event_source_id"], call["data"][keep], call.get("test_event_code"))
    return _coded(state, 0, "OK")


def _checked(state: StandInState, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    pixels = _pixels_of_token(state, headers.get("access-token", ""))
    if not headers.get("content-type", "").lower().startswith("application/json"):
        raise Refused(40002, "Content-Type: must be application/json")
    try:
        call = orjson.loads(body)
    except ValueError:
        raise Refused(40002, "Invalid JSON") from None
    if not isinstance(call, dict):
        raise Refused(40002, "Request body: Not a valid object.")
    _check_top(state, call, pixels)
    _check_events(state, call["data"])
    return call


def _pixels_of_token(state: StandInState, token: str) -> set[str]:
    if not token:
        raise Refused(40104, "Access token is empty")
    if token not in state.tokens:  # also what "Bearer ..." gets
        raise Refused(40105, "Access token is incorrect or has been revoked.")
    return state.tokens[token]


def _check_top(state: StandInState, call: dict[str, Any], pixels: set[str]) -> None:
    if call.get("event_source") != "web":
        raise Refused(40002, "event_source: Must be web.")
    pixel_code = call.get("event_source_id")
    if not isinstance(pixel_code, str) or pixel_code not in state.pixels() | pixels:
        raise Refused(40002, "event_source_id: Invalid pixel code.")
    if pixel_code not in pixels:
        raise Refused(40001, f"No permission to operate pixel code {pixel_code}")
    for key in ("test_event_code", "partner_name"):
        if key in call and not (isinstance(call[key], str) and call[key]):
            raise Refused(40002, f"{key}: Not a valid string.")
    data = call.get("data")
    if not isinstance(data, list) or not 1 <= len(data) <= MAX_EVENTS:
        raise Refused(40002, f"data: Length must be between 1 and {MAX_EVENTS}.")


def _check_events(state: StandInState, data: list[Any]) -> None:
    now = state.clock()
    try:
        for index, event in enumerate(data):
            check_event(event, f"Batch.{index}", now, state.limits)
    except BadField as bad:
        raise Refused(40002, str(bad)) from None
    if state.poison and any(event["event_id"] in state.poison for event in data):
        raise Refused(40002, "Invalid parameter")


def _several(body: bytes) -> bool:
    """Whether a body has more than one event, by its event names: mode partial only."""
    return len(re.findall(rb'"event_id"', body)) > 1


_Mode = Callable[[StandInState, Mapping[str, str], bytes], Awaitable[Answer | None]]


async def _ok(state: StandInState, headers: Mapping[str, str], body: bytes) -> Answer:
    return _judge(state, headers, body)


async def _slow(state: StandInState, headers: Mapping[str, str], body: bytes) -> Answer:
    await asyncio.sleep(state.seconds)
    return _judge(state, headers, body)


async def _down(state: StandInState, headers: Mapping[str, str], body: bytes) -> None:
    return None


async def _bad_gateway(state: StandInState, headers: Mapping[str, str], body: bytes) -> Answer:
    return Answer(502, _HTML)


async def _throttle(state: StandInState, headers: Mapping[str, str], body: bytes) -> Answer:
    wait = state.retry_after
    after = () if wait is None else ((b"retry-after", wait.encode()),)
    if state.code == 429:
        return Answer(429, b"", after or ((b"retry-after", b"1"),))
    return _coded(state, state.code, "Too many requests. Please retry in some time.", *after)


async def _code(state: StandInState, headers: Mapping[str, str], body: bytes) -> Answer:
    return _coded(state, state.code, state.message)


async def _revoked(state: StandInState, headers: Mapping[str, str], body: bytes) -> Answer:
    return _coded(state, 40105, "Access token is incorrect or has been revoked.")


async def _garbage(state: StandInState, headers: Mapping[str, str], body: bytes) -> Answer:
    return Answer(200, next(_GARBAGE))


async def _partial(state: StandInState, headers: Mapping[str, str], body: bytes) -> Answer:
    return await _partial_always(state, headers, body) if _several(body) else _judge(state, headers, body)


async def _partial_always(state: StandInState, headers: Mapping[str, str], body: bytes) -> Answer:
    """Every other event is taken, and the answer does not say which."""
    _judge(state, headers, body, slice(None, None, 2))
    return _coded(state, 20001, "Partial success")


async def _server_error(state: StandInState, headers: Mapping[str, str], body: bytes) -> Answer:
    return _coded(state, 50000, "System error")


async def _hang(state: StandInState, headers: Mapping[str, str], body: bytes) -> None:
    """No answer while the mode lasts."""
    while state.mode == "hang":  # noqa: ASYNC110 - the mode is set from another thread
        await asyncio.sleep(0.05)


async def _close_after_accept(state: StandInState, headers: Mapping[str, str], body: bytes) -> None:
    _judge(state, headers, body)


_MODES: Mapping[str, _Mode] = {
    "ok": _ok,
    "slow": _slow,
    "down": _down,
    "bad_gateway": _bad_gateway,
    "throttle": _throttle,
    "code": _code,
    "revoked": _revoked,
    "garbage": _garbage,
    "partial": _partial,
    "partial_always": _partial_always,
    "poison": _ok,
    "server_error": _server_error,
    "hang": _hang,
    "close_after_accept": _close_after_accept,
}
