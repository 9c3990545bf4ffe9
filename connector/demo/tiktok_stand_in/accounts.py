"""The stand-in's authorisation, advertisers and pixels (Marketing API v1.3), and its control route."""

import secrets
from collections.abc import Awaitable, Callable
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from connector.demo.tiktok_stand_in.browser_script import BROWSER_SCRIPT
from connector.demo.tiktok_stand_in.state import Advertiser, StandInState

__all__ = ["routes"]

_API = "/open_api/v1.3"
_Endpoint = Callable[[StandInState, Request], Awaitable[Response]]


def routes(state: StandInState) -> list[Route]:
    """Everything but `event/track/`."""

    def route(path: str, endpoint: _Endpoint, method: str = "GET") -> Route:
        async def call(request: Request) -> Response:
            return await endpoint(state, request)

        return Route(path, call, methods=[method])

    return [
        route("/portal/auth", _authorise),
        route(f"{_API}/oauth2/access_token/", _token, "POST"),
        route(f"{_API}/oauth2/revoke_token/", _revoke, "POST"),
        route(f"{_API}/oauth2/advertiser/get/", _advertisers),
        route(f"{_API}/pixel/list/", _pixels),
        route(f"{_API}/pixel/create/", _create_pixel, "POST"),
        route("/i18n/pixel/events.js", _script),
        route("/_browser", _browser, "POST"),
        route("/_control", _control, "POST"),
        route("/_control", _summary),
    ]


def _answer(code: int, message: str, data: dict[str, Any] | None = None) -> Response:
    return JSONResponse({"code": code, "message": message, "request_id": secrets.token_hex(8), "data": data or {}})


async def _authorise(state: StandInState, request: Request) -> Response:
    """The page where the owner says yes; at once unless `confirm_page` is set."""
    query = request.query_params
    target = query.get("redirect_uri", "")
    if query.get("app_id") not in state.apps or urlsplit(target).scheme not in ("http", "https"):
        return PlainTextResponse("unknown app_id or bad redirect_uri", 400)
    if state.confirm_page and query.get("confirmed") != "1":
        fields = "".join(
            f'<input type="hidden" name="{escape(key)}" value="{escape(value)}">' for key, value in query.items()
        )
        return HTMLResponse(
            f"<title>Stand-in TikTok</title><h1>Allow access?</h1><form>{fields}"
            '<button name="confirmed" value="1">Confirm</button></form>'
        )
    code = secrets.token_hex(20)
    state.auth_codes.add(code)
    answer = urlencode({"auth_code": code, "code": code, "state": query.get("state", "")})
    return RedirectResponse(f"{target}{'&' if '?' in target else '?'}{answer}", 302)


async def _token(state: StandInState, request: Request) -> Response:
    fields = await _fields(request)
    if not _known_app(state, fields):
        return _answer(40101, "App id or secret is incorrect")
    code = fields.get("auth_code")
    if code not in state.auth_codes:
        return _answer(40110, "Auth_code is invalid or has been used")
    state.auth_codes.discard(code)
    token = secrets.token_hex(20)
    state.add_access(token, *(pixel for one in state.advertisers for pixel in one.pixels))
    ids = [one.advertiser_id for one in state.advertisers]
    return _answer(0, "OK", {"access_token": token, "advertiser_ids": ids, "scope": [4]})


async def _revoke(state: StandInState, request: Request) -> Response:
    fields = await _fields(request)
    if not _known_app(state, fields):
        return _answer(40101, "App id or secret is incorrect")
    if state.tokens.pop(str(fields.get("access_token")), None) is None:
        return _answer(40105, "Access token is incorrect or has been revoked.")
    return _answer(0, "OK")


async def _advertisers(state: StandInState, request: Request) -> Response:
    if not _known_app(state, dict(request.query_params)):
        return _answer(40101, "App id or secret is incorrect")
    if request.headers.get("access-token") not in state.tokens:
        return _answer(40105, "Access token is incorrect or has been revoked.")
    found = [{"advertiser_id": one.advertiser_id, "advertiser_name": one.name} for one in state.advertisers]
    return _answer(0, "OK", {"list": found})


