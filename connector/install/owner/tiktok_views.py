"""The TikTok page: connect by TikTok's own page or by pasting, try it, switch, disconnect, test mode."""

import re
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from connector.install.explaining import told_reason
from connector.install.owner.sessions import Session, current_session
from connector.install.owner.showing import actor, is_setting_up, show
from connector.install.setting_up import push_settings
from connector.install.site import Site
from connector.install.tiktok_side import (
    TestAnswer,
    access_token,
    connect_tiktok,
    create_pixel,
    disconnect_tiktok,
    exchange_code,
    offered_pixels,
    send_test_event,
    waiting_grant,
)
from connector.pages.cookies import SignedTexts
from connector.pages.forms import Form
from connector.pages.rendering import see_other
from connector.storage.installations import change_installation, find_installation
from connector.tiktok.oauth import ApiFault, Pixel, authorise_url

__all__ = [
    "choose_pixel",
    "disconnect",
    "leave_for_tiktok",
    "paste",
    "pixels",
    "test_mode",
    "tiktok",
    "tiktok_return",
    "try_again",
]

_PIXEL_CODE = re.compile(r"[A-Za-z0-9]{10,64}")
_TEST_CODE = re.compile(r"[A-Za-z0-9_-]{1,40}")
_STATE_SECONDS = 1800
HOURS = (1, 8, 24, 72)


def tiktok(site: Site, request: Request, form: Form, session: Session) -> Response:
    """GET /owner/tiktok."""
    return _show(site, request, session)


def _show(
    site: Site,
    request: Request,
    session: Session,
    *,
    answer: TestAnswer | None = None,
    problem: str = "",
    typed: str = "",
    status: int = 200,
) -> Response:
    translate, now = site.pages.translator(request), site.services.now()
    settings = session.installation.settings
    told = told_reason(translate, answer.reason) if answer is not None and not answer.accepted else None
    return show(
        site,
        request,
        session,
        "owner/tiktok.html",
        "tiktok",
        status=status,
        has_app=site.services.tiktok.is_known,
        has_token=bool(access_token(site.services, session.installation)),
        answer=answer,
        told=told,
        problem=problem,
        typed=typed or session.installation.pixel_code,
        test_code=settings.live_test_event_code(now) or "",
        test_until=settings.test_event_code_expires_at,
        hours=HOURS,
    )


def paste(site: Site, request: Request, form: Form, session: Session) -> Response:
    """A pixel code and a token, tried at once; an empty token keeps the one in use."""
    code = form.get("pixel_code").upper()
    token = form.get("access_token") or access_token(site.services, session.installation)
    if not _PIXEL_CODE.fullmatch(code):
        return _show(site, request, session, problem="pixel_code", typed=code[:64], status=422)
    if not token or not token.isascii() or not token.isprintable() or len(token) > 500:
        return _show(site, request, session, problem="access_token", typed=code, status=422)
    return _use(site, request, session, code, token)


def _use(site: Site, request: Request, session: Session, code: str, token: str) -> Response:
    """Try them; keep them unless TikTok refused them."""
    services, installation = site.services, session.installation
    answer = send_test_event(
        services,
        store_url=installation.store_url,
        pixel_code=code,
        access_token=token,
        test_event_code=installation.settings.live_test_event_code(services.now()),
    )
    if not answer.may_be_used:
        return _show(site, request, session, answer=answer, typed=code, status=422)
    was_setting_up = is_setting_up(session)
    connect_tiktok(services, installation, pixel_code=code, access_token=token, actor=actor(session))
    _tell_plugin(site, session)
    done = "connected" if answer.accepted else "connected_untried"
    return see_other(f"/owner/plugin?done={done}" if was_setting_up else f"/owner/tiktok?done={done}")


def _tell_plugin(site: Site, session: Session) -> None:
    with site.services.storage.database.read() as connection:
        changed = find_installation(connection, session.installation.id)
    if changed is not None:
        push_settings(site.services, changed)


def try_again(site: Site, request: Request, form: Form, session: Session) -> Response:
    """Send a test event with what is in use and show the answer."""
    services, installation = site.services, session.installation
    token = access_token(services, installation)
    if not token or not installation.pixel_code:
        return see_other("/owner/tiktok")
    answer = send_test_event(
        services,
        store_url=installation.store_url,
        pixel_code=installation.pixel_code,
        access_token=token,
        test_event_code=form.get("test_event_code")[:40] or None,
    )
    if answer.accepted and installation.access == "lost":
        connect_tiktok(
            services, installation, pixel_code=installation.pixel_code, access_token=token, actor=actor(session)
        )
    return _show(site, request, session, answer=answer)


