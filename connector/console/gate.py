"""Nobody reaches a page of the console but through here: session first, then the table of permissions."""

import re
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from sqlalchemy.exc import OperationalError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from connector.console.list_requests import LARGEST_ID
from connector.console.permissions import Action, allows
from connector.console.services import ConsoleServices
from connector.errors import UsageError
from connector.logs import log
from connector.pages.forms import FormRefused
from connector.storage.staff import StaffRecord, close_session, find_session, open_session, touch_session

__all__ = ["Handler", "guarded", "safe_next", "sign_out", "start_session", "viewer_of"]

Handler = Callable[[Request], Awaitable[Response]]
Fault = Callable[[Request, int, str], Response]
_HOME = "/console/"
# Browsers read a backslash as a slash, an escaped dot as a dot, and leave line ends and tabs out.
_LEADS_ELSEWHERE = ("\\", "%5c", "//", "%2f", "..", "%2e")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


def viewer_of(request: Request) -> StaffRecord:
    """Who asks; only inside a guarded handler."""
    viewer: StaffRecord = request.state.viewer
    return viewer


def guarded(services: ConsoleServices, action: Action, handler: Handler, fault: Fault) -> Handler:
    """The handler for those whose role allows the action. Others are sent to sign in, or told that they may not.

    Refused forms and mistakes of the person at the keyboard become pages too.
    """

    async def answer(request: Request) -> Response:
        try:
            return await _allowed(services, action, handler, fault, request)
        except FormRefused as error:
            return fault(request, error.status, "form_refused")
        except UsageError as error:
            return fault(request, 400, str(error))
        except OperationalError as error:  # out of reach, or a statement that took longer than a page may
            log.warning("console_database", error=type(error.orig).__name__)
            return fault(request, 503, "database")

    return answer


async def _allowed(
    services: ConsoleServices, action: Action, handler: Handler, fault: Fault, request: Request
) -> Response:
    viewer = await _find_viewer(services, request)
    if viewer is None:
        return _to_sign_in(request)
    request.state.viewer = viewer
    if not allows(viewer.role, action):
        return fault(request, 403, "not_allowed")
    if "%00" in request.url.query or "\0" in request.url.path:  # PostgreSQL takes no text with it
        return fault(request, 400, "unreadable")
    row_id = request.path_params.get("id")
    if isinstance(row_id, int) and row_id > LARGEST_ID:
        return fault(request, 404, "not_found")
    return await handler(request)


async def start_session(services: ConsoleServices, request: Request, staff: StaffRecord, response: Response) -> None:
    """Open a session under a fresh token; whatever token the browser brought is closed."""
    token, brought, now = secrets.token_urlsafe(32), services.session_cookie.read(request), services.storage.now()

    def write() -> None:
        with services.storage.database.write() as connection:
            if brought:
                close_session(connection, brought, now)
            open_session(connection, token, staff.id, now)

    await services.run(write)
    services.session_cookie.write(response, token)


async def sign_out(services: ConsoleServices, request: Request) -> Response:
    """Close the session of this browser."""
    await services.guard.read(request)
    token = services.session_cookie.read(request)
    if token:

        def write() -> None:
            with services.storage.database.write() as connection:
                close_session(connection, token, services.storage.now())

        await services.run(write)
    response = RedirectResponse("/console/sign-in", 303)
    services.session_cookie.forget(response)
    return response


def safe_next(path: str | None) -> str:
    """A path inside the console to go to after signing in; the first page for anything else."""
    if not path or not path.startswith(_HOME) or _CONTROLS.search(path):
        return _HOME
    place = path.partition("?")[0].lower()  # a query may hold whatever was filtered for
    return _HOME if any(sign in place for sign in _LEADS_ELSEWHERE) else path


async def _find_viewer(services: ConsoleServices, request: Request) -> StaffRecord | None:
    token = services.session_cookie.read(request)
    if not token or len(token) > 100:
        return None
    now = services.storage.now()
    found = await services.read(lambda connection: find_session(connection, token, now))
    if found is None:
        return None
    viewer, wants_touch = found
    if wants_touch:

        def touch() -> None:
            with services.storage.database.write() as connection:
                touch_session(connection, token, now)

        await services.run(touch)
    return viewer


def _to_sign_in(request: Request) -> Response:
    if request.headers.get("accept", "").startswith(("text/event-stream", "application/json")):
        return JSONResponse({"error": "signed_out"}, 401)
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    wanted = path if request.method == "GET" and safe_next(path) == path else _HOME
    return RedirectResponse(f"/console/sign-in?next={quote(wanted, safe='/')}", 303)
