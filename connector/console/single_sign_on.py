"""Single sign-on by OpenID Connect, off until the issuer is set. Authlib makes the address and judges the claims;
every call goes through the address guard, discovery included.

Only people who are staff already are let in: the issuer says who somebody is, never what they may do.
"""

import json
import secrets
from typing import Any
from urllib.parse import urlsplit

from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connector.console.gate import safe_next, start_session
from connector.console.rendering import ConsolePages
from connector.console.services import ConsoleServices
from connector.console.sign_in import note_sign_in
from connector.core.http_values import OutgoingRequest
from connector.core.identity import normal_email
from connector.errors import AddressRefused, SendFailed
from connector.logs import log
from connector.outbound import Outbound
from connector.pages.cookies import Cookie
from connector.storage.staff import StaffRecord, find_staff

__all__ = ["SingleSignOn"]

# Authlib has no type marker.
_authorise_address: Any = prepare_grant_uri
_token_request: Any = prepare_token_request
_challenge: Any = create_s256_code_challenge
_IdToken: Any = CodeIDToken

_RETURN = "/console/sign-in/single/return"
_STATE_SECONDS = 600
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")  # never HS: the secret is no key
_LEEWAY = 60
_FORM = {"content-type": "application/x-www-form-urlencoded"}


class _Refused(Exception):
    """Something about the issuer's answer is not as it must be; the text is for the log."""


class SingleSignOn:
    """Sends the browser to the issuer and takes it back. State, nonce and verifier live in a signed cookie."""

    def __init__(self, services: ConsoleServices, pages: ConsolePages) -> None:
        settings = services.settings
        self._services = services
        self._pages = pages
        self._issuer = (settings.oidc_issuer or "").rstrip("/")
        self._client_id = settings.oidc_client_id or ""
        self._return_address = settings.own_url + _RETURN
        self._cookie = Cookie("staff_single", _STATE_SECONDS, services.session_cookie.https)

    @property
    def is_on(self) -> bool:
        """Whether issuer and client id are set."""
        return bool(self._issuer and self._client_id)

    async def start(self, request: Request) -> Response:
        """Off to the issuer."""
        if not self.is_on:
            return self._pages.fault(request, 404, "not_found")
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        try:
            found = await self._discover()
        except (_Refused, SendFailed, AddressRefused) as error:
            return self._failed(request, error)
        address = _authorise_address(
            found["authorization_endpoint"],
            client_id=self._client_id,
            response_type="code",
            redirect_uri=self._return_address,
            scope="openid email",
            state=state,
            nonce=nonce,
            code_challenge=_challenge(verifier),
            code_challenge_method="S256",
        )
        response = RedirectResponse(address, 303)
        kept = (state, nonce, verifier, safe_next(request.query_params.get("next")))
        self._cookie.write(response, self._services.links.sign("single", *kept))
        return response

    async def come_back(self, request: Request) -> Response:
        """From the issuer: the code for a token, the token for an e-mail, the e-mail for a session."""
        kept = self._services.links.read(self._cookie.read(request), _STATE_SECONDS)
        params = request.query_params
        if not self.is_on or kept is None or len(kept) != 5 or not _same(kept[1], params.get("state", "")):
            return self._failed(request, _Refused("state"))
        try:
            staff = await self._staff_of(params.get("code", ""), nonce=kept[2], verifier=kept[3])
        except (_Refused, SendFailed, AddressRefused, JoseError, AuthlibBaseError, ValueError) as error:
            return self._failed(request, error)
        await self._services.run(lambda: note_sign_in(self._services.storage, staff, "single sign-on"))
        response = RedirectResponse(safe_next(kept[4]), 303)
        self._cookie.forget(response)
        await start_session(self._services, request, staff, response)
        return response

    async def _staff_of(self, code: str, *, nonce: str, verifier: str) -> StaffRecord:
        if not code:
            raise _Refused("no code")
        found = await self._discover()
        secret = self._services.settings.oidc_client_secret
        body = _token_request(
            "authorization_code",
            redirect_uri=self._return_address,
            code=code,
            code_verifier=verifier,
            client_id=self._client_id,
            client_secret=secret.get_secret_value() if secret else "",
        )
        answer = await self._call(OutgoingRequest("POST", found["token_endpoint"], _FORM, body.encode()))
        keys = await self._call(OutgoingRequest("GET", found["jwks_uri"], {}, b""))
        claims = self._claims(str(answer.get("id_token", "")), keys, nonce, found["issuer"])
        email = normal_email(str(claims.get("email", "")))
        # Some issuers leave the word out, some write it as a text.
        if email is None or claims.get("email_verified", True) not in (True, "true"):
            raise _Refused("no verified e-mail")
        known = await self._services.read(lambda connection: find_staff(connection, email))
        if known is None or not known[0].active:
            raise _Refused("not staff")
        return known[0]

    def _claims(self, token: str, keys: dict[str, Any], nonce: str, issuer: str) -> dict[str, Any]:
        decoded = jwt.decode(token, KeySet.import_key_set(keys), algorithms=list(_ALGORITHMS))  # type: ignore[arg-type]
        options = {
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": self._client_id},
        }
        params = {"nonce": nonce, "client_id": self._client_id}
        claims = _IdToken(decoded.claims, decoded.header, options, params)
        claims.validate(now=int(self._services.storage.now().timestamp()), leeway=_LEEWAY)
        return dict(claims)

    async def _discover(self) -> dict[str, str]:
        found = await self._call(OutgoingRequest("GET", f"{self._issuer}/.well-known/openid-configuration", {}, b""))
        issuer = str(found.get("issuer", ""))
        if issuer.rstrip("/") != self._issuer:
            raise _Refused("another issuer")
        wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        places = {name: str(found.get(name, "")) for name in wanted}
        scheme = urlsplit(self._issuer).scheme
        if any(urlsplit(place).scheme != scheme for place in places.values()):
            raise _Refused("an endpoint with another scheme")
        return places | {"issuer": issuer}  # some end with a slash, and so do their tokens

    async def _call(self, request: OutgoingRequest) -> dict[str, Any]:
        async with Outbound(allow_private=self._services.settings.allow_private_addresses) as outbound:
            reply = await outbound.send(request, timeout_seconds=10, max_answer_bytes=256 * 1024)
        try:
            value = json.loads(reply.body)
        except ValueError:
            raise _Refused("no JSON") from None
        if reply.status != 200 or not isinstance(value, dict):
            raise _Refused(f"status {reply.status}")
        return value

    def _failed(self, request: Request, error: Exception) -> Response:
        log.warning("single_sign_on_failed", error=type(error).__name__, why=str(error)[:80])
        response = self._pages.fault(request, 403, "single_sign_on")
        self._cookie.forget(response)
        return response


def _same(kept: str, given: str) -> bool:
    return secrets.compare_digest(kept.encode(), given.encode("utf-8", "replace"))