def disconnect(site: Site, request: Request, form: Form, session: Session) -> Response:
    """Stop sending; webhooks are still taken, and what waits is kept."""
    disconnect_tiktok(site.services, session.installation, actor=actor(session))
    return see_other("/owner/tiktok?done=disconnected")


def test_mode(site: Site, request: Request, form: Form, session: Session) -> Response:
    """Switch the test code on for some hours, or off."""
    services, settings = site.services, session.installation.settings
    code, hours = form.get("test_event_code"), form.get("hours")
    on = not form.has("off")
    if on and (not _TEST_CODE.fullmatch(code) or hours not in map(str, HOURS)):
        return _show(site, request, session, problem="test_code", status=422)
    until = services.now() + timedelta(hours=int(hours)) if on else None
    changes = {"test_event_code": code if on else None, "test_event_code_expires_at": until}
    with services.storage.database.write() as connection:
        change_installation(
            connection, session.installation.id, services.now(), settings=settings.model_copy(update=changes)
        )
    return see_other("/owner/tiktok?done=" + ("test_on" if on else "test_off"))


test_mode.__test__ = False  # type: ignore[attr-defined] # a view, not a test


def _states(site: Site) -> SignedTexts:
    return SignedTexts(site.services.storage.keys.signing_keys("tiktok state"), "tiktok")


def leave_for_tiktok(site: Site, request: Request, form: Form, session: Session) -> Response:
    """GET, from a link: a form may not lead to another site under our security policy."""
    services = site.services
    if not services.tiktok.is_known:
        return see_other("/owner/tiktok")
    address = authorise_url(
        services.tiktok.portal_url,
        app_id=services.tiktok.app_id,
        state=_states(site).sign(session.installation.id),
        redirect_uri=f"{services.own_url}/install/tiktok/return",
    )
    return see_other(address)


def tiktok_return(site: Site, request: Request, form: Form) -> Response:
    """GET /install/tiktok/return: only with our state, in the browser that is signed in to that installation."""
    session = current_session(site, request)
    state = _states(site).read(request.query_params.get("state"), _STATE_SECONDS)
    if session is None:
        return see_other("/owner/sign-in")
    if state is None or state[0] != session.installation.id:
        return see_other("/owner/tiktok?done=tiktok_state")
    code = request.query_params.get("auth_code", "")[:500]
    if not code:  # said no there, or TikTok did
        return see_other("/owner/tiktok?done=tiktok_refused")
    grant = exchange_code(site.services, session.installation, code)
    if isinstance(grant, ApiFault):
        answer = TestAnswer(False, grant.reason, grant.message, grant.code)
        return _show(site, request, session, answer=answer, status=422)
    return see_other("/owner/tiktok/pixels")


def pixels(site: Site, request: Request, form: Form, session: Session) -> Response:
    """GET /owner/tiktok/pixels: pick one, or make one."""
    token = waiting_grant(site.services, session.installation)
    if not token:
        return see_other("/owner/tiktok")
    offer = offered_pixels(site.services, token, request.query_params.get("account", ""))
    if isinstance(offer, ApiFault):
        answer = TestAnswer(False, offer.reason, offer.message, offer.code)
        return _show(site, request, session, answer=answer, status=422)
    translate = site.pages.translator(request)
    faults = {
        one.advertiser.advertiser_id: told_reason(translate, one.fault.reason) for one in offer.choices if one.fault
    }
    return show(site, request, session, "owner/pixels.html", "tiktok", offer=offer, faults=faults)


def choose_pixel(site: Site, request: Request, form: Form, session: Session) -> Response:
    """POST /owner/tiktok/pixels."""
    token = waiting_grant(site.services, session.installation)
    if not token:
        return see_other("/owner/tiktok")
    chosen = form.get("pixel")
    if chosen.startswith("new:"):
        name = session.installation.store_name or session.installation.store_url
        made = create_pixel(site.services, token, chosen.removeprefix("new:"), name)
        if not isinstance(made, Pixel):
            answer = TestAnswer(False, made.reason, made.message, made.code)
            return _show(site, request, session, answer=answer, status=422)
        chosen = made.code
    if not _PIXEL_CODE.fullmatch(chosen):
        return see_other("/owner/tiktok/pixels")
    return _use(site, request, session, chosen, token)
