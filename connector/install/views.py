"""The pages of installing, from the empty address field to the password."""

import secrets
from collections.abc import Mapping
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from connector.install.approving import Progress, Returned, Stage, advance, take_return
from connector.install.attempts import Attempt, read_again, start_attempt
from connector.install.owner.sessions import begin_session
from connector.install.passwords import MINIMUM_LENGTH, has_password, set_password
from connector.install.preflight import Preflight, preflight
from connector.install.setting_up import set_up_store
from connector.install.site import Site, caller, too_often
from connector.pages.forms import Form
from connector.pages.rendering import see_other
from connector.platforms.woocommerce.connect import authorise_url, read_return
from connector.storage.installations import find_installation

__all__ = [
    "ask_address",
    "landing",
    "look_at_store",
    "nothing_here",
    "password",
    "progress",
    "returned",
    "take_password",
]

_LOOKS_PER_MINUTE = 12
_LONGEST_ADDRESS = 400  # what the table takes, and its scheme
_MAY_CHOOSE_FOR = timedelta(days=1)  # as long as the cookie that tells the browser
# Stages that end the way, each with its HTTP status.
_ENDS: Mapping[Stage, int] = {
    Stage.REFUSED: 200,
    Stage.BURNED: 403,
    Stage.KEYS_REFUSED: 200,
    Stage.EXPIRED: 410,
    Stage.RENEWED: 200,
}
_REFRESH: Mapping[Stage, int] = {Stage.APPROVE: 5, Stage.NO_CALLBACK: 5, Stage.SETTLING: 5, Stage.STORE_AWAY: 10}


def landing(site: Site, request: Request, form: Form) -> Response:
    """What this is, and two ways on."""
    return site.pages.show(request, "install/landing.html")


def ask_address(site: Site, request: Request, form: Form) -> Response:
    """The address field. The plugin's page may fill it in."""
    typed = request.query_params.get("store", "")[:200]
    return site.pages.show(request, "install/address.html", typed=typed, problem="", looked=None, continue_url="")


def look_at_store(site: Site, request: Request, form: Form) -> Response:
    """The pre-flight, and the way to the store when it passes."""
    if not site.allows("preflight", caller(request), _LOOKS_PER_MINUTE):
        return too_often(site, request)
    typed = form.get("store")[:_LONGEST_ADDRESS]
    looked = preflight(site.services, typed) if typed else None
    if looked is None:
        values = {"typed": typed, "problem": "not_an_address" if typed else "empty"}
        return site.pages.show(request, "install/address.html", status=422, looked=None, continue_url="", **values)
    return _show_checks(site, request, looked)


def _show_checks(site: Site, request: Request, looked: Preflight) -> Response:
    browser = site.browser(request) or secrets.token_urlsafe(24)
    continue_url = _authorise(site, looked.store_url, browser) if looked.passes else ""
    response = site.pages.show(
        request,
        "install/address.html",
        typed=looked.store_url,
        problem="",
        looked=looked,
        continue_url=continue_url,
    )
    site.browser_cookie.write(response, site.browser_texts.sign(browser))
    return response


def _authorise(site: Site, store_url: str, browser: str) -> str:
    state, own = start_attempt(site.services, store_url, browser), site.services.own_url
    return authorise_url(
        store_url,
        app_name="Pixel Connector",
        reference=state,
        return_url=f"{own}/install/woocommerce/return",
        callback_url=f"{own}/install/woocommerce/callback/{state}",
    )


def returned(site: Site, request: Request, form: Form) -> Response:
    """Back from the store: our browser goes on to the waiting page, any other one ends the attempt."""
    query = request.query_params
    approved, state = read_return(query.get("success"), query.get("user_id"))
    outcome = take_return(site.services, state, site.browser(request), approved)
    if outcome is Returned.OURS:
        return see_other("/install/progress")
    if outcome is Returned.UNKNOWN:
        return _end(site, request, Progress(Stage.EXPIRED))
    return _end(site, request, Progress(Stage.REFUSED if outcome is Returned.REFUSED else Stage.BURNED))


