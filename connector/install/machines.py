"""What machines call: the store's callback, and the plugin's signed requests. JSON in, JSON out, no cookies."""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from anyio import to_thread
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.install.approving import confirm_attempt, secret_of_attempt, take_callback
from connector.install.attempts import attempt_of_installation
from connector.install.owner.sessions import begin_session, make_link, take_link
from connector.install.services import Services
from connector.install.site import Site, caller
from connector.logs import log
from connector.pages.forms import FormRefused, read_body, read_form
from connector.pages.rendering import see_other
from connector.pages.security import PageSecurity
from connector.pages.translating import Translator, choose_language
from connector.storage.installations import find_installation, open_credentials

__all__ = ["machine_routes"]

_MOST_BYTES = 16 * 1024
_CLOCK_SECONDS = 300
_CALLS_PER_MINUTE = 60


@dataclass(frozen=True, slots=True)
class SignedCall:
    """A call of the plugin whose signature fits; `translate` speaks the language of the person in wp-admin."""

    installation_id: str
    user_name: str
    translate: Translator


def machine_routes(site: Site) -> list[Route]:
    """Their routes. The browser itself posts to `/owner/enter`, from wp-admin, with the token that the plugin got."""
    return [
        _route(site, "/install/woocommerce/callback/{state}", _callback(site)),
        _route(site, "/install/confirm", _signed(site, _confirm)),
        _route(site, "/owner/links", _signed(site, _link)),
        _route(site, "/owner/enter", _enter(site)),
    ]


def _route(site: Site, path: str, endpoint: Callable[[Request], object]) -> Route:
    security = Middleware(PageSecurity, https=site.services.https)
    return Route(path, endpoint, methods=["POST"], middleware=[security], name=f"POST {path}")


def _callback(site: Site) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        if not site.allows("callback", caller(request), _CALLS_PER_MINUTE):
            return _refusal(429, "too_often")
        try:
            body = await read_body(request, _MOST_BYTES)
        except FormRefused:
            return _refusal(413, "too_large")
        state = request.path_params["state"]
        status, word = await to_thread.run_sync(take_callback, site.services, state, body, limiter=site.threads)
        return JSONResponse({"status": word}, status)

    return endpoint


def _signed(site: Site, act: Callable[[Services, SignedCall], Response]) -> Callable[[Request], object]:
    """Only with a signature by the link secret of the installation that the body names."""

    async def endpoint(request: Request) -> Response:
        if not site.allows("signed", caller(request), _CALLS_PER_MINUTE):
            return _refusal(429, "too_often")
        try:
            body = await read_body(request, _MOST_BYTES)
        except FormRefused:
            return _refusal(413, "too_large")
        stamp = request.headers.get("x-pixel-connector-timestamp", "")
        signature = request.headers.get("x-pixel-connector-signature", "")

        def run() -> Response:
            language = request.headers.get("accept-language", "")
            call = verify_plugin_call(site.services, stamp, signature, body, language)
            return _refusal(401, "signature_wrong") if call is None else act(site.services, call)

        return await to_thread.run_sync(run, limiter=site.threads)

    return endpoint


def verify_plugin_call(
    services: Services, stamp: str, signature: str, body: bytes, language: str = ""
) -> SignedCall | None:
    """The call when its signature is one of the installation's own and at most five minutes old.

    Its `locale` (`de_DE`) chooses the language of the answer, else `language`, an Accept-Language header.
    HMAC-SHA256 with the link secret over the timestamp's digits and the raw body, in lower-case hex.
    """
    if (
        not (stamp.isascii() and stamp.isdigit())
        or abs(int(stamp[:15]) - services.now().timestamp()) > _CLOCK_SECONDS
    ):
        return None
    try:
        fields = orjson.loads(body)
    except ValueError:
        return None
    installation_id = fields.get("installation_id") if isinstance(fields, dict) else None
    if not isinstance(installation_id, str):
        return None
    message, fits = stamp.encode() + body, False
    for secret in _link_secrets(services, installation_id):
        expected = hmac.digest(secret.encode(), message, "sha256").hex()
        fits |= secrets.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
    user, locale = (str(fields.get(name) or "")[:80] for name in ("user", "locale"))
    return SignedCall(installation_id, user, Translator(choose_language(locale, None, language))) if fits else None


def _link_secrets(services: Services, installation_id: str) -> list[str]:
    """Of an installation, or of an attempt that is not one yet. Never an empty one."""
    with services.storage.database.read() as connection:
        found = open_credentials(connection, services.storage.keys, installation_id, "link_secret", services.now())
    attempt = attempt_of_installation(services, installation_id)
    if attempt is not None:
        found.append(secret_of_attempt(services, attempt))
    return [secret for secret in found if secret]


def _confirm(services: Services, call: SignedCall) -> Response:
    with services.storage.database.read() as connection:
        installation = find_installation(connection, call.installation_id)
    if installation is not None and installation.state != "removed":
        return JSONResponse({"status": "connected", "message": call.translate("install.confirm.connected")})
    attempt = attempt_of_installation(services, call.installation_id)
    if attempt is None or not confirm_attempt(services, attempt):
        return JSONResponse({"status": "over", "message": call.translate("install.confirm.over")}, 410)
    log.info("install_confirmed", installation_id=call.installation_id)
    return JSONResponse({"status": "confirmed", "message": call.translate("install.confirm.confirmed")})


def _link(services: Services, call: SignedCall) -> Response:
    with services.storage.database.read() as connection:
        installation = find_installation(connection, call.installation_id)
    if installation is None or installation.state == "removed":
        return JSONResponse({"status": "unknown", "message": call.translate("install.confirm.unknown")}, 404)
    return JSONResponse({"token": make_link(services, call.installation_id, call.user_name)}, 201)


def _enter(site: Site) -> Callable[[Request], object]:
    """From wp-admin: the token is what is believed, not where the form came from."""

    async def endpoint(request: Request) -> Response:
        if not site.allows("enter", caller(request), _CALLS_PER_MINUTE):
            return _refusal(429, "too_often")
        try:
            form = await read_form(request, _MOST_BYTES)
        except FormRefused:
            return _refusal(413, "too_large")
        taken = await to_thread.run_sync(take_link, site.services, form.get("token"), limiter=site.threads)
        if taken is None:
            return see_other("/owner/sign-in?why=link")
        response = see_other("/owner")
        await to_thread.run_sync(
            lambda: begin_session(site, response, taken[0], came_by="plugin", user_name=taken[1]),
            limiter=site.threads,
        )
        return response

    return endpoint


def _refusal(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status)