async def _pixels(state: StandInState, request: Request) -> Response:
    query = request.query_params
    advertiser = _advertiser(state, request, query.get("advertiser_id"))
    if isinstance(advertiser, Response):
        return advertiser
    page, size = query.get("page", "1"), query.get("page_size", "10")
    if not (page.isdecimal() and size.isdecimal() and int(page) >= 1 and 1 <= int(size) <= 20):
        return _answer(40002, "page_size: Must be between 1 and 20.")
    start = (int(page) - 1) * int(size)
    found = [_pixel(code, name) for code, name in advertiser.pixels.items()]
    info = {
        "page": int(page),
        "page_size": int(size),
        "total_number": len(found),
        "total_page": -(-len(found) // int(size)),
    }
    return _answer(0, "OK", {"pixels": found[start : start + int(size)], "page_info": info})


async def _create_pixel(state: StandInState, request: Request) -> Response:
    fields = await _fields(request)
    advertiser = _advertiser(state, request, fields.get("advertiser_id"))
    if isinstance(advertiser, Response):
        return advertiser
    name = fields.get("pixel_name")
    if not isinstance(name, str) or not 1 <= len(name) <= 40 or any(ord(sign) > 0xFFFF for sign in name):
        return _answer(40002, "pixel_name: 1 to 40 characters, no emoji.")
    code = "C" + secrets.token_hex(10).upper()[:19]
    advertiser.pixels[code] = name
    state.add_access(request.headers["access-token"], code)
    return _answer(0, "OK", _pixel(code, name))


def _pixel(code: str, name: str) -> dict[str, str]:
    # Any stable number will do; the real one has nothing to do with the code either.
    return {"pixel_id": str(int.from_bytes(code.encode()[:7])), "pixel_code": code, "pixel_name": name}


def _advertiser(state: StandInState, request: Request, wanted: Any) -> Advertiser | Response:
    if request.headers.get("access-token") not in state.tokens:
        return _answer(40105, "Access token is incorrect or has been revoked.")
    found = next((one for one in state.advertisers if one.advertiser_id == wanted), None)
    if found is None or found.is_closed:
        return _answer(40001, "No permission to operate advertiser")
    return found


def _known_app(state: StandInState, fields: dict[str, Any]) -> bool:
    app_id = fields.get("app_id")
    return isinstance(app_id, str) and app_id in state.apps and state.apps[app_id] == fields.get("secret")


async def _fields(request: Request) -> dict[str, Any]:
    try:
        parsed = orjson.loads(await request.body())
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


async def _script(state: StandInState, request: Request) -> Response:
    return Response(BROWSER_SCRIPT, media_type="application/javascript")


async def _browser(state: StandInState, request: Request) -> Response:
    """What the recorder script reports, one call each; sent as text so that no preflight is needed."""
    fields = await _fields(request)
    if fields:
        state.browser_calls.append(fields)
    return Response(status_code=204, headers={"access-control-allow-origin": "*"})


async def _control(state: StandInState, request: Request) -> Response:
    """Set the mode, make tokens known (`tokens`: token to pixel codes), or forget everything (`forget`)."""
    fields = await _fields(request)
    for token, pixels in fields.pop("tokens", {}).items():
        state.add_access(token, *pixels)
    if fields.pop("forget", False):
        state.forget()
    if "event_ids" in fields:
        fields["poison"] = fields.pop("event_ids")
    if fields:
        try:
            state.set_mode(fields.pop("mode", state.mode), fields.pop("count", None), **fields)
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
    return JSONResponse(state.summary())


async def _summary(state: StandInState, request: Request) -> Response:
    """The counts; with `?events=1` the accepted events and the browser's calls too."""
    summary = state.summary()
    if request.query_params.get("events") == "1":
        summary["events"] = [
            {"pixel_code": one.pixel_code, "copies": one.copies, **one.event} for one in state.accepted
        ]
        summary["browser"] = state.browser_calls
    return Response(orjson.dumps(summary), media_type="application/json")