def progress(site: Site, request: Request, form: Form) -> Response:
    """Where this browser's attempt stands; looks again by itself."""
    attempt = site.attempt(request)
    if attempt is None:
        return _end(site, request, Progress(Stage.EXPIRED))
    at = advance(site.services, attempt)
    if at.stage is Stage.RENEWED and _entitled(site, request) is not None:
        return _set_up(site, attempt)
    if at.stage in _ENDS:
        return _end(site, request, at, attempt)
    if at.stage is Stage.ACTIVE:
        return _set_up(site, attempt)
    patience = site.services.settling_seconds
    refresh = None if at.stage is Stage.NO_CALLBACK and not at.seconds_left else _REFRESH[at.stage]
    return site.pages.show(
        request, "install/progress.html", at=at, attempt=attempt, refresh=refresh, patience=int(patience)
    )


def _set_up(site: Site, attempt: Attempt) -> Response:
    installation_id = read_again(site.services, attempt).installation_id
    with site.services.storage.database.read() as connection:
        installation = find_installation(connection, installation_id)
    if installation is not None:
        set_up_store(site.services, installation)
    return see_other("/install/password")


def _end(site: Site, request: Request, at: Progress, attempt: Attempt | None = None) -> Response:
    if at.stage is Stage.RENEWED and attempt is not None:
        _set_up(site, attempt)
    return site.pages.show(request, "install/ended.html", status=_ENDS[at.stage], at=at, attempt=attempt)


def password(site: Site, request: Request, form: Form) -> Response:
    """Asks for the password of the owner's pages, once, in the browser that installed."""
    attempt = _entitled(site, request)
    if attempt is None:
        return see_other("/owner/sign-in")
    return site.pages.show(request, "install/password.html", attempt=attempt, minimum=MINIMUM_LENGTH, problem="")


def take_password(site: Site, request: Request, form: Form) -> Response:
    """Sets it and signs this browser in."""
    attempt = _entitled(site, request)
    if attempt is None:
        return see_other("/owner/sign-in")
    first, second = form.get("password"), form.get("again")
    problem = "short" if len(first) < MINIMUM_LENGTH else "differ" if first != second else ""
    if problem:
        values = {"attempt": attempt, "minimum": MINIMUM_LENGTH, "problem": problem}
        return site.pages.show(request, "install/password.html", status=422, **values)
    set_password(site.services, attempt.installation_id, first)
    response = see_other("/owner/tiktok")
    begin_session(site, response, attempt.installation_id, came_by="install")
    return response


def nothing_here(site: Site, request: Request, form: Form) -> Response:
    """An address below `/install` or `/owner` that is no page, or that only takes a form and was reloaded."""
    start = "/owner" if request.url.path.startswith("/owner/") else "/install"
    if request.url.path == f"{start}/":
        return see_other(start)
    return site.pages.show(request, "install/nothing.html", status=404, start=start)


def _entitled(site: Site, request: Request) -> Attempt | None:
    """This browser's own installation that has no password yet, for a day: its tab may have been closed early.

    One that it renewed counts only while it is as empty as a new one.
    """
    attempt = site.attempt(request)
    if attempt is None or attempt.status != "active":
        return None
    if site.services.now() >= attempt.created_at + _MAY_CHOOSE_FOR:
        return None
    if has_password(site.services, attempt.installation_id):
        return None
    return attempt if attempt.reason != "renewed" or _is_empty(site, attempt) else None


def _is_empty(site: Site, attempt: Attempt) -> bool:
    """Whether nobody has come further than this browser: no pixel was ever connected."""
    with site.services.storage.database.read() as connection:
        installation = find_installation(connection, attempt.installation_id)
    return installation is not None and not installation.pixel_code
